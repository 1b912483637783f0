"""`anoclip evaluate` and `anoclip demo-data`: generated data in, tables out."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
import typer
from cli.calling import ask, call, refused

from napari_anoclip.batch.datasets import DATASETS
from napari_anoclip.batch.protocol import PRESETS
from napari_anoclip.cli.commands.evaluate import variants_of
from napari_anoclip.cli.meter import Meter
from napari_anoclip.cli.options import Chosen
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, MutualSettings, ScoringSettings

SMALL = "--images 2 --side 64 --materials demo_cloth"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A generated data set of one material."""
    folder = tmp_path_factory.mktemp("data") / "cloth"
    assert call(f"demo-data {SMALL}", folder).exit_code == 0
    return folder


def test_a_data_set_is_drawn_and_said_to_be_no_benchmark(tmp_path) -> None:
    result = call(f"demo-data {SMALL} --layout visa", tmp_path / "parts")
    assert result.exit_code == 0
    assert "nothing of real things" in result.stdout
    assert "anoclip evaluate visa" in result.stdout
    assert (tmp_path / "parts" / "split_csv" / "1cls.csv").is_file()


def test_nothing_is_drawn_over(tmp_path) -> None:
    (tmp_path / "mine.txt").touch()
    assert "holds something already" in refused(f"demo-data {SMALL}", tmp_path)


def test_an_unknown_material_and_a_size_out_of_bounds_are_wrong_usage(tmp_path) -> None:
    assert "There is no material gold" in refused("demo-data --materials gold", tmp_path / "parts")
    assert "'--side'" in refused("demo-data --side 9", tmp_path / "parts")


def test_a_table_is_printed_and_files_are_written(loaded, data, tmp_path) -> None:
    result = call("evaluate mvtec --prompts short", data, "--out", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert "demo_cloth" in result.stdout
    assert "MVTec AD" in result.stdout
    assert {"figures.csv", "figures.json", "figures.md", "figures.png"} <= {
        path.name for path in (tmp_path / "figures").iterdir()
    }


def test_several_settings_are_compared_and_the_answer_is_json_alone(loaded, data, tmp_path) -> None:
    (tmp_path / "hot.yaml").write_text("scoring: {temperature: 0.01}")
    answer = ask("evaluate mvtec --prompts short --compare", tmp_path / "hot.yaml", data)
    assert [variant["name"] for variant in answer["variants"]] == ["default", "hot"]
    assert set(answer["means"]) == {"default", "hot"}
    assert answer["files"] == []


def test_a_picture_that_is_left_out_makes_the_exit_code_1(loaded, data, tmp_path) -> None:
    shutil.copytree(data, tmp_path / "data")
    next((tmp_path / "data" / "demo_cloth" / "test" / "good").iterdir()).write_bytes(b"no picture")
    result = call("evaluate mvtec --prompts short", tmp_path / "data")
    assert result.exit_code == 1, result.output
    assert "left out" in result.stdout


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(loaded, data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Meter, "__call__", lambda *_: signal.raise_signal(signal.SIGINT))
    result = call("evaluate mvtec --prompts short", data, "--out", tmp_path / "figures")
    assert result.exit_code == 130, result.output
    assert f"To go on: anoclip evaluate mvtec --prompts short {data} --out {tmp_path / 'figures'}" in result.stderr


def test_the_data_sets_are_listed_with_where_to_get_them() -> None:
    result = call("evaluate --list")
    assert result.exit_code == 0
    for data_set in DATASETS.values():
        assert data_set.title in result.stdout
        assert data_set.page in result.stdout
    assert [one["key"] for one in ask("evaluate --list")] == list(DATASETS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evaluate", "give a data set and its folder"),
        ("evaluate mvtec", "give a data set and its folder"),
        ("evaluate mvtek parts", "there is no data set 'mvtek'. Did you mean 'mvtec'?"),
        ("evaluate mvtec parts --good ok", "--good is for a folder of your own"),
        ("evaluate mvtec nowhere", "There is no folder nowhere"),
        ("evaluate mvtec parts --limit 0", "'--limit'"),
        ("evaluate mvtec parts --compare default", "two settings called 'default'"),
        ("evaluate mvtec parts --compare none.yaml", "none.yaml cannot be read"),
        ("evaluate mvtec parts --squares cut --mutual", "cannot judge each other"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(loaded, tmp_path, monkeypatch, line: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(line)


def test_the_preset_of_a_data_set_is_used_as_it_is() -> None:
    variants = variants_of("visa", Chosen({}), "paper", None, None, ["default"])
    assert variants == {"paper": PRESETS["paper"].for_data_set("visa"), "default": PRESETS["default"]}
    assert variants["paper"].squares == "cut"


def test_options_change_the_first_of_those_compared_and_its_name() -> None:
    chosen = Chosen({ScoringSettings: {"smooth": False}})
    variants = variants_of("mvtec", chosen, "default", "short", None, ["default"])
    assert list(variants) == ["default, changed", "default"]
    assert not variants["default, changed"].settings.scoring.smooth
    assert variants["default"].settings == AnoCLIPSettings()
    assert {one.prompts for one in variants.values()} == {"short"}


def test_prompts_of_a_file_are_for_every_category(tmp_path) -> None:
    PromptSet.preset("short", "cup").save(tmp_path / "mine.yaml")
    variants = variants_of("mvtec", Chosen({}), "default", str(tmp_path / "mine.yaml"), None, [])
    assert variants["default"].prompts_for("felt", "texture") == PromptSet.preset("short", "felt")


def test_a_file_that_does_not_go_with_the_preset_is_named(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("mutual: {enabled: true}")
    with pytest.raises(Exception, match=r"mine\.yaml: .*cannot judge each other"):
        variants_of("visa", Chosen({}), "paper", None, tmp_path / "mine.yaml", [])
    with pytest.raises(typer.BadParameter, match="cannot judge each other"):
        variants_of("visa", Chosen({MutualSettings: {"enabled": True}}), "paper", None, None, [])
