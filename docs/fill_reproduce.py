"""Fills the empty column of `reproduce.md` with what an evaluation gave.

python -m docs.fill_reproduce figures/mvtec/figures.json figures/visa/figures.json
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_anoclip.batch.datasets import DATASETS
from napari_anoclip.batch.evaluation import Evaluation, VariantResult
from napari_anoclip.batch.figures import TITLES
from napari_anoclip.batch.protocol import PRESETS
from napari_anoclip.batch.tables import percent, read
from napari_anoclip.engine import AnoCLIPSettings
from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.settings import MutualSettings

PAGE = Path(__file__).with_name("reproduce.md")
WEIGHTS = "ViT-B-16-plus-240:laion400m_e32"

MUTUAL = PRESETS["default"].with_settings(AnoCLIPSettings(mutual=MutualSettings(enabled=True, tokens="layers")))
"""As the page has the settings file be."""


class NotComparable(AnoCLIPError):
    """An evaluation that does not belong into the column."""


def filled(page: str, evaluation: Evaluation) -> str:
    """The page with an evaluation's means in the last column of its rows.

    Parameters
    ----------
    page : str
        Markdown.
    evaluation : Evaluation

    Returns
    -------
    str

    Raises
    ------
    NotComparable
        If it was not made as the published figures were, or there is no row for it.
    """
    _check(evaluation)
    names = {f"{evaluation.title}, {row}": one for one in evaluation.variants if (row := _row(evaluation, one))}
    lines, count = [], 0
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        figure = next((key for key, title in TITLES.items() if len(cells) > 1 and title == cells[1]), None)
        if cells[0] in names and figure is not None:
            cells[-1] = percent(names[cells[0]].mean[figure], interval=True)
            line = "| " + " | ".join(cells) + " |"
            count += 1
        lines.append(line)
    if not count:
        raise NotComparable(
            f"The page has no row for this evaluation of {evaluation.title}: evaluate mvtec or visa with the preset "
            "paper, or with pictures that judge each other as the page says."
        )
    return "\n".join(lines) + "\n"


def _row(evaluation: Evaluation, variant: VariantResult) -> str:
    """What the page calls a variant; empty if it knows no such one."""
    published = PRESETS["paper"].for_data_set(evaluation.data)
    if variant.protocol == published:
        return "paper"
    return "mutual" if variant.protocol == MUTUAL else ""


def _check(evaluation: Evaluation) -> None:
    expected = len(DATASETS[evaluation.data].nouns) if evaluation.data in DATASETS else 0
    found = min((len(one.categories) for one in evaluation.variants), default=0)
    for wrong, words in (
        (evaluation.model != WEIGHTS, f"it was made with {evaluation.model}, not with {WEIGHTS}"),
        (evaluation.resolution != "model", "pixels were counted at native resolution: give --resolution model"),
        (evaluation.limit is not None, "it was made with --limit"),
        (found < expected, f"it has {found} of {expected} categories"),
        (bool(evaluation.broken), f"{len(evaluation.broken)} pictures were left out"),
    ):
        if wrong:
            raise NotComparable(f"This evaluation of {evaluation.title} does not compare with the published: {words}.")


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    try:
        for file in sys.argv[1:]:
            page = filled(page, read(Path(file)))
    except AnoCLIPError as error:
        sys.exit(str(error))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
