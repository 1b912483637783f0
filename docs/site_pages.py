"""What MkDocs is told beside mkdocs.yml: pages that lie elsewhere in the repository, and links that leave `docs`."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

ELSEWHERE = {
    "about/changelog.md": "CHANGELOG.md",
    "about/contributing.md": "CONTRIBUTING.md",
    "about/model-card.md": "src/napari_anoclip/builtin/MODEL_CARD.md",
}
"""Pages of the site by their place in it, and where in the repository they are."""

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
LINK_IN_HTML = re.compile(r"(?<=href=\")(?![a-z]+:|#|/)(?P<path>[^\"#]+\.md)(?P<anchor>#[^\"]*)?(?=\")")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for uri, path in ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that hold in the repository into such that MkDocs knows; those that lead nowhere are left."""
    uri = page.file.src_uri
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]  # a column for one line: the tabs are enough
    if uri in ELSEWHERE:
        page.edit_url = f"{config.repo_url}/edit/main/{ELSEWHERE[uri]}"

    def known(link: re.Match[str]) -> str:
        found = target(link["path"], uri, config, files)
        place = posixpath.relpath(found.src_uri, posixpath.dirname(uri) or ".") if isinstance(found, File) else found
        return f"{place}{link['anchor'] or ''}"

    return LINK.sub(known, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Do the same for a notebook, whose text goes past MkDocs."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def known(link: re.Match[str]) -> str:
        found = target(link["path"], page.file.src_uri, config, files)
        return f"{found.url_relative_to(page.file) if isinstance(found, File) else found}{link['anchor'] or ''}"

    return LINK_IN_HTML.sub(known, html)


def target(link: str, uri: str, config: MkDocsConfig, files: Files) -> File | str:
    """Find what a link on a page leads to: a file of the site, or the address of another one of the repository."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(ELSEWHERE.get(uri, f"docs/{uri}")), link))
    places = {path: place for place, path in ELSEWHERE.items()}
    file = files.get_file_from_path(places.get(path) or path.removeprefix("docs/"))
    if file and (path in places or path.startswith("docs/")):
        return file
    return f"{config.repo_url}/blob/main/{path}" if not path.startswith("..") and (ROOT / path).exists() else link
