"""Older forms of session.json."""

from __future__ import annotations

import json

import pytest
from review.reviewing import square

from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.migrate import SCHEMA, migrated
from napari_anoclip.review.regions import RegionSettings
from napari_anoclip.review.session import Session, SessionError

FORM_0 = {
    "threshold": 0.62,
    "regions": {"min_area": 5},
    "kinds": ["dent"],
    "images": {
        "a1b2": {
            "name": "part 7.png",
            "fingerprint": "a1b2",
            "map_shape": [96, 128],
            "complete": True,
            "judgements": [{"id": 3, "verdict": "false", "mask": square(4, 5).to_json()}],
        }
    },
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "old.anoclip"
    folder.mkdir()
    return folder


def test_a_session_of_form_0_is_opened_and_kept_as_it_was(folder):
    before = json.dumps(FORM_0)
    (folder / "session.json").write_text(before)
    session = Session.open(folder)
    (found,) = session.review.images.values()
    assert found.complete
    assert found.judgements[3].verdict is Verdict.FALSE
    assert found.judgements[3].mask == square(4, 5)
    assert session.review.kinds == ("dent",)
    assert session.settings.threshold == 0.62
    assert session.settings.regions == RegionSettings(min_area=5)
    assert "older form" in session.recovered
    session.close()

    assert json.loads((folder / "session.json").read_text())["schema"] == SCHEMA
    (backup,) = folder.glob("session-*.json")
    assert backup.read_text() == before
    again = Session.open(folder)
    assert again.recovered == ""
    assert again.review.images == session.review.images
    again.close()


@pytest.mark.fault("sessions", "a session of a newer version", "the session as it is")
def test_a_newer_form_is_left_alone(folder, sees):
    text = json.dumps({"schema": SCHEMA + 1, "images": "somehow"})
    (folder / "session.json").write_text(text)
    with pytest.raises(SessionError, match="newer version") as refused:
        Session.open(folder)
    sees(refused.value)
    assert [path.name for path in folder.iterdir()] == ["session.json"]
    assert (folder / "session.json").read_text() == text


@pytest.mark.parametrize("content", [{"schema": "new"}, {"schema": -1}, {"images": 3}, {}])
def test_what_is_no_session_is_told(content):
    with pytest.raises(ValueError):
        migrated(content, "it")


def test_the_present_form_stays_as_it_is():
    content = {"schema": SCHEMA, "images": []}
    assert migrated(content, "it") == content
