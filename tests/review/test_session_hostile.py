"""Sessions that were made to do harm: nothing outside of their folder is read, and nothing large is made of them."""

from __future__ import annotations

import json
import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from review.reviewing import image, judgement, square

from napari_anoclip.review import mask_file
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.session import Session, SessionError
from napari_anoclip.review.session_file import Saved

KEY = "a1b2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a session that was saved, without its journal: what session.json says counts."""
    folder = tmp_path / "theirs.anoclip"
    session = Session.open(folder)
    session.review.add(image(KEY))
    session.review.judge(KEY, "judge", {1: judgement(1)})
    session.close()
    (folder / "journal.jsonl").unlink()
    return folder


def changed(folder: Path, change) -> None:
    """Change what session.json says, by hand."""
    file = folder / "session.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.fault("hostile files", "a session whose masks are named {name}", "what lies outside of its folder, unread")
@pytest.mark.parametrize("name", ["../outside.tif", "an absolute path", "a link that leads out", "/dev/zero"])
def test_masks_outside_of_the_folder_are_not_read(folder, tmp_path, name, monkeypatch, sees):
    outside = tmp_path / "outside.tif"
    (folder / "masks" / f"{KEY}.tif").rename(outside)
    if name == "a link that leads out":
        (folder / "masks" / f"{KEY}.tif").symlink_to(outside)
    else:
        named = str(outside) if name == "an absolute path" else name
        changed(folder, lambda content: content["images"][0]["masks"].update(file=named))
    read = []
    monkeypatch.setattr(mask_file, "read", read.append)
    session = Session.open(folder)
    assert read == []
    assert session.review.images[KEY].judgements == {}
    assert "1 judgement cannot be read" in sees(session.recovered)
    session.close()
    assert outside.exists()


def test_prompt_sets_outside_of_the_folder_are_not_read(folder, tmp_path):
    (tmp_path / "secret.yaml").write_text("format: 1\nobject: secret\n")
    figures = {"threshold": 0.5, "images": 3, "complete": 2}
    assert Saved(folder).trials() == ([], 0)
    changed(
        folder,
        lambda content: content.update(trials=[{"at": "2026-11-24", "prompts": "../secret.yaml", "figures": figures}]),
    )
    with pytest.raises((ValueError, SessionError)):
        Session.open(folder).close()


@pytest.mark.fault(
    "hostile files", "a region of 2⁴⁰ pixels in a few bytes of a journal", "memory; every other line of it"
)
def test_a_region_that_no_memory_holds_is_no_region(folder, sees):
    session = Session.open(folder)
    session.review.judge(KEY, "judge", {2: judgement(2)})
    session._journal.close()
    (folder / "lock.json").unlink()
    (folder / "session.json").unlink()
    file = folder / "journal.jsonl"
    lines = file.read_bytes().splitlines()
    at = next(n for n, line in enumerate(lines) if b'"change"' in line)
    bomb = json.dumps({"start": [0, 0], "shape": [1 << 20, 1 << 20], "runs": [0, 1 << 40]}, separators=(",", ":"))
    before = json.dumps(judgement(2).mask.to_json(), separators=(",", ":"))
    assert before.encode() in lines[at]
    body = lines[at].replace(before.encode(), bomb.encode()).rpartition(b',"sum"')[0]
    lines[at] = body + b',"sum":"%08x"}' % zlib.crc32(body)
    file.write_bytes(b"\n".join(lines) + b"\n")
    again = Session.open(folder)
    assert "1 line of the journal cannot be read" in sees(again.recovered)
    assert list(again.review.images[KEY].judgements) == [1]
    again.close()


@pytest.mark.fault(
    "hostile files",
    "a session whose folder of masks is a link to the user's own pictures",
    "every picture: none is swept away, and none is written over",
    sees="that the session cannot be saved",
)
def test_nothing_behind_a_link_is_swept_away(folder, tmp_path):
    pictures = tmp_path / "my pictures"
    (folder / "masks").rename(pictures)
    (pictures / "holiday.tif").write_bytes(b"of mine")
    (folder / "masks").symlink_to(pictures)
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    session = Session.open(folder)
    session.review.judge(KEY, "judge", {2: judgement(2)})
    with pytest.raises(SessionError):
        session.save()
    session.close()
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before


def test_a_region_beside_its_map_is_left_out(folder):
    changed(folder, lambda content: content["images"][0].update(map_shape=[5, 5]))
    session = Session.open(folder)
    assert session.review.images[KEY].judgements == {}
    assert "1 judgement cannot be read" in session.recovered
    session.save()
    session.close()


def test_a_journal_with_a_region_beside_its_map_is_made_up_for_by_what_was_saved(tmp_path):
    session = Session.open(tmp_path / "theirs.anoclip")
    session.review.add(image(KEY))
    session.review.judge(KEY, "judge", {1: judgement(1)})
    session.save()
    session.review.judge(KEY, "judge", {2: judgement(2, square(500, 500))})
    session._journal.close()
    (session.folder / "lock.json").unlink()
    again = Session.open(session.folder)
    assert list(again.review.images[KEY].judgements) == [1]
    assert "does not fit together" in again.recovered
    again.save()
    again.close()


@pytest.mark.parametrize("shape", [[1 << 16, 1 << 16], [1 << 32, 1 << 32], [10**30, 1]])
def test_a_box_of_any_size_is_refused_before_there_is_an_array(shape):
    with pytest.raises(ValueError):
        RegionMask.from_json({"start": [0, 0], "shape": shape, "runs": [0, shape[0] * shape[1]]})


def test_a_page_of_masks_that_is_all_compression_is_refused_before_it_is_read(folder):
    file = folder / "masks" / f"{KEY}.tif"
    side = 40_000
    with tifffile.TiffWriter(file) as writer:
        writer.write(
            iter([zlib.compress(bytes(1000))]),
            shape=(side, side),
            dtype=np.uint16,
            compression="zlib",
            rowsperstrip=side,
            description=json.dumps({"plane": [], "layer": 0}),
            metadata=None,
            photometric="minisblack",
        )
    began = time.monotonic()
    with pytest.raises(ValueError, match="damaged"):
        mask_file.read(file)
    assert time.monotonic() - began < 2


@pytest.mark.fault(
    "hostile files", "a session that is a pipe where session.json should be", "the window: it waits for nothing"
)
@pytest.mark.skipif(os.name != "posix", reason="has no named pipes")
def test_a_pipe_is_no_session(tmp_path, sees):
    folder = tmp_path / "theirs.anoclip"
    folder.mkdir()
    os.mkfifo(folder / "session.json")
    os.mkfifo(folder / "journal.jsonl")
    with pytest.raises(SessionError) as refused:
        Session.open(folder)
    sees(refused.value)
