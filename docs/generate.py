"""Writes everything in the documentation that is made from the code: ``python -m docs.generate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from docs import cli_pages, datasets, errors_table, settings_tables
from napari_anoclip.plugin.keys import as_table

DOCS = Path(__file__).parent

BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"


def pages() -> dict[Path, str]:
    """All pages that are generated, or have parts that are, as they should be."""
    with_parts = {
        "datasets.md": datasets.parts(),
        "keys.md": {"keys": as_table()},
        "reference/errors.md": errors_table.parts(),
        "reference/settings.md": settings_tables.parts(),
    }
    whole = {cli_pages.FOLDER / name: text for name, text in cli_pages.pages().items()}
    return whole | {
        DOCS / name: filled((DOCS / name).read_text(encoding="utf-8"), parts) for name, parts in with_parts.items()
    }


def filled(page: str, parts: Mapping[str, str]) -> str:
    """A page with its generated parts, each between its two marks, as they should be."""
    for name, text in parts.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def main() -> None:
    """Write the pages, and take away those of commands that are gone."""
    made = pages()
    for old in set(cli_pages.FOLDER.glob("*.md")) - set(made):
        old.unlink()
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
