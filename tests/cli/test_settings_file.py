"""Settings in a file: some or all of them, and each slip named."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_anoclip.cli.settings_file import SettingsFileError, over
from napari_anoclip.engine.settings import AnoCLIPSettings


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_what_is_not_in_the_file_stays(tmp_path) -> None:
    paper = AnoCLIPSettings.paper()
    settings = over(paper, written(tmp_path, "vv_blocks: 6\nscoring:\n  temperature: null\n"))
    assert settings.vv_blocks == 6
    assert settings.scoring == paper.scoring.model_copy(update={"temperature": None})
    assert settings.adaptation == paper.adaptation


def test_an_empty_file_changes_nothing(tmp_path) -> None:
    assert over(AnoCLIPSettings(), written(tmp_path, "# nothing yet\n")) == AnoCLIPSettings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vv_block: 6", "mine.yaml: there is no setting 'vv_block'. Did you mean 'vv_blocks'?"),
        (
            "scoring: {temperatures: 1}",
            "mine.yaml, scoring: there is no setting 'temperatures'. Did you mean 'temperature'?",
        ),
        ("7: 6", "there is no setting 7"),
        ("scoring: 1", "'scoring' holds several settings"),
        ("scoring: {temperature: -1}", "scoring.temperature: Input should be greater than 0"),
        ("vv_blocks: many", "vv_blocks"),
        ("- 1", "names with values"),
        ("a: [", "mine.yaml, line 1: this is not YAML"),
        ("\n\na: b: c", "mine.yaml, line 3: this is not YAML"),
        ("x: " + "y" * 200_000, "too large"),
    ],
)
def test_a_slip_is_named(tmp_path, text: str, said: str) -> None:
    with pytest.raises(SettingsFileError) as caught:
        over(AnoCLIPSettings(), written(tmp_path, text))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path) -> None:
    with pytest.raises(SettingsFileError, match="cannot be read"):
        over(AnoCLIPSettings(), tmp_path / "none.yaml")
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsFileError, match="UTF-8"):
        over(AnoCLIPSettings(), tmp_path / "mine.yaml")
