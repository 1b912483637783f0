"""Print what the changelog says of this version, and refuse where a tag, the version and the changelog disagree.

python scripts/release_notes.py v0.1.0
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = re.compile(r"^## (?P<version>\S+) \((?P<date>.+)\)$", re.MULTILINE)


def release_notes(tag: str, version: str, changelog: str) -> str:
    """Text of a version's section.

    Parameters
    ----------
    tag : str
        Of the commit: "v" and the version.
    version : str
        Of the package.
    changelog : str
        All of CHANGELOG.md.

    Raises
    ------
    ValueError
        If the tag is not the version's, or the changelog has no dated section of it with something in it.
    """
    if tag != f"v{version}":
        raise ValueError(
            f"The tag is {tag}, and the package's version is {version}: tag v{version}, or change _version.py."
        )
    headings = list(HEADING.finditer(changelog))
    found = next((at for at, heading in enumerate(headings) if heading["version"] == version), None)
    if found is None:
        raise ValueError(f"CHANGELOG.md has no section of {version}: head it “## {version} (YYYY-MM-DD)”.")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", headings[found]["date"]):
        raise ValueError(f"CHANGELOG.md dates {version} “{headings[found]['date']}”: put the day of the release there.")
    end = headings[found + 1].start() if found + 1 < len(headings) else len(changelog)
    notes = changelog[headings[found].end() : end].strip()
    if not notes:
        raise ValueError(f"CHANGELOG.md says nothing of {version}.")
    return notes


def main() -> None:
    """Print the notes of the tag that is named."""
    written = (ROOT / "src" / "napari_anoclip" / "_version.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "(.+)"', written)[1]
    try:
        print(release_notes(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    except ValueError as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
