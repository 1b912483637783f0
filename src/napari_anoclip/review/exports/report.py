"""A report for people: one HTML file that needs nothing else, to look at, to print and to hand on."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from napari_anoclip._version import __version__
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.place import PathOf, Read
from napari_anoclip.review.exports.report_card import MAX_TABLE_BYTES, Card, cards_of
from napari_anoclip.review.exports.target import Exported, require_free_file, write_file
from napari_anoclip.review.judgement import ImageReview, Verdict

if TYPE_CHECKING:
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.review.metrics import Figure, Figures

MAX_BYTES = 25_000_000
"""Of all pictures together: what a mail takes."""

_LONGEST = ((40, 900), (120, 640), (10**9, 420))
"""Longest side of a picture in pixels, by how many there are."""

_MAX_KINDS = 24

_FIGURES = (
    ("false_regions", "False-positive regions per image", "found regions that are none; fewer is better"),
    ("recall", "Recall of regions", "share of the defects that a found region meets"),
    ("image_auroc", "AUROC of images", "how well scores tell defective images from good ones"),
    ("aupro", "AUPRO (0.3)", "overlap with each defect up to a false-positive rate of 0.3"),
    ("pixel_auroc", "AUROC of pixels", "how well the map ranks pixels"),
    ("pixel_ap", "Average precision of pixels", "the same, where defects are few"),
    ("f1_max", "Best F1 of pixels", "at the best threshold there is"),
    ("f1", "F1 of pixels", "at the threshold in use"),
)

WORDS = {Verdict.DEFECT: "defect", Verdict.FALSE: "false positive", Verdict.UNSURE: "unsure"}


def export_report(
    images: Iterable[ImageReview],
    file: Path,
    read: Read,
    *,
    path_of: PathOf = place.recorded_path,
    title: str = "Review",
    figures: Figures | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    prompts: PromptSet | None = None,
    at: datetime | None = None,
    max_bytes: int = MAX_BYTES,
    overwrite: bool = False,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Exported:
    """Write a report.

    Parameters
    ----------
    images : iterable of ImageReview
        All of the session; those that nothing is known of are counted, not shown.
    file : Path
        HTML to write.
    read : callable
        Gives an image's array, hidden axes first, or None where its file was not found.
    path_of : callable
        Gives an image's file; paths in the report are relative to its folder.
    title : str
        What stands above it, such as the name of the session.
    figures : Figures, optional
        How good the maps are.
    settings : mapping, optional
        What the maps were made with: values by name, by the name of their group.
    prompts : PromptSet, optional
        What the maps were made with.
    at : datetime, optional
        What counts as now.
    max_bytes : int
        Of all pictures together. Images for which no room is left have their table only. Tables have a bound of their
        own, beyond which images are only counted.
    overwrite : bool
        Whether a file that is there may be replaced.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Exported

    Raises
    ------
    ExportExists, ExportError
        If the file is there, or cannot be written.
    Cancelled
        If the cancel flag was set; nothing was written.
    """
    file = Path(file)
    require_free_file(file, overwrite)
    report = Reporter(on_progress, cancel)
    everything = list(images)
    judged = [image for image in everything if image.judged]
    longest = next(side for count, side in _LONGEST if len(judged) <= count)
    cards: list[Card] = []
    room, table_room = max_bytes, MAX_TABLE_BYTES
    not_shown: list[str] = []
    for done, image in enumerate(judged):
        report("writing report", done, len(judged))
        if table_room <= 0:
            not_shown.append(f"{image.name}, to keep the file small.")
            continue
        path = place.path_words(image, path_of, file.parent)
        for card in cards_of(image, read, path, longest, len(cards), room):
            report("writing report", done, len(judged))
            if table_room <= 0:
                not_shown.append(f"{image.name}, in part, to keep the file small.")
                break
            room -= card.picture_bytes
            table_room -= card.table_bytes
            cards.append(card)
    verdicts = [one for image in judged for one in image.judgements.values() if one.verdict is not None]
    html = _template().render(
        title=title,
        at=at or datetime.now().astimezone(),
        version=__version__,
        system=f"Python {platform.python_version()}",
        images=everything,
        judged=judged,
        complete=sum(image.complete for image in judged),
        counts={verdict: sum(one.verdict is verdict for one in verdicts) for verdict in Verdict},
        kinds=_kinds(judged),
        figures=_figures(figures),
        threshold=figures.threshold if figures else None,
        cards=cards,
        not_shown=len(not_shown),
        settings={group: {name: _shown(value) for name, value in of.items()} for group, of in (settings or {}).items()},
        prompts=prompts,
        Verdict=Verdict,
        words=WORDS,
    )
    report("writing report", len(judged), len(judged))
    write_file(file, html, overwrite)
    bare = [f"{card.title}: {card.without}" for card in cards if card.without]
    return Exported(
        file,
        len(cards),
        len(verdicts),
        tuple(not_shown),
        not_judged=len(everything) - len(judged),
        remark=f"Without a picture ({len(bare)}): {bare[0]}" if bare else "",
    )


def _kinds(images: Iterable[ImageReview]) -> dict[str, int]:
    """How many defects there are of the most frequent kinds, most first; empty if no defect has one."""
    defects = Counter(one.kind for image in images for one in image.with_verdict(Verdict.DEFECT))
    if not any(defects):
        return {}
    kinds = sorted(defects, key=lambda kind: (-defects[kind], kind))
    shown = {kind or "no kind given": defects[kind] for kind in kinds[:_MAX_KINDS]}
    rest = sum(defects[kind] for kind in kinds[_MAX_KINDS:])
    return shown | ({f"{len(kinds) - _MAX_KINDS} other kinds": rest} if rest else {})


def _figures(figures: Figures | None) -> list[tuple[str, str, Figure]]:
    return [] if figures is None else [(name, what, getattr(figures, key)) for key, name, what in _FIGURES]


def _shown(value: Any) -> str:
    """A setting as people write it."""
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value)) or "—"
    return str(value)


@cache
def _template() -> Template:
    loader = PackageLoader("napari_anoclip.review.exports", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")
