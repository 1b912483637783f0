"""What `make dist` refuses to call a wheel or an sdist, and what a release refuses to be made of."""

from __future__ import annotations

import pytest

from scripts.dist import sdist_problems, wheel_problems
from scripts.release_notes import release_notes

TRACKED = [
    "src/napari_anoclip/__init__.py",
    "src/napari_anoclip/napari.yaml",
    "docs/index.md",
    ".github/dependabot.yml",
]
WHEEL = ["napari_anoclip/__init__.py", "napari_anoclip/napari.yaml", "napari_anoclip-0.1.0.dist-info/METADATA"]
SDIST = [f"napari_anoclip-0.1.0/{name}" for name in [*TRACKED[:3], "PKG-INFO"]]

CHANGELOG = """# Changelog

## 0.2.0 (2026-12-01)

### Added

- A thing.

## 0.1.0 (unreleased)

- Another.
"""


def test_a_wheel_of_the_package_and_nothing_else_is_right() -> None:
    assert wheel_problems(WHEEL, TRACKED, size=14_000_000) == []


def test_a_file_that_is_missing_or_too_much_in_the_wheel_is_named() -> None:
    assert wheel_problems(WHEEL[:1], TRACKED, 1) == ["the wheel lacks napari_anoclip/napari.yaml"]
    (problem,) = wheel_problems([*WHEEL, "napari_anoclip/notes.txt"], TRACKED, 1)
    assert "notes.txt, which is no file of the repository" in problem


def test_a_wheel_that_is_too_large_is_refused() -> None:
    assert wheel_problems(WHEEL, TRACKED, size=31_000_000) == ["the wheel has 31.0 MB, and 30 MB is the limit"]


def test_an_sdist_has_what_the_tests_and_the_documentation_read() -> None:
    assert sdist_problems(SDIST, TRACKED) == []
    assert sdist_problems(SDIST[:2], TRACKED) == ["the sdist lacks docs/index.md"]


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    assert release_notes("v0.2.0", "0.2.0", CHANGELOG) == "### Added\n\n- A thing."


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("v0.2.1", "0.2.0", "tag v0.2.0, or change _version.py"),
        ("v0.3.0", "0.3.0", "no section of 0.3.0"),
        ("v0.1.0", "0.1.0", "put the day of the release there"),
    ],
)
def test_a_tag_that_fits_neither_version_nor_changelog_is_refused(tag: str, version: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        release_notes(tag, version, CHANGELOG)


def test_an_empty_section_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing of"):
        release_notes("v0.2.0", "0.2.0", "## 0.2.0 (2026-12-01)\n\n## 0.1.0 (2026-11-01)\n")
