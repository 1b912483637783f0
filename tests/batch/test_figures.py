"""Figures counted image by image are those of scikit-learn, and of plain loops over all thresholds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from napari_anoclip.batch import figures as module
from napari_anoclip.batch.figures import IMAGE_FIGURES, PIXEL_FIGURES, TITLES, FigureCounter, mean_figures
from napari_anoclip.batch.score_bins import ScoreBins, order_keys, scores_of
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review import bootstrap


def squash(logits, low=0.0, high=1.0):
    return (low + (high - low) / (1 + np.exp(-logits))).astype(np.float32)


def drawn(images=8, side=32, seed=0, shape=squash):
    """Maps and masks: every other has a large defect and a small one that touches a third across a corner."""
    draw = np.random.default_rng(seed)
    pictures = []
    for number in range(images):
        mask = np.zeros((side, side), bool)
        if number % 2:
            row, column = draw.integers(0, side - 18, 2)
            mask[row : row + 9, column : column + 6] = True
            mask[row + 12 : row + 14, column + 10 : column + 12] = True
            mask[row + 14, column + 12] = True
        pictures.append((shape(draw.normal(-1, 1.5, mask.shape) + draw.normal(2, 1) * mask), mask))
    return pictures


def counted(pictures):
    counter = FigureCounter()
    for number, (heat, mask) in enumerate(pictures):
        counter.add_map(number, heat, mask)
        counter.add_score(number, float(heat.max()), bool(mask.any()))
    return counter


def pooled(pictures):
    return tuple(np.concatenate([part.ravel() for part in parts]) for parts in zip(*pictures, strict=True))


def best_f1(truth, scores):
    precision, recall, _ = precision_recall_curve(truth, scores)
    return np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))


def regions_of(pictures):
    """Scores of each 8-connected region."""
    for heat, mask in pictures:
        numbers, count = ndimage.label(mask, np.ones((3, 3)))
        yield from (heat[numbers == number] for number in range(1, count + 1))


def reaching(values, thresholds):
    """Share of the values that reach each threshold."""
    return 1 - np.searchsorted(np.sort(values), thresholds) / len(values)


def plain_aupro(pictures, limit):
    """Threshold after threshold, the last step cut where the rate reaches the limit."""
    thresholds = np.append(np.unique(pooled(pictures)[0]), np.inf)[::-1]
    rates = reaching(np.concatenate([heat[~mask] for heat, mask in pictures]), thresholds)
    overlaps = np.mean([reaching(region, thresholds) for region in regions_of(pictures)], axis=0)
    area = 0.0
    for (x0, x1), (y0, y1) in zip(pairwise(rates), pairwise(overlaps), strict=True):
        if x0 < limit and x1 > x0:
            share = min(1, (limit - x0) / (x1 - x0))
            area += share * (x1 - x0) * (y0 + share * (y1 - y0) / 2)
    return area / limit


def plain_rescaled_pro(pictures):
    """200 thresholds between the lowest and the highest score, as the research code has them."""
    scores = pooled(pictures)[0].astype(np.float64)
    points = []
    for number in range(200):
        threshold = scores.min() + number * (scores.max() - scores.min()) / 200
        overlap = np.mean([np.mean(region > threshold) for region in regions_of(pictures)])
        points.append((np.mean(np.concatenate([heat[~mask] for heat, mask in pictures]) > threshold), overlap))
    rates, overlaps = np.array([point for point in points[::-1] if point[0] < 0.3]).T
    return np.trapezoid(overlaps, (rates - rates.min()) / (rates.max() - rates.min()))


@pytest.fixture(autouse=True)
def few_resamples(request, monkeypatch):
    """Values are those of all images: only intervals need more."""
    if request.cls is not TestInterval:
        monkeypatch.setattr(bootstrap, "RESAMPLES", 4)


SHAPES = {
    "plain": squash,
    "as real CLIP's at a temperature of 1": lambda logits: squash(logits, 0.471, 0.490),
    "as wide as float32 goes": lambda logits: squash(10 * logits),
    "a few values": lambda logits: squash(logits).round(2),
    "narrower than 0.0001": lambda logits: squash(logits, 0.48, 0.48005),
    "negative and above 1": lambda logits: (logits * 3).astype(np.float32),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
class TestOnFewPixels:
    def test_figures_of_pixels_are_those_of_scikit_learn(self, shape):
        pictures = drawn(shape=shape)
        scores, truth = pooled(pictures)
        told = counted(pictures).figures()
        assert told.pixel_auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
        assert told.pixel_ap.value == pytest.approx(average_precision_score(truth, scores), abs=1e-6)
        assert told.pixel_f1_max.value == pytest.approx(best_f1(truth, scores), abs=1e-6)

    def test_overlap_is_that_of_a_plain_loop(self, shape):
        pictures = drawn(images=4, shape=shape)
        told = counted(pictures).figures()
        assert told.aupro_30.value == pytest.approx(plain_aupro(pictures, 0.3), abs=1e-6)
        assert told.aupro_05.value == pytest.approx(plain_aupro(pictures, 0.05), abs=1e-6)
        assert told.pro_rescaled.value == pytest.approx(plain_rescaled_pro(pictures), abs=1e-6)

    def test_figures_of_images_are_those_of_scikit_learn(self, shape):
        pictures = drawn(images=21, side=20, shape=shape)
        scores, truth = np.array([(heat.max(), mask.any()) for heat, mask in pictures]).T
        told = counted(pictures).figures()
        assert told.image_auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
        assert told.image_ap.value == pytest.approx(average_precision_score(truth, scores), abs=1e-6)
        assert told.image_f1_max.value == pytest.approx(best_f1(truth, scores), abs=1e-6)


# An eighth of the bins that are used, and more different scores than they can hold.
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_where_scores_share_bins_a_ten_thousandth_is_lost_at_most(shape, monkeypatch):
    monkeypatch.setattr(module, "FINE", module.FINE // 8)
    pictures = drawn(images=8, side=140, shape=shape)
    scores, truth = pooled(pictures)
    told = counted(pictures).figures()
    assert told.pixel_auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-4)
    assert told.pixel_ap.value == pytest.approx(average_precision_score(truth, scores), abs=1e-4)
    assert told.pixel_f1_max.value == pytest.approx(best_f1(truth, scores), abs=1e-4)
    assert told.aupro_30.value == pytest.approx(plain_aupro(pictures, 0.3), abs=1e-4)
    assert told.pro_rescaled.value == pytest.approx(plain_rescaled_pro(pictures), abs=1e-4)


class TestNastyData:
    def test_a_constant_map_ranks_nothing(self):
        told = counted([(np.full_like(heat, 0.48), mask) for heat, mask in drawn()]).figures()
        assert told.pixel_auroc.value == told.image_auroc.value == 0.5
        assert told.pixel_ap.value == pytest.approx(np.mean(pooled(drawn())[1]))
        assert told.aupro_30.value == pytest.approx(0.15), "a straight line up to a rate of 0.3"
        assert told.pro_rescaled.value is None
        assert told.pro_rescaled.words.startswith("no two of its 200 thresholds")

    def test_one_defect_pixel_is_enough_for_a_figure_but_not_for_an_interval(self):
        pictures = [(heat, np.zeros_like(mask)) for heat, mask in drawn()]
        pictures[2][1][3, 4] = True
        scores, truth = pooled(pictures)
        told = counted(pictures).figures().pixel_auroc
        assert told.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
        assert (told.low, told.high) == (None, None)
        assert told.words == "1 defect region in 1 image, normal pixels of 8 images; too few images for an interval"

    def test_a_category_without_defects_says_so(self):
        told = counted([(heat, np.zeros_like(mask)) for heat, mask in drawn()]).figures()
        assert {told[name].value for name in TITLES} == {None}
        assert told.pixel_ap.words == "no mask marks a defect pixel"
        assert told.image_ap.words == "no defective image"
        assert (told.images, told.defective) == (8, 0)

    def test_nothing_at_all_says_so(self):
        told = FigureCounter().figures()
        assert told.aupro_05.words == "no image has a mask"
        assert told.image_auroc.words == "no defective image and no good image"

    def test_masks_that_mark_everything_say_so(self):
        told = counted([(heat, np.ones_like(mask)) for heat, mask in drawn()]).figures()
        assert told.pixel_auroc.words == "masks mark all pixels as defects"
        assert told.image_auroc.words == "no good image"

    def test_labels_without_masks_give_figures_of_images_alone(self):
        counter = FigureCounter()
        for number in range(10):
            counter.add_score(number, number / 10, None if number == 9 else number % 3 == 2)
        told = counter.figures()
        assert all(told[name].value is None for name in PIXEL_FIGURES)
        assert all(told[name].value is not None for name in IMAGE_FIGURES)
        assert told.image_auroc.words == "3 defective images, 6 good images"
        assert told.images == 10

    def test_image_scores_are_told_apart_where_float32_would_not(self):
        counter = FigureCounter()
        for number in range(6):
            counter.add_score(number, 1 - 1e-12 * (6 - number), number > 2)
        assert counter.figures().image_auroc.value == 1

    def test_a_mask_of_another_size_is_refused(self):
        with pytest.raises(ImageError, match="4 × 5 pixels and the map 4 × 4"):
            FigureCounter().add_map(0, np.zeros((4, 4), np.float32), np.zeros((4, 5), bool))


class TestInterval:
    def test_is_that_of_images_drawn_one_by_one(self):
        pictures = drawn(images=12)
        told = counted(pictures).figures()
        draw = np.random.default_rng(7)
        plain = []
        for _ in range(200):
            scores, truth = pooled([pictures[place] for place in draw.integers(0, 12, 12)])
            if truth.any():
                plain.append(roc_auc_score(truth, scores))
        assert (told.pixel_auroc.low, told.pixel_auroc.high) == pytest.approx(
            np.percentile(plain, (2.5, 97.5)), abs=0.03
        )

    def test_of_many_images_is_about_as_wide_as_statistics_say(self):
        draw, images = np.random.default_rng(1), 1000
        counter = FigureCounter()
        for number in range(images):
            counter.add_score(number, float(draw.normal(number % 2)), bool(number % 2))
        told = counter.figures().image_auroc
        # Hanley and McNeil 1982, for as many good as bad.
        area, half = told.value, images / 2
        part1, part2 = area / (2 - area), 2 * area**2 / (1 + area)
        error = np.sqrt((area * (1 - area) + (half - 1) * (part1 + part2 - 2 * area**2)) / half**2)
        assert told.high - told.low == pytest.approx(2 * 1.96 * error, rel=0.3)
        assert told.low < told.value < told.high

    @pytest.mark.parametrize("bad", [2, 10])
    def test_there_is_none_with_fewer_than_three_images_of_either_kind(self, bad):
        counter = FigureCounter()
        for number in range(12):
            counter.add_score(number, (7 * number % 12) / 12, number < bad)
        for name in IMAGE_FIGURES:
            told = counter.figures()[name]
            assert told.value is not None
            assert (told.low, told.high) == (None, None)
            assert told.words.endswith("too few images for an interval")

    def test_resamples_without_a_good_image_do_not_count(self):
        counter = FigureCounter()
        for number in range(30):  # in a twentieth of the resamples there is none of the three
            counter.add_score(number, 1.0 if number % 10 == 0 else number / 40, number % 10 != 0)
        told = counter.figures()
        assert told.image_ap.high < 0.98
        assert told.image_f1_max.high < 1

    def test_does_not_suffer_from_coarse_bins(self, monkeypatch):
        fine = counted(drawn()).figures()
        monkeypatch.setattr(module, "COARSE", 128)
        coarse = counted(drawn()).figures()
        for name in ("pixel_auroc", "aupro_30", "image_auroc"):
            assert coarse[name].value == fine[name].value
            assert (coarse[name].low, coarse[name].high) == pytest.approx((fine[name].low, fine[name].high), abs=0.02)


def test_figures_do_not_depend_on_the_order_of_scores():
    pictures = drawn(images=6)
    forwards, backwards = counted(pictures).figures(), counted(pictures[::-1]).figures()
    assert [forwards[name].value for name in TITLES] == pytest.approx([backwards[name].value for name in TITLES])


class TestMean:
    def test_is_over_the_categories_that_have_the_figure(self):
        some = [counted(drawn(seed=seed)).figures() for seed in range(3)]
        none = counted([(heat, np.zeros_like(mask)) for heat, mask in drawn()]).figures()
        told = mean_figures([*some, none])
        assert told.aupro_30.value == pytest.approx(np.mean([one.aupro_30.value for one in some]))
        assert told.aupro_30.words == "mean of 3 of 4 categories"
        assert told.images == 32

    def test_of_alike_categories_is_surer_than_each(self):
        one = counted(drawn()).figures()
        told = mean_figures([one] * 4).pixel_auroc
        assert told.value - told.low == pytest.approx((one.pixel_auroc.value - one.pixel_auroc.low) / 2)

    def test_of_nothing_is_nothing(self):
        assert mean_figures([FigureCounter().figures()] * 2).image_ap.words == "no category has it"


class TestBins:
    def test_keys_are_in_the_order_of_scores_and_tell_all_of_them_apart(self):
        near_one = 1 - np.arange(0, 200, dtype=np.float32) * np.float32(2**-24)
        tiny = np.float32(1e-30) * np.arange(50, dtype=np.float32)
        narrow = np.float32(0.48) + np.arange(200, dtype=np.float32) * np.float32(2**-25)
        scores = np.unique(np.concatenate([near_one, tiny, narrow, [-2, -0.5, 0.5, 1.5, 3]]).astype(np.float32))
        keys = order_keys(scores)
        assert np.all(np.diff(keys) > 0)
        np.testing.assert_allclose(scores_of(keys), scores, rtol=1e-7)
        assert order_keys([-0.0]) == order_keys([0.0])

    def test_counts_are_exact_until_there_are_too_many_then_in_wider_bins(self):
        bins = ScoreBins(2, most=64)
        bins.add(0, np.arange(64))
        bins.add(1, np.array([5, 5, 9]), np.array([0.5, 0.25, 1.0]))
        assert bins.width == 1
        assert bins.counts[5].tolist() == [1, 0.75]
        bins.add(0, np.arange(64, 200))
        assert bins.width == 4
        assert len(bins.counts) == 50
        assert bins.counts.sum(axis=0).tolist() == [200, 1.75]
        assert bins.counts[1].tolist() == [4, 0.75]
