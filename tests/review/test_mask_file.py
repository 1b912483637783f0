"""Masks come back from their tiff pixel by pixel, and another program sees label images of the map's size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from review.reviewing import SHAPE, judgement, square

from napari_anoclip.review import mask_file
from napari_anoclip.review.region_mask import RegionMask


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a1b2.tif"


def read_back(path, shape, judgements):
    mask_file.write(path, shape, judgements)
    return mask_file.read(path)


def places_in(path):
    with tifffile.TiffFile(path) as file:
        return [json.loads(page.description) for page in file.pages]


def as_they_were(judgements):
    return {one.id: (one.plane, one.mask) for one in judgements}


def test_regions_of_a_flat_image_are_one_page_of_numbers(path):
    judgements = [judgement(1), judgement(7, square(50, 60, 9))]
    assert read_back(path, SHAPE, judgements) == as_they_were(judgements)
    labels = tifffile.imread(path)
    assert labels.shape == SHAPE
    assert set(np.unique(labels)) == {0, 1, 7}
    assert np.count_nonzero(labels == 7) == 81


def test_what_overlaps_goes_to_further_pages(path):
    judgements = [judgement(1, square(5, 5, 10)), judgement(2, square(8, 8, 10)), judgement(3, square(9, 9, 10))]
    assert read_back(path, SHAPE, judgements) == as_they_were(judgements)
    assert [place["layer"] for place in places_in(path)] == [0, 1, 2]


def test_planes_of_a_stack_and_regions_of_a_volume(path):
    solid = np.zeros((9, *SHAPE), bool)
    solid[3:6, 10:20, 10:30] = True
    solid[7, 10, 10] = True
    judgements = [
        judgement(1, square(1, 1), plane=(4, 2)),
        judgement(2, square(1, 1), plane=(0, 11)),
        judgement(3, RegionMask.of(solid)),
        judgement(4, RegionMask.of(solid[:5])),
    ]
    assert read_back(path, (5, 12, *SHAPE), judgements) == as_they_were(judgements)
    places = places_in(path)
    assert {"plane": [4, 2], "layer": 0} in places
    assert {"plane": [], "z": 3, "layer": 1} in places
    assert not any(place.get("z") == 6 for place in places), "where nothing was judged there is no page"


def test_numbers_beyond_sixteen_bits(path):
    judgements = [judgement(70_000, square(3, 3))]
    assert read_back(path, SHAPE, judgements) == as_they_were(judgements)


def test_ten_thousand_regions(path):
    places = [(row, column) for row in range(0, 1000, 10) for column in range(0, 1000, 10)]
    judgements = [judgement(n, square(*place)) for n, place in enumerate(places, 1)]
    assert read_back(path, (1000, 1000), judgements) == as_they_were(judgements)


@settings(deadline=None, max_examples=40)
@given(masks=st.lists(arrays(bool, (7, 9)).filter(np.any), min_size=1, max_size=5))
def test_any_masks_come_back(tmp_path_factory, masks):
    judgements = [judgement(n, RegionMask.of(mask)) for n, mask in enumerate(masks, 1)]
    path = tmp_path_factory.mktemp("masks") / "any.tif"
    assert read_back(path, (7, 9), judgements) == as_they_were(judgements)


@pytest.mark.parametrize("keep", [0, 8, 200])
def test_a_torn_file_is_damaged(path, keep):
    mask_file.write(path, SHAPE, [judgement(1)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="damaged"):
        mask_file.read(path)


def test_a_tiff_of_someone_else_is_damaged(path):
    tifffile.imwrite(path, np.ones((4, 4), np.uint8), metadata=None)
    with pytest.raises(ValueError, match=r"a1b2\.tif is damaged"):
        mask_file.read(path)


def test_a_file_that_is_not_there_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        mask_file.read(path)


def test_what_cannot_be_written_leaves_what_was_there(path, monkeypatch):
    mask_file.write(path, SHAPE, [judgement(1)])

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tifffile.TiffWriter, "write", fail)
        with pytest.raises(OSError, match="No space"):
            mask_file.write(path, SHAPE, [judgement(2)])
    assert list(mask_file.read(path)) == [1]
    assert list(path.parent.iterdir()) == [path]
