"""`anoclip run`: a thin door to the batch, with its exit codes, its answer, and Ctrl-C."""

from __future__ import annotations

import csv
import shlex
import signal
from pathlib import Path

import pytest
import typer
from cli.calling import ask, call, drawn, refused

from napari_anoclip.batch.cluster_connection import ClusterSettings
from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli.call import harmless
from napari_anoclip.cli.commands import run as command
from napari_anoclip.cli.meter import Meter
from napari_anoclip.cli.options import Chosen
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings, ScoringSettings

PROMPTS = "--prompts short --object part"


def scores(out: Path) -> list[str]:
    with (out / "scores.csv").open(encoding="utf-8-sig") as file:
        return [row["key"] for row in csv.DictReader(file)]


def test_a_folder_is_scored_once_and_then_found_finished(loaded, parts, tmp_path) -> None:
    out = tmp_path / "found"
    first = ask(f"run {PROMPTS}", parts, "--out", out)
    assert (first["done"], first["skipped"], first["failed"]) == (6, 0, [])
    assert len(scores(out)) == 6
    assert len(list((out / "maps").rglob("*.tif"))) == 6
    again = call(f"run {PROMPTS}", parts, "--out", out)
    assert again.exit_code == 0
    assert "0 images scored" in again.stdout
    assert "6 were finished already" in again.stdout


def test_a_broken_file_is_named_and_the_exit_code_says_so(loaded, parts, tmp_path) -> None:
    (parts / "part9.png").write_bytes(b"no picture")
    answer = ask(f"run {PROMPTS} --maps none", parts, "--out", tmp_path / "found", code=1)
    assert answer["done"] == 6
    assert [Path(one["path"]).name for one in answer["failed"]] == ["part9.png"]
    result = call(f"run {PROMPTS} --maps none", parts, "--out", tmp_path / "found")
    assert result.exit_code == 1
    assert "part9.png" in result.stderr
    assert "1 failed" in result.stdout


def test_ctrl_c_leaves_whole_work_and_the_same_command_goes_on(loaded, tmp_path, monkeypatch) -> None:
    count = 40  # many more than are under way at once
    parts, out = drawn(tmp_path / "parts", count), tmp_path / "my results"
    line = f"run {PROMPTS} --maps none"

    def press(meter, progress) -> None:
        if progress.stage == "scoring images" and progress.done == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Meter, "__call__", press)
        stopped = call(line, parts, "--out", out)
    assert stopped.exit_code == 130
    resume = stopped.stderr.partition("To go on: ")[2].strip()
    assert shlex.split(resume) == ["anoclip", *shlex.split(line), str(parts), "--out", str(out)]
    finished = scores(out)
    assert 2 <= len(finished) < count

    rest = ask(" ".join(["run", *map(shlex.quote, shlex.split(resume)[2:])]))
    assert (rest["done"], rest["skipped"]) == (count - len(finished), len(finished))
    assert len(set(scores(out))) == count


def test_stopped_with_json_the_answer_is_json_too(loaded, parts, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Meter, "__call__", lambda *_: signal.raise_signal(signal.SIGINT))
    answer = ask(f"run {PROMPTS}", parts, "--out", tmp_path / "found", code=130)
    assert answer["error"]["kind"] == "Cancelled"
    assert answer["error"]["resume"].startswith("anoclip run")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run nowhere --out found", "nowhere"),
        ("run", "Missing argument"),
        ("run {parts} --out found --prompts nix", "There is no prompt preset 'nix'"),
        ("run {parts} --out found --prompts nix.yaml", "nix.yaml"),
        ("run {parts} --out found --preset newest", "'--preset'"),
        ("run {parts} --out found --maps gif", "'--maps'"),
        ("run {parts} --out found --watch-every 3", "--watch-every is for watching: give --watch"),
        ("run {parts} --out found --region-volume", "No such option"),
        ("run {parts} --out found --retries 3", "--retries is for workers: give --workers or --scheduler"),
        ("run {parts} --out found --scheduler tcp://a:1 --workers 2", "not both"),
        ("run {parts} --out found --scheduler nonsense", "'--scheduler'"),
        ("run {parts} --out found --settings none.yaml", "none.yaml cannot be read"),
        ("run {parts} --out found --object {{}}", "braces"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(loaded, parts, tmp_path, monkeypatch, line: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(line.format(parts=parts.name))


def test_preset_file_and_command_line_win_over_each_other_in_this_order(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("scoring: {temperature: 0.5, views: 1}\nadaptation: {steps: 9}\n")
    chosen = Chosen({AdaptationSettings: {"steps": 3}, ScoringSettings: {"smooth": False}})
    recipe = command.recipe_of(chosen, "short", "cup", None, "paper", file)
    paper = AnoCLIPSettings.paper()
    assert recipe.settings.adaptation == paper.adaptation.model_copy(update={"steps": 3})
    assert recipe.settings.scoring == paper.scoring.model_copy(update={"temperature": 0.5, "views": 1, "smooth": False})
    assert recipe.prompts.object == "cup"


@pytest.mark.parametrize(("kind", "name"), [(None, "paper-object"), ("texture", "paper-texture")])
def test_without_a_name_the_prompts_are_the_papers_for_the_kind(kind, name) -> None:
    assert command.recipe_of(Chosen({}), None, "felt", kind, "default", None).prompts.name == name


def test_model_and_threshold_come_from_the_command_line() -> None:
    chosen = Chosen({ModelSpec: {"device": "cpu"}, command.THRESHOLD.model: {"threshold": 0.25}})
    recipe = command.recipe_of(chosen, "short", None, None, "default", None)
    assert (recipe.model.device, recipe.threshold) == ("cpu", 0.25)


def test_workers_are_wanted_only_when_they_are_named() -> None:
    assert command.cluster_of(Chosen({})) is None
    assert command.cluster_of(Chosen({ClusterSettings: {"workers": 2, "batch": 4}})) == ClusterSettings(
        workers=2, batch=4
    )
    with pytest.raises(typer.BadParameter, match="--batch"):
        command.cluster_of(Chosen({ClusterSettings: {"batch": 4}}))


def test_what_a_terminal_would_obey_in_a_name_is_spelled_out() -> None:
    assert harmless("red\x1b[31m.png ü") == "red\\x1b[31m.png ü"


def test_an_empty_word_is_not_taken_for_this_folder(tmp_path) -> None:
    assert "it is empty" in refused(f"run {PROMPTS}", "", "--out", tmp_path / "found")
    assert "it is empty" in refused(f"run {PROMPTS}", tmp_path, "--out", "")
    assert "it is empty" in refused("evaluate mvtec", "")
    assert "it is empty" in refused("demo-data", "")
