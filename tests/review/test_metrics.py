"""Figures of merit agree with scikit-learn and with plain loops, and say when they cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from napari_anoclip.review import bootstrap
from napari_anoclip.review.metrics import BINS, Binning, Figures, Scores, figures

THRESHOLD = 0.5


def squash(logits, low, high):
    return (low + (high - low) / (1 + np.exp(-logits))).astype(np.float32)


def drawn(seed, images=12, side=48, low=0.0, high=1.0, separation=2.0):
    """Maps with two defect regions each, one small and one large, that are hotter than the rest."""
    draw = np.random.default_rng(seed)
    pictures = []
    for _ in range(images):
        large, small = np.zeros((2, side, side), bool)
        row, column = draw.integers(0, side - 20, 2)
        large[row : row + 12, column : column + 8] = True
        small[row + 15 : row + 18, column : column + 2] = True
        heat = draw.normal(-1, 1, (side, side)) + draw.normal(separation, 1) * large + draw.normal(1, 1) * small
        pictures.append((squash(heat, low, high), [large, small]))
    return pictures


def counted(pictures, threshold=THRESHOLD, names=None):
    """What `exam` would count, pixel by pixel, of images that were looked at as a whole."""
    defects = [np.any(masks, axis=0) for _, masks in pictures]
    binning = Binning(
        min(float(values.min()) for values, _ in pictures),
        max(float(values.max()) for values, _ in pictures),
        (
            (values.ravel(), bad.ravel() * 1.0, ~bad.ravel() * 1.0)
            for (values, _), bad in zip(pictures, defects, strict=True)
        ),
    )
    scores = []
    for place, ((values, masks), bad) in enumerate(zip(pictures, defects, strict=True)):
        bins = binning.bins(values.ravel())
        overlap = sum(mask / mask.sum() for mask in masks)
        by_score = [np.bincount(bins, part.ravel() * 1.0, minlength=BINS) for part in (bad, ~bad, overlap)]
        scores.append(
            Scores(
                names[place] if names else str(place),
                *by_score,
                hits=np.sum(values[bad] > threshold),
                false_alarms=np.sum(values[~bad] > threshold),
                regions=len(masks),
                met=sum(bool(np.any(values[mask] > threshold)) for mask in masks),
                false_judgements=0,
                false_regions=place % 3,
                complete=True,
                score=float(values.max()),
                defective=True,
            )
        )
    return scores


def one(**told):
    """Scores of a complete image in which nothing was found, but for what is told."""
    names = ("hits", "false_alarms", "regions", "met", "false_judgements", "false_regions")
    nothing = dict.fromkeys(names, 0) | dict.fromkeys(("defect", "normal", "overlap"), np.zeros(BINS))
    return Scores(**nothing | {"image": "a", "complete": True, "score": 0.5, "defective": None} | told)


def plain_aupro(pictures, limit=0.3):
    """Every threshold in turn."""
    normal = np.concatenate([values[~np.any(masks, axis=0)] for values, masks in pictures])
    regions = [values[mask] for values, masks in pictures for mask in masks]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(np.concatenate([values.ravel() for values, _ in pictures]))[::-1]:
        rate, overlap = np.mean(normal >= threshold), np.mean([np.mean(region >= threshold) for region in regions])
        if rate > limit:
            share = (limit - rates[-1]) / (rate - rates[-1])
            rate, overlap = limit, overlaps[-1] + share * (overlap - overlaps[-1])
        rates.append(rate)
        overlaps.append(overlap)
        if rate >= limit:
            break
    return np.trapezoid(overlaps, rates) / limit


# All probabilities within 0.02, as real CLIP's are at a temperature of 1, must not cost any accuracy.
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.471, 0.490)])
class TestAgainstOthers:
    def test_pixel_auroc_and_average_precision_are_those_of_scikit_learn(self, low, high):
        pictures = drawn(0, low=low, high=high)
        truth = np.concatenate([np.any(masks, axis=0).ravel() for _, masks in pictures])
        values = np.concatenate([values.ravel() for values, _ in pictures])
        ours = figures(counted(pictures), THRESHOLD)
        assert ours.pixel_auroc.value == pytest.approx(roc_auc_score(truth, values), abs=1e-6)
        assert ours.pixel_ap.value == pytest.approx(average_precision_score(truth, values), abs=1e-5)

    def test_f1_is_that_of_scikit_learn_at_the_threshold_and_at_the_best_one(self, low, high):
        pictures = drawn(1, low=low, high=high)
        threshold = low + 0.6 * (high - low)
        truth = np.concatenate([np.any(masks, axis=0).ravel() for _, masks in pictures])
        values = np.concatenate([values.ravel() for values, _ in pictures])
        precision, recall, _ = precision_recall_curve(truth, values)
        ours = figures(counted(pictures, threshold), threshold)
        assert ours.f1.value == pytest.approx(f1_score(truth, values > threshold))
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
        assert ours.f1_max.value == pytest.approx(best, abs=1e-4)

    def test_aupro_is_that_of_a_plain_loop_over_all_thresholds(self, low, high):
        pictures = drawn(2, images=4, side=32, low=low, high=high)
        assert figures(counted(pictures), THRESHOLD).aupro.value == pytest.approx(plain_aupro(pictures), abs=1e-4)


# The more pixels have a score of their own, the more share a bin: these do not fit into all bins by far.
def test_of_many_pixels_a_ten_thousandth_is_lost_at_most():
    pictures = drawn(6, images=20, side=160)
    truth = np.concatenate([np.any(masks, axis=0).ravel() for _, masks in pictures])
    values = np.concatenate([values.ravel() for values, _ in pictures])
    precision, recall, _ = precision_recall_curve(truth, values)
    told = figures(counted(pictures), THRESHOLD)
    assert told.pixel_auroc.value == pytest.approx(roc_auc_score(truth, values), abs=1e-6)
    assert told.pixel_ap.value == pytest.approx(average_precision_score(truth, values), abs=1e-4)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert told.f1_max.value == pytest.approx(best, abs=1e-4)


def test_bins_reach_from_the_first_to_the_last_in_the_order_of_the_scores():
    values = np.linspace(0.4, 0.6, 100_000, dtype=np.float32)
    defect = (np.arange(values.size) % 2).astype(float)
    bins = Binning(0.4, 0.6, [(values, defect, 1 - defect)]).bins(values)
    assert (bins[0], bins[-1]) == (0, BINS - 1)
    assert (np.diff(bins) >= 0).all()
    assert (np.bincount(bins) > 0).all()


def test_tied_scores_count_half_in_the_auroc_and_make_no_precision():
    flat = [(np.full((20, 20), 0.5, np.float32), masks) for _, masks in drawn(0, images=3, side=20 + 1)]
    flat = [(values, [mask[:20, :20] | np.eye(20, dtype=bool) for mask in masks]) for values, masks in flat]
    told = figures(counted(flat), 0.4)
    share = np.mean([np.any(masks, axis=0) for _, masks in flat])
    assert told.pixel_auroc.value == pytest.approx(0.5)
    assert told.pixel_ap.value == pytest.approx(share)
    assert told.aupro.value == pytest.approx(0.15), "a straight line up to a false-positive rate of 0.3"


def test_a_perfect_map_has_perfect_figures():
    perfect = [(0.2 + 0.6 * np.any(masks, axis=0).astype(np.float32), masks) for _, masks in drawn(0)]
    told = figures(counted(perfect), THRESHOLD)
    for figure in (told.pixel_auroc, told.pixel_ap, told.f1_max, told.f1, told.aupro, told.recall):
        assert (figure.value, figure.low, figure.high) == pytest.approx((1, 1, 1))


def test_image_auroc_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    truth, values = draw.random(40) < 0.4, draw.random(40).round(1)
    images = [one(image=str(n), defective=bool(truth[n]), score=values[n]) for n in range(40)]
    told = figures([*images, one(image="not known", defective=None, score=1.0)], THRESHOLD).image_auroc
    assert told.value == pytest.approx(roc_auc_score(truth, values))
    assert told.count == 40
    assert told.words == f"{truth.sum()} defective images, {40 - truth.sum()} good images"


def test_recall_and_false_regions_are_plain_counts_with_words():
    images = [one(image=str(n), regions=4, met=3, false_regions=n) for n in range(4)]
    partly = one(image="partly", complete=False, false_judgements=2, false_regions=2)
    unknown = one(image="unknown", complete=False, regions=1, met=1, false_regions=None)
    told = figures([*images, partly, unknown], THRESHOLD)
    assert told.recall.value == pytest.approx(13 / 17)
    assert told.recall.total == 13
    assert told.recall.words == "13 of 17 defect regions in 5 images"
    assert told.false_regions.value == pytest.approx((0 + 1 + 2 + 3 + 2) / 5)
    assert told.false_regions.total == 8
    assert told.false_regions.words == "8 in 5 images, 1 judged in part"
    assert (told.images, told.complete) == (6, 4)


class TestInterval:
    def test_is_about_as_wide_as_statistics_say(self):
        share, images = 0.75, 400
        told = figures([one(image=str(n), regions=1, met=n % 4 > 0) for n in range(images)], THRESHOLD).recall
        half = 1.96 * np.sqrt(share * (1 - share) / images)
        assert told.high - told.low == pytest.approx(2 * half, rel=0.2)
        assert told.low < told.value < told.high

    def test_is_that_of_figures_of_images_drawn_one_by_one(self, monkeypatch):
        pictures = drawn(5, images=6)
        told = figures(counted(pictures), THRESHOLD).aupro
        draw = np.random.default_rng(99)
        monkeypatch.setattr(bootstrap, "RESAMPLES", 1)
        plain = []
        for _ in range(80):
            taken = [pictures[place] for place in draw.integers(0, 6, 6)]
            plain.append(figures(counted(taken), THRESHOLD).aupro.value)
        assert (told.low, told.high) == pytest.approx(np.percentile(plain, (2.5, 97.5)), abs=0.03)

    def test_is_the_same_each_time(self):
        assert figures(counted(drawn(3)), THRESHOLD) == figures(counted(drawn(3)), THRESHOLD)

    def test_takes_all_planes_of_a_stack_or_none(self):
        pictures = drawn(4)
        apart = figures(counted(pictures), THRESHOLD)
        together = figures(counted(pictures, names=[str(n // 4) for n in range(12)]), THRESHOLD)
        assert together.aupro.value == pytest.approx(apart.aupro.value)
        assert together.aupro.low != apart.aupro.low

    def test_is_missing_where_the_images_are_too_few(self):
        told = figures(counted(drawn(4, images=4), names=list("aabb")), THRESHOLD).aupro
        assert told.value is not None
        assert (told.low, told.high) == (None, None)
        assert told.words.endswith("too few images for an interval")


class TestTooFew:
    def test_without_any_image_every_figure_says_so(self):
        told = figures([], THRESHOLD)
        for figure in dict(told).values():
            if hasattr(figure, "words"):
                assert figure.value is None
                assert figure.words.startswith("too few: 0 ")
        assert told.images == 0

    def test_two_defect_regions_give_no_pixel_figure_and_no_recall(self):
        told = figures([one(image=str(n), regions=n < 2, met=0, normal=np.ones(BINS)) for n in range(5)], THRESHOLD)
        assert told.pixel_ap.words == told.recall.words == "too few: 2 defect regions, at least 3 are needed"
        assert told.false_regions.value == 0

    def test_two_areas_known_to_be_normal_give_no_pixel_figure(self):
        partly = one(complete=False, regions=9, met=5, false_judgements=2, false_regions=1, normal=np.ones(BINS))
        told = figures([partly], THRESHOLD)
        assert told.aupro.words == "too few: 2 normal areas, at least 3 are needed"
        assert told.recall.value == pytest.approx(5 / 9)

    def test_good_images_alone_give_no_image_auroc(self):
        told = figures([one(image=str(n), defective=False) for n in range(5)], THRESHOLD)
        assert told.image_auroc.value is None
        assert "0 defective images" in told.image_auroc.words

    def test_an_image_of_which_nothing_is_known_is_not_counted(self):
        assert figures([one(complete=False, false_regions=None)], THRESHOLD).images == 0


def test_figures_survive_a_file():
    told = figures(counted(drawn(3)), THRESHOLD)
    assert Figures.model_validate_json(told.model_dump_json()) == told
