"""The empty column of the reproduce page is filled by an evaluation that compares, and by no other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from docs.fill_reproduce import PAGE, NotComparable, filled
from napari_anoclip.batch.datasets import DATASETS
from napari_anoclip.batch.evaluation import Broken, CategoryResult, Evaluation, VariantResult
from napari_anoclip.batch.figures import TITLES, DataFigures
from napari_anoclip.batch.protocol import PRESETS
from napari_anoclip.engine import AnoCLIPSettings
from napari_anoclip.engine.settings import MutualSettings
from napari_anoclip.review.metrics import Figure

MUTUAL = PRESETS["default"].with_settings(AnoCLIPSettings(mutual=MutualSettings(enabled=True, tokens="layers")))
OTHER_MUTUAL = PRESETS["default"].with_settings(AnoCLIPSettings(mutual=MutualSettings(enabled=True)))


@dataclass
class MadeUp:
    """An evaluation whose figures are numbered."""

    data: str = "mvtec"
    protocol: str = "paper"
    model: str = "ViT-B-16-plus-240:laion400m_e32"
    resolution: str = "model"
    limit: int | None = None
    categories: int | None = None
    broken: tuple[Broken, ...] = ()

    def __call__(self) -> Evaluation:
        told = {
            name: Figure(value=place / 100 + 0.5, low=place / 100 + 0.49, high=place / 100 + 0.51, count=9, words="-")
            for place, name in enumerate(TITLES)
        }
        names = list(DATASETS[self.data].nouns)[: self.categories]
        results = tuple(
            CategoryResult(
                category=name,
                object=name,
                kind="object",
                figures=DataFigures(**told, images=1, defective=1),
                broken=self.broken,
                seconds=1,
            )
            for name in names
        )
        mutual = {"mutual": MUTUAL, "other mutual": OTHER_MUTUAL}
        protocol = mutual.get(self.protocol) or PRESETS[self.protocol].for_data_set(self.data)
        return Evaluation(
            data=self.data,
            title=DATASETS[self.data].title,
            model=self.model,
            model_id="0",
            device="cpu",
            precision="fp32",
            image_size=240,
            resolution=self.resolution,
            limit=self.limit,
            variants=(VariantResult(name="any name", protocol=protocol, categories=results),),
            version="0",
        )


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def changed(before: str, after: str) -> list[str]:
    return [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]


@pytest.mark.parametrize(
    ("data", "protocol", "rows"), [("mvtec", "paper", 6), ("visa", "paper", 4), ("mvtec", "mutual", 3)]
)
def test_means_land_in_their_own_rows(page, data, protocol, rows):
    new = changed(page, filled(page, MadeUp(data, protocol)()))
    assert len(new) == rows
    assert all(row.startswith(f"| {DATASETS[data].title}, {protocol} | ") for row in new)
    row = next(row for row in new if "| Pixel AUROC |" in row)
    assert row.endswith("| 50.0 (49.7 to 50.3) |")
    assert [title for title in TITLES.values() if any(f"| {title} |" in row for row in new)]


def test_it_can_be_filled_again_and_from_several(page):
    once = filled(page, MadeUp("visa")())
    assert filled(once, MadeUp("visa")()) == once
    assert len(changed(page, filled(once, MadeUp("mvtec")()))) == 10


@pytest.mark.parametrize(
    ("evaluation", "reason"),
    [
        (MadeUp(model="builtin"), "made with builtin"),
        (MadeUp(model="ViT-B-16-plus-240:laion400m_e31"), "made with ViT-B-16-plus-240:laion400m_e31, not with"),
        (MadeUp(resolution="native"), "native resolution"),
        (MadeUp(limit=10), "--limit"),
        (MadeUp(categories=3), "3 of 15 categories"),
        (MadeUp(broken=(Broken(path="a.png", reason="gone"),)), "1 pictures were left out"),
        (MadeUp(protocol="default"), "no row"),
        (MadeUp(protocol="other mutual"), "no row"),
    ],
)
def test_what_does_not_compare_is_refused(page, evaluation, reason):
    with pytest.raises(NotComparable, match=reason):
        filled(page, evaluation())
