"""The other images of a run, gathered before any is scored: by them each is judged, where the recipe has that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from napari_anoclip.batch.inputs import Input, read_input
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.engine import AnoCLIP
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.mutual import Others
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback


def gather_others(
    model: AnoCLIP,
    inputs: Sequence[Input],
    recipe: Recipe,
    *,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Others | None:
    """Gather what images are compared with.

    Parameters
    ----------
    model : AnoCLIP
        Of `recipe.model`.
    inputs : sequence of Input
        All images; those that cannot be read are left out, and named when it is their turn to be scored.
    recipe : Recipe
        Says whether images are compared, and how.
    on_progress, cancel : optional
        As for `Others.gather`.

    Returns
    -------
    Others or None
        None where the recipe has no mutual scoring.

    Raises
    ------
    ImageError, DeviceMemoryError, Cancelled
        As for `Others.gather`.
    """
    if not recipe.settings.mutual.enabled:
        return None
    with ThreadPoolExecutor(1, "anoclip-read") as pool:
        sources = _Sources(inputs, pool)
        return Others.gather(model, sources, recipe.settings, on_progress=on_progress, cancel=cancel)


class _Sources:
    """The images that can be read, the next one while one is worked on."""

    def __init__(self, inputs: Sequence[Input], pool: ThreadPoolExecutor) -> None:
        self._inputs, self._pool = inputs, pool

    def __length_hint__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[ImageSource]:
        here: Future[ImageSource | None] | None = None
        for one in [*self._inputs, None]:
            following = None if one is None else self._pool.submit(_source, one)
            source = None if here is None else here.result()
            here = following
            if source is not None:
                yield source


def _source(one: Input) -> ImageSource | None:
    try:
        return ImageSource.of(read_input(one))
    except (ImageError, MemoryError):
        return None
