"""A folder of one's own: labels by folders, masks by patterns, or none."""

from __future__ import annotations

import numpy as np
import pytest
from batch.layouts import folder, marked, picture

from napari_anoclip.batch.datasets import DATASETS, DataSetError, FolderSettings, folder_data_set


def labels(samples, root):
    return {sample.image.relative_to(root).as_posix(): sample.defective for sample in samples}


def opened(root, **settings):
    (category,) = folder_data_set(FolderSettings(**settings)).open(root)
    return category


@pytest.mark.parametrize(
    "place",
    ["ground_truth/cut/b_mask.png", "ground_truth/cut/b.bmp", "masks/b.png", "cut/b_mask.png", "MASKS/Cut/B.PNG"],
)
def test_masks_are_found_in_the_usual_places(place, tmp_path):
    picture(tmp_path / "ok/a.png")
    picture(tmp_path / "cut/b.png")
    picture(tmp_path / place, marked())
    samples = opened(tmp_path).samples
    assert labels(samples, tmp_path) == {"ok/a.png": False, "cut/b.png": True}
    assert np.array_equal(samples[1].mask(), marked() > 0)


def test_without_masks_there_are_labels_of_pictures_only(tmp_path):
    picture(tmp_path / "good/a.png")
    picture(tmp_path / "cut/b.png")
    samples = opened(tmp_path).samples
    assert labels(samples, tmp_path) == {"good/a.png": False, "cut/b.png": True}
    assert [sample.mask for sample in samples] == [None, None]


def test_some_masks_without_others_are_a_mistake(tmp_path):
    folder(tmp_path)
    (tmp_path / "masks/defect/b.png").unlink()
    with pytest.raises(DataSetError, match=r"defect/b\.png is defective, but its mask .* is not there"):
        opened(tmp_path)


def test_pictures_in_no_labelled_folder_are_unknown(tmp_path):
    picture(tmp_path / "good/a.png")
    picture(tmp_path / "cut/b.png")
    picture(tmp_path / "todo/c.png")
    picture(tmp_path / "d.png")
    samples = opened(tmp_path, defective=("cut",)).samples
    assert labels(samples, tmp_path) == {"good/a.png": False, "cut/b.png": True, "d.png": None, "todo/c.png": None}
    assert samples[-1].mask is None


def test_patterns_say_where_everything_is(tmp_path):
    picture(tmp_path / "line 1/fine/a.png")
    picture(tmp_path / "line 1/bad [x]/b.png")
    picture(tmp_path / "line 1/bad [x]/old/c.png")
    picture(tmp_path / "labels/bad [x]/b_gt.png", marked())
    category = opened(
        tmp_path,
        good=("line */fine",),
        defective=("bad*",),
        leave_out=("*/old",),
        masks="labels/{kind}/{stem}_gt.png",
        object="metal_cap",
        kind="texture",
    )
    assert (category.name, category.object, category.kind) == (tmp_path.name, "metal cap", "texture")
    assert labels(category.samples, tmp_path) == {"line 1/fine/a.png": False, "line 1/bad [x]/b.png": True}
    assert np.array_equal(category.samples[1].mask(), marked() > 0)


def test_a_pattern_may_leave_a_part_of_the_name_open(tmp_path):
    picture(tmp_path / "cut/b[1].png")
    picture(tmp_path / "truth/2026-b[1].png", marked())
    assert np.array_equal(opened(tmp_path, masks="truth/*-{stem}.png").samples[0].mask(), marked() > 0)


def test_masks_that_a_pattern_was_given_for_have_to_be_there(tmp_path):
    picture(tmp_path / "cut/b.png")
    with pytest.raises(DataSetError) as caught:
        opened(tmp_path, masks="labels/{stem}.png")
    assert f"its mask {tmp_path / 'labels/b.png'} is not there" in str(caught.value)


def test_a_pattern_with_other_braces_is_told(tmp_path):
    picture(tmp_path / "cut/b.png")
    with pytest.raises(DataSetError, match=r"'\{name\}\.png' of masks cannot be used: it may hold \{stem\}, \{kind\}"):
        opened(tmp_path, masks="{name}.png")


def test_the_word_is_the_folders_name_unless_told(tmp_path):
    root = folder(tmp_path / "brake_disc")
    assert opened(root, kind="texture").object == "brake disc"
    assert opened(root, kind="texture").kind == "texture"


def test_a_folder_without_pictures_is_told(tmp_path):
    with pytest.raises(DataSetError, match=r"is not a folder of your own: pictures in folders such as good and defect"):
        DATASETS["folder"].open(tmp_path)
