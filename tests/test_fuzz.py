"""Files that were damaged or made to do harm, thousands of them: each is read, or refused in a sentence, and soon.

In `make test` there are some hundred, in `make faults` ten thousand (``--thorough``). Each has its number, from which
all of it follows; a failure names it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import mutated
import numpy as np
import pytest
import yaml
from PIL import Image
from review.reviewing import facts, step, trial

from napari_anoclip.cli.settings_file import over
from napari_anoclip.engine.checkpoint import read_config
from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.plugin import dock_state
from napari_anoclip.review.imports.coco import import_coco
from napari_anoclip.review.session import Session

PARTS = 4
"""Of each kind of file, so that two processes share the work."""

LONGEST = 10.0
"""Seconds that one file may take on a busy machine."""

SLIPS = ("Traceback", " object at 0x", "<class ", "\n")
"""What no sentence for a person has in it."""


class Kind:
    """A kind of file.

    Parameters
    ----------
    quick, thorough : int
        How many of them are tried.
    fresh : callable
        Fills a folder with what is whole.
    spoil : callable
        Takes that folder and random numbers, and damages it.
    use : callable
        Reads the folder, and what it gives back must be valid.
    """

    def __init__(self, quick: int, thorough: int, fresh: Any, spoil: Any, use: Any) -> None:
        self.quick, self.thorough = quick, thorough
        self.fresh, self.spoil, self.use = fresh, spoil, use


# Sessions


def a_session(folder: Path) -> None:
    session = Session.open(folder)
    random = Random(8)
    for _ in range(30):
        step(session, random)
    session.trials = [trial("a"), trial("b", 5)]
    session.save()
    for _ in range(4):
        step(session, random)
    session._journal.close()
    (folder / "lock.json").unlink()


def spoil_session(folder: Path, random: Random) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = ["session.json", "journal.jsonl", "session.json", "journal.jsonl", "masks", "prompts"]
    for name in random.sample(names, random.choice((1, 1, 2, 3))):
        path = random.choice([path for path in files if name in (path.name, path.parent.name)])
        if not path.exists():
            continue  # removed just now
        if path.suffix == ".json" and random.random() < 0.6:
            spoil_summed(path, random)
        elif path.suffix == ".jsonl" and random.random() < 0.6:
            spoil_lines(path, random)
        elif random.random() < 0.1:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(mutated.bytes_of(path.read_bytes(), random))


def spoil_summed(path: Path, random: Random) -> None:
    """Other values in session.json, under a right checksum or without one."""
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(path.read_bytes())
        content.pop("sum", None)
        text = json.dumps(mutated.values_of(content, random)).encode(errors="surrogatepass")
        if random.random() < 0.5 and text.endswith(b"}"):
            text = text[:-1] + b',\n "sum": "%08x"\n}\n' % zlib.crc32(text[:-1])
        path.write_bytes(text)


def spoil_lines(path: Path, random: Random) -> None:
    """Other values in a line of the journal, under a right checksum."""
    lines = path.read_bytes().split(b"\n")
    at = random.randrange(len(lines))
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(lines[at])
        if not isinstance(content, dict) or "line" not in content:
            return
        number, kind = content["line"], next(name for name in content if name not in ("line", "sum"))
        text = json.dumps(mutated.values_of(content[kind], random), separators=(",", ":"))
        body = f'{{"line":{number},"{kind}":{text}'.encode(errors="surrogatepass")
        lines[at] = body + b',"sum":"%08x"}' % zlib.crc32(body)
        path.write_bytes(b"\n".join(lines))


def use_session(folder: Path) -> None:
    session = Session.open(folder)
    try:
        facts(session)
        known = as_text(session)
        for image in session.review.images.values():
            session.path_of(image)
        session.save()
    finally:
        session.close()
    again = Session.open(folder)
    assert as_text(again) == known
    again.close()


def as_text(session: Session) -> list[str]:
    """All images with their judgements: as text, no number and no number are equal."""
    return [image.model_dump_json() for image in session.review.images.values()]


# YAML


def of_text(name: str, text: str) -> Callable[[Path], None]:
    def fresh(folder: Path) -> None:
        folder.mkdir()
        (folder / name).write_text(text, encoding="utf-8")

    return fresh


def spoil_yaml(folder: Path, random: Random) -> None:
    (path,) = folder.iterdir()
    if random.random() < 0.5:
        path.write_bytes(mutated.bytes_of(path.read_bytes(), random))
    else:
        values = mutated.values_of(yaml.safe_load(path.read_text(encoding="utf-8")), random)
        path.write_bytes(yaml.dump(values, allow_unicode=True).encode(errors="surrogatepass"))


def use_prompts(folder: Path) -> None:
    (path,) = folder.iterdir()
    prompts = PromptSet.load(path)
    if "".join(prompts.model_dump_json()).isprintable():
        assert PromptSet.from_yaml(prompts.to_yaml()) == prompts


def use_settings(folder: Path) -> None:
    (path,) = folder.iterdir()
    settings = over(AnoCLIPSettings(), path)
    assert AnoCLIPSettings.model_validate(settings.model_dump()) == settings


# Other JSON


def spoil_json(folder: Path, random: Random) -> None:
    (path,) = folder.glob("*.json")
    if random.random() < 0.4:
        path.write_bytes(mutated.bytes_of(path.read_bytes(), random))
    else:
        text = json.dumps(mutated.values_of(json.loads(path.read_bytes()), random))
        path.write_bytes(text.encode(errors="surrogatepass"))


COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 24, "width": 30}],
    "categories": [{"id": 7, "name": "scratch"}, {"id": 8, "name": "false positive"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "segmentation": [[2, 3, 7, 3, 7, 9, 2, 9]], "bbox": [2, 3, 5, 6]},
        {"id": 2, "image_id": 1, "category_id": 8, "segmentation": {"size": [24, 30], "counts": [99, 20, 601]}},
    ],
}
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 96, "layers": 1, "width": 8, "head_width": 4, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def coco_folder(folder: Path) -> None:
    of_text("a.json", json.dumps(COCO))(folder)
    Image.fromarray(np.zeros((24, 30), np.uint8)).save(folder / "a.png")


def use_coco(folder: Path) -> None:
    for image in import_coco(folder / "a.json").images:
        assert all(judgement.mask.area > 0 for judgement in image.judgements.values())


def use_config(folder: Path) -> None:
    read_config(folder / "config.json", folder / "model.pt", None)


def use_state(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dock_state, "state_file", lambda: folder / "dock.json")
        dock_state.load()


SETTINGS = yaml.safe_dump(AnoCLIPSettings().model_dump(mode="json"))
STATE = dock_state.DockState(settings=AnoCLIPSettings(), open_sections=["Prompts"], live=False).model_dump_json()
KINDS = {
    "session": Kind(60, 3600, a_session, spoil_session, use_session),
    "prompts": Kind(
        120, 3200, of_text("a.yaml", PromptSet.preset("short", "plate").to_yaml()), spoil_yaml, use_prompts
    ),
    "settings": Kind(120, 1600, of_text("a.yaml", SETTINGS), spoil_yaml, use_settings),
    "COCO": Kind(120, 800, coco_folder, spoil_json, use_coco),
    "configuration of a model": Kind(60, 400, of_text("config.json", json.dumps(CONFIG)), spoil_json, use_config),
    "memory of the dock": Kind(60, 400, of_text("dock.json", STATE), spoil_json, use_state),
}


def is_a_sentence(which: str, said: str) -> None:
    assert len(said) < 2000, f"{which}: too long for a sentence: {said[:300]}"
    assert not any(slip in said for slip in SLIPS), f"{which}: {said}"


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.fault(
    "hostile files",
    "{kind}: files that were damaged or made to do harm (10,000 of all kinds by `make faults`)",
    "what is loaded; a session that opens saves and opens again",
    sees="what can be read, or a sentence each",
)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(
    kind: str, part: int, tmp_path: Path, no_waiting_for_the_disk, thorough: bool, tells: Callable[[str], None]
) -> None:
    of = KINDS[kind]
    of.fresh(tmp_path / "whole")
    numbers = range(part, of.thorough if thorough else of.quick, PARTS)
    refused, slowest, began = 0, 0.0, time.perf_counter()
    for number in numbers:
        folder = tmp_path / "spoilt.anoclip"
        shutil.copytree(tmp_path / "whole", folder)
        of.spoil(folder, Random(f"{kind} {number}"))
        before = time.perf_counter()
        try:
            of.use(folder)
        except AnoCLIPError as error:
            refused += 1
            is_a_sentence(f"{kind} {number}", str(error))
        except Exception as error:
            raise AssertionError(f"{kind} {number} escaped: {type(error).__name__}: {error}") from error
        slowest = max(slowest, time.perf_counter() - before)
        assert slowest < LONGEST, f"{kind} {number} took {slowest:.1f} s"
        shutil.rmtree(folder)
    took = time.perf_counter() - began
    tells(
        f"fuzz, {kind}, part {part + 1} of {PARTS}: {len(numbers)} files in {took:.1f} s, {refused} refused, "
        f"the slowest {slowest * 1000:.0f} ms"
    )
