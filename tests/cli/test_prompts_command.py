"""`anoclip prompts`: packaged sets and files, looked at without a window."""

from __future__ import annotations

import pytest
from cli.calling import ask, call, refused

from napari_anoclip.engine.prompts import PromptSet, preset_names


def test_presets_are_listed() -> None:
    assert [one["name"] for one in ask("prompts list")] == preset_names()
    result = call("prompts list")
    assert "216 and 408" in result.stdout


def test_the_prompts_are_shown_as_the_model_reads_them() -> None:
    prompts = PromptSet.preset("short", "cup")
    shown = ask("prompts show short --object cup")
    assert (shown["normal"], shown["abnormal"]) == (prompts.normal, prompts.abnormal)
    assert "normal" not in ask("prompts show short --side abnormal")
    lines = call("prompts show short --object cup").stdout.splitlines()
    assert lines[:2] == ["normal (7)", f"  {prompts.normal[0]}"]


def test_long_prompts_and_brackets_are_printed_as_they_are(tmp_path) -> None:
    long = "a photo of the cup [bold] seen " + "from very far " * 20 + "away :smile:"
    PromptSet.compose(object="cup", normal_prompts=[long], abnormal_prompts=["broken"]).save(tmp_path / "mine.yaml")
    assert f"  {long}" in call("prompts show", tmp_path / "mine.yaml").stdout.splitlines()


def test_a_shown_file_can_be_saved_and_used(tmp_path) -> None:
    text = call("prompts show paper-texture --object felt --yaml").stdout
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert PromptSet.load(tmp_path / "mine.yaml") == PromptSet.preset("paper-texture", "felt")


def test_prompts_are_counted() -> None:
    counted = ask("prompts count paper-object")
    assert (counted["normal"], counted["abnormal"], counted["entries"]["domains"]) == (462, 462, 3)
    assert "462" in call("prompts count paper-object").stdout


def test_two_sets_are_compared(tmp_path) -> None:
    before = PromptSet.preset("short", "cup")
    after = before.with_entries("abnormal_states", [*before.abnormal_states[1:], "chipped {}"])
    after.save(tmp_path / "after.yaml")
    change = ask("prompts diff short --object cup", tmp_path / "after.yaml")
    assert change["abnormal_states"] == {"removed": ["damaged {}"], "added": ["chipped {}"]}
    assert change["frames"] == {"removed": [], "added": []}
    assert change["prompts"]["abnormal"]["added"] == ["a photo of the chipped cup"]
    words = call("prompts diff short", tmp_path / "after.yaml").stdout
    assert "- damaged {}" in words
    assert "object: object → cup" in words


def test_sets_that_give_the_same_are_said_to() -> None:
    assert "Both give the same prompts." in call("prompts diff short short").stdout


def test_remarks_make_the_exit_code_1(loaded) -> None:
    remarks = ask("prompts lint short --object zzyzx", code=1)["remarks"]
    assert [remark["kind"] for remark in remarks] == ["unknown_word"]
    fine = call("prompts lint short --object leather")
    assert fine.exit_code == 0, fine.output
    assert "Nothing to remark" in fine.stdout


@pytest.mark.parametrize("name", ["show", "count", "lint"])
def test_an_unknown_preset_is_refused_with_those_that_there_are(name) -> None:
    assert "choose one of paper-object" in refused(f"prompts {name} nix")


def test_a_damaged_file_is_refused_with_its_line(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("format: 1\nobject: cup\nframe: x\n")
    assert "mine.yaml, line 3" in refused("prompts show", tmp_path / "mine.yaml")
