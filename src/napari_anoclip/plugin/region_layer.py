"""The regions in the viewer: a Labels layer with their outlines and features, tied to the review both ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_anoclip.plugin import helper_layers
from napari_anoclip.plugin.camera import Pilot
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.placement import put_in_place
from napari_anoclip.plugin.region_picture import RegionPicture, colormap, label_of

if TYPE_CHECKING:
    from napari_anoclip.plugin.review_subject import Position
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.review.matching import Matched

ROLE = "regions"

_STILL = 3.0
"""Pixels of the screen that a click may move."""


class RegionLayer(QObject):
    """Draws the regions of a review, flies to the current one, and takes a click on a region.

    Parameters
    ----------
    reviewer : Reviewer
        Whose.
    """

    def __init__(self, reviewer: Reviewer) -> None:
        super().__init__(reviewer)
        self._reviewer = reviewer
        self._viewer = reviewer.viewer
        self._layer: Labels | None = None
        self._picture: RegionPicture | None = None
        self._grid: tuple[Any, ...] = ()
        self._told: list[tuple[Matched, str]] = []
        self._clicked: int | None = None
        self._pilot = Pilot(reviewer.viewer, self)
        self._soon = later(self, self._refresh)  # a verdict is told by several signals, and drawn once
        reviewer.changed.connect(self._soon.start)
        reviewer.image_changed.connect(self._soon.start)
        reviewer.current_changed.connect(self._on_current)
        self._viewer.mouse_drag_callbacks.append(self._on_drag)

    @property
    def layer(self) -> Labels | None:
        """The layer, if there is something to show and the user did not delete it."""
        return self._layer if self._layer is not None and self._layer in self._viewer.layers else None

    def close_down(self) -> None:
        """Take the layer out of the viewer."""
        self._soon.stop()
        self._pilot.stop()
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._remove()

    def _remove(self) -> None:
        if self._layer is not None:
            helper_layers.remove(self._viewer.layers, self._layer)
        self._layer, self._picture, self._grid, self._told = None, None, (), []

    def _refresh(self) -> None:
        subject, regions = self._reviewer.subject, self._reviewer.regions
        if subject is None or not regions:
            self._remove()
            return
        current = None if self._reviewer.current is None else self._reviewer.current.id
        grid = (subject.image, subject.map_shape, subject.origin, subject.step)
        if self._picture is None or grid != self._grid:
            self._remove()
            self._picture, self._grid = RegionPicture(subject), grid
        self._picture.set(regions, current)
        place = subject.plane.place()
        layer = self.layer
        if layer is None:
            layer = Labels(
                self._picture,
                name=f"{subject.image.name} · regions",
                colormap=colormap(),
                opacity=1.0,
                metadata=_ties(subject.image.unique_id),
                **place,
            )
            layer.editable = False
            self._layer = layer
            helper_layers.add(self._viewer.layers, layer)
        else:
            put_in_place(layer, place)
            layer.refresh(extent=False, highlight=False)
        told = [(region, self._reviewer.top_prompt(region)) for region in regions]
        if not _same(told, self._told):
            layer.features = dict(self._features(regions))
            self._told = told

    def _on_current(self) -> None:
        self._refresh()  # at once, for the camera flies to it
        current, layer, subject = self._reviewer.current, self.layer, self._reviewer.subject
        if current is None or layer is None or subject is None or self._clicked == current.id:
            return
        at = iter((*current.plane, *(first + length / 2 - 0.5 for first, length in _box(current))))
        order = (*subject.hidden, *subject.plane.axes)
        along = dict(zip(order, at, strict=True))
        middle = layer.data_to_world([along[axis] for axis in range(layer.ndim)])
        size = max(length * pixel for (_, length), pixel in zip(_box(current)[-2:], subject.pixel_size, strict=True))
        self._pilot.fly_to(np.asarray(middle, float), size, layer)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """A click without a drag chooses the region under it, unless a tool of the active layer is in use."""
        begin = np.asarray(event.pos, float)
        active = viewer.layers.selection.active
        if active is not None and str(active.mode) not in ("pan_zoom", "transform"):
            return
        yield
        while event.type == "mouse_move":
            yield
        if np.hypot(*(np.asarray(event.pos, float) - begin)) > _STILL:
            return
        region = self._region_at(event.position)
        if region is not None:
            self._clicked = region  # it is in sight: the camera stays
            self._reviewer.select(region)
            self._clicked = None

    def _region_at(self, world: Any) -> int | None:
        layer, subject = self.layer, self._reviewer.subject
        if layer is None or self._picture is None or subject is None or not layer.visible:
            return None
        at = np.round(np.asarray(layer.world_to_data(np.asarray(world)[-layer.ndim :]))).astype(int).tolist()
        position: Position = tuple(at[axis] for axis in subject.hidden)
        return self._picture.region_at(position, (at[subject.plane.axes[0]], at[subject.plane.axes[1]]))

    def _features(self, regions: list[Matched]) -> Iterator[tuple[str, list[Any]]]:
        """Columns of the layer's features, one row a region."""
        subject = self._reviewer.subject
        assert subject is not None
        measures = [region.measures for region in regions]
        yield "index", [label_of(region.id) for region in regions]
        yield "region", [region.id for region in regions]
        yield "verdict", ["" if region.verdict is None else region.verdict.value for region in regions]
        said = [region.judgement for region in regions]
        for name in ("kind", "note"):
            yield name, ["" if one is None else getattr(one, name) for one in said]
        yield "top prompt", [self._reviewer.top_prompt(region) for region in regions]
        yield "plane", [", ".join(map(str, region.plane)) for region in regions]
        for name in ("maximum", "mean", "length", "orientation"):
            yield name, [None if one is None else getattr(one, name) for one in measures]
        size, unit = subject.pixel_area(next((len(one.centroid) for one in measures if one is not None), 2))
        yield f"area {unit}", [None if one is None else one.area * size for one in measures]
        for axis, name in ((-2, "row"), (-1, "column")):
            yield f"centroid {name}", [None if one is None else one.centroid[axis] for one in measures]
            yield f"box {name}", [region.mask.start[axis] for region in regions]
            yield f"box {name} end", [region.mask.stop[axis] for region in regions]
        world = self._world(
            [None if one is None else (*r.plane, *one.centroid) for r, one in zip(regions, measures, strict=True)]
        )
        for place, name in enumerate(subject.image.axis_labels):
            yield f"world {name}", [None if at is None else at[place] for at in world]

    def _world(self, points: list[Any]) -> list[Any]:
        """Points, hidden axes first, in the world; all at once, for napari takes them one by one."""
        layer, subject = self.layer, self._reviewer.subject
        assert layer is not None
        assert subject is not None
        order = np.argsort((*subject.hidden, *subject.plane.axes))
        origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
        along = [np.asarray(layer.data_to_world(unit)) - origin for unit in np.eye(layer.ndim)]
        there = np.array([np.zeros(layer.ndim) if at is None else at for at in points])[:, order] @ along + origin
        return [None if at is None else row for at, row in zip(points, there.tolist(), strict=True)]


def _same(one: list[tuple[Matched, str]], other: list[tuple[Matched, str]]) -> bool:
    """Whether both are of the very same regions, and say the same of them."""
    return len(one) == len(other) and all(
        a is b and told == before for (a, told), (b, before) in zip(one, other, strict=True)
    )


def _box(region: Matched) -> list[tuple[int, int]]:
    """(start, length) along each axis of a region's mask."""
    return list(zip(region.mask.start, region.mask.bits.shape, strict=True))


def _ties(image_id: object) -> dict[str, Any]:
    """Metadata that say what the layer is, and of which image, so that it goes with it."""
    role = helper_layers.role(ROLE)
    return {key: found | {"image_id": str(image_id)} for key, found in role.items()}
