"""How a data set is looked at: the published protocol and ours."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from napari_anoclip.batch.protocol import PRESETS, Protocol
from napari_anoclip.engine import AnoCLIPSettings, PromptSet
from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.settings import MutualSettings, TilingSettings

PAPER = PRESETS["paper"]
CUT = PAPER.for_data_set("visa")


class TestPaper:
    def test_is_the_published_set_up(self):
        settings = PAPER.for_data_set("mvtec").settings
        assert settings == AnoCLIPSettings.paper()
        assert (settings.tiling.mode, settings.tiling.interpolation) == ("fit", "bilinear")
        assert (settings.scoring.temperature, settings.scoring.views) == (1, 22)
        assert settings.scoring.upsampling == "align_corners"
        assert settings.adaptation.enabled
        assert settings.adaptation.adapter == "prompt"

    @pytest.mark.parametrize(
        ("word", "kind", "picture"),
        [("bottle", "object", "manufacturing image"), ("grid", "texture", "surface picture")],
    )
    def test_has_462_prompts_a_side_by_the_kind_of_the_category(self, word, kind, picture):
        prompts = PAPER.prompts_for(word, kind)
        assert len(prompts.normal) == len(prompts.abnormal) == 462
        assert all(word in prompt for prompt in prompts.normal)
        assert any(picture in prompt for prompt in prompts.normal)

    def test_of_visa_is_the_second_script(self):
        assert (CUT.squares, CUT.settings.adaptation.adapter) == ("cut", "linear")
        assert CUT.settings.scoring == PAPER.settings.scoring


class TestSquares:
    # Sizes as they occur in VisA.
    @pytest.mark.parametrize("size", [(1168, 1284), (1000, 1500), (960, 1562), (1300, 1100)])
    def test_are_two_from_end_to_end_of_the_short_side(self, size):
        first, second = CUT.windows(size)
        seen = np.zeros(size, int)
        for window in (first, second):
            assert seen[window].shape == (min(size),) * 2
            seen[window] += 1
        assert seen[0, 0] == seen[-1, -1] == 1
        assert set(np.unique(seen)) == {1, 2}

    def test_of_a_square_picture_is_one_and_of_a_long_one_as_many_as_cover_it(self):
        assert CUT.windows((50, 50)) == [(slice(0, 50), slice(0, 50))]
        seen = np.zeros((10, 35), bool)
        for window in CUT.windows(seen.shape):
            seen[window] = True
        assert seen.all()

    def test_whole_pictures_are_shown_as_one(self):
        assert PAPER.windows((100, 150)) == [(slice(0, 100), slice(0, 150))]

    def test_the_model_sees_a_square_or_a_short_side_of_its_own(self):
        assert PAPER.frame((1000, 1500), 240) == (240, 240)
        assert CUT.frame((1000, 1500), 240) == (240, 360)
        assert CUT.frame((1300, 1100), 240) == (284, 240)


class TestOwn:
    def test_prompts_of_a_file_take_the_categorys_word(self):
        own = PromptSet.compose(object="thing", normal_states=["fine {}"], abnormal_states=["broken {}"])
        assert Protocol(prompts=own).prompts_for("metal nut", "object").normal == ["fine metal nut"]

    def test_a_preset_takes_the_categorys_word(self):
        prompts = Protocol(prompts="short").prompts_for("metal nut", "object")
        assert prompts == PromptSet.preset("short", "metal nut")

    def test_a_preset_that_there_is_not_is_refused_by_name(self):
        with pytest.raises(PromptError, match="'papr'"):
            Protocol(prompts="papr")

    def test_other_settings_count_for_every_data_set_and_keep_the_rest(self):
        changed = CUT.with_settings(AnoCLIPSettings())
        assert (changed.settings, changed.squares) == (AnoCLIPSettings(), "cut")
        assert PAPER.with_settings(AnoCLIPSettings()).for_data_set("visa").squares == "whole"

    @pytest.mark.parametrize(
        "settings",
        [
            AnoCLIPSettings(mutual=MutualSettings(enabled=True)),
            AnoCLIPSettings(tiling=TilingSettings(mode="tiles")),
        ],
    )
    def test_what_does_not_go_with_cut_pictures_is_refused(self, settings):
        with pytest.raises(ValidationError, match="cut into squares"):
            Protocol(settings=settings, squares="cut")

    def test_survives_a_file(self):
        for protocol in PRESETS.values():
            assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol
