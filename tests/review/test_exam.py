"""An exam counts what was judged, pixel by pixel and region by region, as plain code does; nothing else counts."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine import golden
from review.reviewing import image, judgement, square
from skimage.measure import label
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.review.exam import Exam, Question, questions
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.metrics import Figures, Scores, figures
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings

SIDE, THRESHOLD = 64, 0.5
REGIONS = RegionSettings(min_area=3, fill_holes=False)
PROMPTS = PromptSet.compose(object="nut", normal_states=["good {}"], abnormal_states=["bad {}"])
DEFECT, FALSE, UNSURE = Verdict.DEFECT, Verdict.FALSE, Verdict.UNSURE


class Prescribed:
    """A model whose maps are given: at full size, of which an exam gets the mean of each square of pixels."""

    def __init__(self, *maps: np.ndarray) -> None:
        self.maps = list(maps)
        self.asked: list[dict[str, Any]] = []

    def detect(self, source: Any, prompts: Any, settings: Any, *, block: int, **options: Any) -> SimpleNamespace:
        self.asked.append(options | {"block": block})
        values = self.maps[(len(self.asked) - 1) % len(self.maps)]
        parts = [np.add.reduceat(np.ones(length), range(0, length, block)) for length in values.shape]
        sums = np.add.reduceat(
            np.add.reduceat(values, range(0, len(values), block), 0), range(0, values.shape[1], block), 1
        )
        found = (sums / np.outer(*parts)).astype(np.float32)
        return SimpleNamespace(map=found, score=float(found.max()))


def picture(shape: tuple[int, ...] = (SIDE, SIDE)) -> np.ndarray:
    return np.random.default_rng(shape[0]).integers(0, 255, shape, dtype=np.uint8)


def judged(*told: tuple[Verdict | None, RegionMask], complete: bool = True, key: str = "a", **more: Any) -> ImageReview:
    judgements = {number: judgement(number, mask, verdict) for number, (verdict, mask) in enumerate(told, start=1)}
    return image(key, f"{key}.png", **{"shape": (SIDE, SIDE)} | more, judgements=judgements, complete=complete)


def put(images: list[ImageReview], maps: list[np.ndarray], threshold: float = THRESHOLD) -> list[Scores]:
    asked = [Question(picture(one.map_shape), one) for one in images]
    return Exam().examine(Prescribed(*maps), PROMPTS, AnoCLIPSettings(), asked, threshold, REGIONS)


def flat(*hot: RegionMask, shape: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    values = np.full(shape, 0.2, np.float32)
    for mask in hot:
        mask.draw(values, 0.8)
    return values


def at_random(seed: int, images: int, levels: int | None, partly: bool) -> tuple[list[ImageReview], list[np.ndarray]]:
    """Judgements that overlap, and maps that know a little about them."""
    draw = np.random.default_rng(seed)
    known, maps = [], []
    for number in range(images):
        values = draw.random((SIDE, SIDE)) ** 2 * 0.8
        told = []
        for verdict in draw.choice([DEFECT, DEFECT, FALSE, FALSE, UNSURE, None], 7):
            size = int(draw.integers(4, 14))
            mask = square(*draw.integers(0, SIDE - size, 2).tolist(), size)
            mask.draw(values, mask.of_map(values) + (0.2 if verdict is DEFECT else 0.1))
            told.append((verdict, mask))
        known.append(judged(*told, complete=not partly or number % 2 == 0, key=str(number)))
        maps.append(((values * levels).round() / levels if levels else values).astype(np.float32))
    return known, maps


def truths(known: ImageReview) -> np.ndarray:
    """1 where a pixel counts as a defect, 0 where as normal, -1 where it does not count."""
    told = np.full((SIDE, SIDE), 0 if known.complete else -1)
    for verdict, value in ((FALSE, 0), (UNSURE, -1), (DEFECT, 1)):
        for one in known.with_verdict(verdict):
            one.mask.draw(told, value)
    return told


def plain_aupro(known: list[ImageReview], maps: list[np.ndarray], limit: float = 0.3) -> float:
    good = np.concatenate([values[truths(one) == 0] for one, values in zip(known, maps, strict=True)])
    defects = [
        region.mask.of_map(values)
        for one, values in zip(known, maps, strict=True)
        for region in one.with_verdict(DEFECT)
    ]
    x, y = [0.0], [0.0]
    for threshold in sorted(set(np.concatenate([good, *defects]).tolist()), reverse=True):
        rate, overlap = np.mean(good >= threshold), np.mean([np.mean(one >= threshold) for one in defects])
        if rate > limit:
            overlap = y[-1] + (overlap - y[-1]) * (limit - x[-1]) / (rate - x[-1])
        x.append(min(rate, limit))
        y.append(overlap)
        if rate >= limit:
            break
    return float(np.trapezoid(y, x)) / limit


def plain_regions(known: list[ImageReview], maps: list[np.ndarray]) -> tuple[list[bool], list[int]]:
    """Whether each defect is met; false regions of each image where they can be told."""
    met, false = [], []
    for one, values in zip(known, maps, strict=True):
        numbers = label(values > THRESHOLD, connectivity=2)
        for number in range(1, numbers.max() + 1):
            if np.count_nonzero(numbers == number) < REGIONS.min_area:
                numbers[numbers == number] = 0
        met += [bool(region.mask.of_map(numbers).any()) for region in one.with_verdict(DEFECT)]
        touched = {
            verdict: {n for region in one.with_verdict(verdict) for n in region.mask.of_map(numbers).tolist()} - {0}
            for verdict in Verdict
        }
        found = set(np.unique(numbers).tolist()) - {0} if one.complete else touched[FALSE]
        if one.complete or one.with_verdict(FALSE):
            false.append(len(found - touched[DEFECT] - touched[UNSURE]))
    return met, false


# With 60 different scores each has a bin of its own, and nothing is lost; with as many as pixels, next to nothing.
@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize(("levels", "within"), [(60, 1e-6), (None, 1e-4)])
def test_all_figures_are_those_of_plain_code(levels: int | None, within: float, partly: bool) -> None:
    known, maps = at_random(0, 8, levels, partly)
    told = np.concatenate([truths(one).ravel() for one in known])
    values = np.concatenate([one.ravel() for one in maps])
    truth, values = told[told >= 0] == 1, values[told >= 0]
    precision, recall, _ = precision_recall_curve(truth, values)
    ours = figures(put(known, maps), THRESHOLD)
    assert ours.pixel_auroc.value == pytest.approx(roc_auc_score(truth, values), abs=min(within, 1e-5))
    assert ours.pixel_ap.value == pytest.approx(average_precision_score(truth, values), abs=within)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert ours.f1_max.value == pytest.approx(best, abs=within)
    assert ours.f1.value == pytest.approx(f1_score(truth, values > THRESHOLD), abs=1e-9)
    assert ours.aupro.value == pytest.approx(plain_aupro(known, maps), abs=within)
    met, false = plain_regions(known, maps)
    assert (ours.recall.value, ours.recall.count) == (pytest.approx(np.mean(met)), len(met))
    assert (ours.false_regions.value, ours.false_regions.count) == (pytest.approx(np.mean(false)), len(false))


@pytest.mark.parametrize("seed", range(6))
def test_the_interval_holds_the_value(seed: int) -> None:
    known, maps = at_random(seed, 8, None, partly=True)
    told = figures(put(known, maps), THRESHOLD)
    for name in ("pixel_auroc", "pixel_ap", "f1_max", "f1", "aupro", "recall", "false_regions"):
        figure = getattr(told, name)
        assert figure.low <= figure.value <= figure.high, name


def test_what_was_not_judged_of_an_image_judged_in_part_counts_nowhere() -> None:
    known, maps = at_random(3, 6, None, partly=True)
    draw = np.random.default_rng(0)
    other = [values.copy() for values in maps]
    for one, values in zip(known, other, strict=True):
        values[truths(one) < 0] = draw.random(np.count_nonzero(truths(one) < 0))
    some, others = (figures(put(known, these), THRESHOLD) for these in (maps, other))
    for name in ("pixel_auroc", "pixel_ap", "f1_max", "aupro"):
        assert getattr(some, name).value == pytest.approx(getattr(others, name).value, abs=1e-4)
    assert some.f1.value == others.f1.value


class TestPixels:
    def test_where_judgements_overlap_a_defect_wins_over_unsure_and_that_over_false(self) -> None:
        known = judged((FALSE, square(0, 0, 12)), (UNSURE, square(0, 0, 8)), (DEFECT, square(0, 0, 4)), complete=False)
        (scores,) = put([known], [flat()])
        assert (scores.defect.sum(), scores.normal.sum()) == (16, 144 - 64)

    def test_a_judgement_without_a_verdict_is_none(self) -> None:
        plain, noted = judged((DEFECT, square(0, 0))), judged((DEFECT, square(0, 0)), (None, square(20, 20)))
        first, second = (put([known], [flat(square(20, 20))])[0] for known in (plain, noted))
        assert (first.defect.sum(), first.normal.sum()) == (second.defect.sum(), second.normal.sum())
        assert first.false_regions == second.false_regions == 1

    def test_hits_and_false_alarms_are_pixels_above_the_threshold(self) -> None:
        hot = square(4, 4, 10)
        (scores,) = put([judged((DEFECT, square(4, 4, 5)), (UNSURE, square(9, 4, 5)))], [flat(hot)])
        assert (scores.hits, scores.false_alarms) == (25, 100 - 25 - 25)


class TestRegions:
    def test_a_found_region_that_reaches_a_defect_or_something_unsure_is_no_false_one(self) -> None:
        hot = flat(square(0, 0, 10), square(20, 20, 10), square(40, 40, 10))
        told = (DEFECT, square(8, 8, 4)), (UNSURE, square(28, 28, 4))
        assert put([judged(*told)], [hot])[0].false_regions == 1
        same = [(FALSE, square(row, row, 3)) for row in (0, 20, 40)]
        for complete in (True, False):
            assert put([judged(*told, *same, complete=complete)], [hot])[0].false_regions == 1

    def test_only_found_regions_on_false_judgements_are_counted_in_an_image_judged_in_part(self) -> None:
        hot = flat(square(0, 0), square(20, 20), square(40, 40))
        known = judged((FALSE, square(0, 0)), (FALSE, square(20, 30)), complete=False)
        assert put([known], [hot])[0].false_regions == 1
        assert put([judged((DEFECT, square(0, 0)), complete=False)], [hot])[0].false_regions is None

    def test_a_defect_is_met_by_whatever_touches_it(self) -> None:
        known = judged((DEFECT, square(0, 0)), (DEFECT, square(20, 20)), (DEFECT, square(40, 40)))
        (scores,) = put([known], [flat(square(5, 5, 20))])
        assert (scores.regions, scores.met) == (3, 2)

    def test_regions_that_are_too_small_are_not_found(self) -> None:
        (scores,) = put([judged((DEFECT, square(0, 0)))], [flat(square(1, 1, 1), square(30, 30, 1))])
        assert (scores.met, scores.false_regions) == (0, 0)


class TestImages:
    @pytest.mark.parametrize(
        ("told", "complete", "defective"),
        [
            ([DEFECT], True, True),
            ([DEFECT, UNSURE], False, True),
            ([], True, False),
            ([FALSE, FALSE], True, False),
            ([UNSURE], True, None),
            ([FALSE], False, None),
        ],
    )
    def test_an_image_is_defective_or_good_or_it_is_not_known(
        self, told: list[Verdict], complete: bool, defective: bool | None
    ) -> None:
        regions = [(verdict, square(10 * place, 0)) for place, verdict in enumerate(told)]
        assert put([judged(*regions, complete=complete)], [flat()])[0].defective is defective

    def test_too_few_of_a_kind_give_no_number(self) -> None:
        known = [judged((DEFECT, square(0, 0)), key=str(n)) for n in range(2)] + [judged(key="good")]
        told = figures(put(known, [flat(square(0, 0))] * 3), THRESHOLD)
        for name in ("pixel_auroc", "pixel_ap", "f1_max", "f1", "aupro", "recall"):
            assert getattr(told, name).value is None
            assert getattr(told, name).words == "too few: 2 defect regions, at least 3 are needed"
        assert told.image_auroc.words.startswith("too few: 2 defective images and 1 good image")
        assert told.false_regions.value == pytest.approx(1 / 3)

    def test_planes_of_a_stack_are_drawn_together(self) -> None:
        known, maps = at_random(5, 9, None, partly=False)
        apart = figures(put(known, maps), THRESHOLD)
        stack = [one.model_copy(update={"key": f"stack {n // 3}"}) for n, one in enumerate(known)]
        together = figures(put(stack, maps), THRESHOLD)
        assert together.aupro.value == apart.aupro.value
        assert together.aupro.high - together.aupro.low != apart.aupro.high - apart.aupro.low
        single = [one.model_copy(update={"key": "one"}) for one in known]
        assert figures(put(single, maps), THRESHOLD).aupro.low is None


class TestStacks:
    volume = RegionMask.of(np.ones((2, 5, 5), bool), (1, 10, 20))

    def stack(self, complete: bool = False) -> ImageReview:
        deep = judgement(1, self.volume, DEFECT)
        on_plane = judgement(2, square(30, 30), FALSE, plane=(3,))
        return image("s", "s.tif", (5, SIDE, SIDE), judgements={1: deep, 2: on_plane}, complete=complete)

    def test_planes_with_a_verdict_are_asked_and_all_where_all_was_looked_at(self) -> None:
        planes = np.zeros((5, SIDE, SIDE), np.uint8)
        assert [one.plane for one in questions(self.stack(), planes)] == [(1,), (2,), (3,)]
        assert [one.plane for one in questions(self.stack(complete=True), planes)] == [(n,) for n in range(5)]

    def test_a_region_of_a_volume_counts_on_each_plane_that_it_covers(self) -> None:
        planes = np.zeros((5, SIDE, SIDE), np.uint8)
        asked = questions(self.stack(), planes)
        hot = flat(RegionMask.of(np.ones((5, 5), bool), (10, 20)))
        scores = Exam().examine(Prescribed(hot), PROMPTS, AnoCLIPSettings(), asked, THRESHOLD, REGIONS)
        assert [(one.regions, one.met, one.hits) for one in scores] == [(1, 1, 25), (1, 1, 25), (0, 0, 0)]
        assert [one.false_judgements for one in scores] == [0, 0, 1]

    def test_only_the_window_that_was_reviewed_is_read_and_only_when_it_is_needed(self) -> None:
        class Lazy:
            shape, dtype = (4, 300, 400, 3), np.dtype(np.uint8)

            def __init__(self) -> None:
                self.read: list[tuple[Any, ...]] = []

            def __getitem__(self, key: Any) -> np.ndarray:
                self.read.append(key)
                return np.random.default_rng(0).integers(0, 255, self.shape, dtype=np.uint8)[key]

        lazy = Lazy()
        known = image(
            "w", "w.tif", (4, 100, 60), origin=(50.0, 7.0), step=(2.0, 2.0),
            judgements={1: judgement(1, square(3, 3), DEFECT, plane=(2,))},
        )  # fmt: skip
        (one,) = questions(known, lazy)
        assert one.source.shape == (200, 120, 3)
        assert lazy.read == []
        whole = np.random.default_rng(0).integers(0, 255, Lazy.shape, dtype=np.uint8)
        np.testing.assert_array_equal(one.source[0:9:2, 3:8], whole[2, 50:59:2, 10:15])
        assert lazy.read[0][0] == 2


class TestLargeImages:
    @pytest.mark.parametrize("shape", [(600, 500), (257, 300), (1000, 70)])
    def test_each_value_stands_for_the_pixels_of_its_square(self, shape: tuple[int, int]) -> None:
        draw = np.random.default_rng(0)
        values = draw.random(shape).astype(np.float32) * 0.4
        defect = RegionMask.of(np.ones((37, 23), bool), (shape[0] // 3, shape[1] // 3))
        known = judged((DEFECT, defect), shape=shape)
        model = Prescribed(values)
        asked = [Question(picture(shape), known)]
        (scores,) = Exam().examine(model, PROMPTS, AnoCLIPSettings(), asked, 0.2, REGIONS)
        block = model.asked[0]["block"]
        assert block == -(-max(shape) // 256)
        coarse = model.detect(None, None, None, block=block).map
        full = np.kron(coarse, np.ones((block, block), np.float32))[: shape[0], : shape[1]]
        mask = np.zeros(shape, bool)
        defect.draw(mask, True)
        assert (scores.defect.sum(), scores.normal.sum()) == (37 * 23, full.size - 37 * 23)
        assert scores.hits == np.count_nonzero(full[mask] > 0.2)
        assert scores.false_alarms == np.count_nonzero(full[~mask] > 0.2)

    def test_the_least_area_shrinks_with_the_map(self) -> None:
        shape = (512, 512)
        hot = flat(square(100, 100, 8), square(300, 300, 20), shape=shape)
        asked = [Question(picture(shape), judged(shape=shape))]
        for area, count in ((60, 2), (100, 1), (500, 0)):
            regions = RegionSettings(min_area=area)
            (scores,) = Exam().examine(Prescribed(hot), PROMPTS, AnoCLIPSettings(), asked, THRESHOLD, regions)
            assert scores.false_regions == count

    def test_a_map_of_blocks_is_judged_on_the_image_that_it_stands_for(self) -> None:
        known = judged((DEFECT, square(10, 10, 30)), shape=(300, 200), step=(2.0, 2.0))
        model = Prescribed(np.zeros((600, 400), np.float32))
        asked = [Question(picture((600, 400)), known)]
        (scores,) = Exam().examine(model, PROMPTS, AnoCLIPSettings(), asked, THRESHOLD, REGIONS)
        assert model.asked[0]["block"] == 4
        assert (scores.defect.sum(), scores.normal.sum()) == (900, 300 * 200 - 900)


def test_an_image_of_another_size_is_refused_with_a_sentence() -> None:
    asked = [Question(picture((SIDE, SIDE + 1)), judged())]
    with pytest.raises(ImageError, match=r"a\.png has 64 × 65 pixels now, and its regions were judged on another size"):
        Exam().examine(Prescribed(flat()), PROMPTS, AnoCLIPSettings(), asked, THRESHOLD, REGIONS)


def test_references_and_cancellation_reach_the_model_and_progress_is_told() -> None:
    model, memory, flag, told = Prescribed(flat()), object(), threading.Event(), []
    asked = [Question(picture(), judged(key=key)) for key in "ab"]
    Exam().examine(
        model,
        PROMPTS,
        AnoCLIPSettings(),
        asked,
        THRESHOLD,
        REGIONS,
        memory=memory,
        on_progress=told.append,
        cancel=flag,
    )
    assert [one["memory"] for one in model.asked] == [memory, memory]
    assert [(one.done, one.total) for one in told] == [(0, 2), (1, 2), (2, 2)]
    flag.set()
    with pytest.raises(Cancelled):
        Exam().examine(model, PROMPTS, AnoCLIPSettings(), asked, THRESHOLD, REGIONS, cancel=flag)


@pytest.fixture(scope="module")
def ano(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path_factory.mktemp("tiny"))


def test_an_image_is_read_once_however_often_it_is_asked_about(ano: AnoCLIP) -> None:
    class Counted:
        shape, dtype, reads = (SIDE, SIDE), np.dtype(np.uint8), 0

        def __getitem__(self, key: Any) -> np.ndarray:
            type(self).reads += 1
            return picture()[key]

    exam = Exam()
    known = judged((DEFECT, square(5, 5, 20)))
    for prompts in (PROMPTS, PROMPTS.with_object("bolt"), PROMPTS.with_object("screw")):
        if prompts.object == "bolt":
            first = Counted.reads
        exam.examine(ano, prompts, AnoCLIPSettings(), questions(known, Counted()), 0.5, REGIONS)
    assert Counted.reads == first > 0


def test_a_verdict_that_changed_counts_at_once(ano: AnoCLIP) -> None:
    exam = Exam()
    for verdict, expected in ((DEFECT, 400), (FALSE, 0)):
        asked = [Question(picture(), judged((verdict, square(5, 5, 20))))]
        (scores,) = exam.examine(ano, PROMPTS, AnoCLIPSettings(), asked, 0.5, REGIONS)
        assert scores.defect.sum() == expected


def test_figures_are_those_of_the_maps_of_the_model(ano: AnoCLIP) -> None:
    draw = np.random.default_rng(1)
    asked, told, values = [], [], []
    for number in range(4):
        pixels = draw.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        known = judged((DEFECT, square(8 * number, 20, 15)), key=str(number))
        asked.append(Question(pixels, known))
        told.append(truths(known).ravel())
        values.append(ano.detect(pixels, PROMPTS).map.ravel())
    found: Figures = figures(Exam().examine(ano, PROMPTS, AnoCLIPSettings(), asked, 0.5, REGIONS), 0.5)
    expected = roc_auc_score(np.concatenate(told), np.concatenate(values))
    assert found.pixel_auroc.value == pytest.approx(expected, abs=1e-5)


def test_judgements_of_the_plane_keep_their_numbers() -> None:
    known = judged((FALSE, square(0, 0)), (None, square(9, 9)), (DEFECT, square(30, 30)))
    told: tuple[Judgement, ...] = Question(None, known).judgements
    assert [one.id for one in told] == [1, 3]
