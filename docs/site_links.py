"""Checks every link of the finished site: pages, anchors and pictures are there, and nothing is fetched from elsewhere.

MkDocs checks the links that are written in Markdown. This looks at what readers get: what the theme, docstrings and the
notebook brought along, too. Links to other sites are not followed, only their form is checked.
"""

from __future__ import annotations

import logging
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from mkdocs.config.defaults import MkDocsConfig

LOG = logging.getLogger("mkdocs.hooks.site_links")

RESOURCES = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}
"""What a browser fetches by itself, by tag and attribute; so are stylesheets and icons, which are links with these:"""
FETCHED_LINKS = {"icon", "preload", "stylesheet"}
ELSEWHERE = {"http", "https", "mailto"}


class Page(HTMLParser):
    """What a page of HTML points to, and the names in it that can be pointed to.

    Attributes
    ----------
    names : set of str
        Anchors.
    links : list of (str, bool)
        Each link as it is written, and whether a browser fetches it by itself.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.names |= {values[key] for key in ("id", "name") if key in values and (key == "id" or tag == "a")}
        fetched = tag == "link" and bool(FETCHED_LINKS & set(values.get("rel", "").split()))
        if tag in ("a", "link") and "href" in values and values.get("rel") != "preconnect":
            self.links.append((values["href"], fetched))
        self.links += [(values[name], True) for name in values if (tag, name) in RESOURCES]


def faults(site: Path, address: str) -> list[str]:
    """Find what is wrong with the links of a site.

    Parameters
    ----------
    site : Path
        Its folder.
    address : str
        Where it will be; links to it are looked up in the folder.

    Returns
    -------
    list of str
        A sentence for each fault.
    """
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        at = address + path.relative_to(site).as_posix()
        for link, fetched in dict.fromkeys(page.links):
            fault = _fault(link, fetched, at, address, site, pages)
            if fault:
                found.append(f"{path.relative_to(site)}: {link!r} {fault}")
    return found


def _fault(link: str, fetched: bool, at: str, address: str, site: Path, pages: dict[Path, Page]) -> str | None:
    if link.startswith("data:"):
        return None
    try:
        target = urlsplit(urljoin(at, link))
    except ValueError:
        return "is no address"
    if not target.geturl().startswith(address):
        if fetched:
            return "is fetched from another site"
        if target.netloc == urlsplit(address).netloc:
            return "leads out of the site"
        well_formed = target.scheme in ELSEWHERE and (
            target.netloc if target.scheme != "mailto" else "@" in target.path
        )
        return None if well_formed and " " not in link else "is no address"
    path = site / unquote(target.geturl().removeprefix(address).partition("#")[0].partition("?")[0])
    path = path / "index.html" if path.is_dir() else path
    if not path.is_file():
        return "leads nowhere"
    name = unquote(target.fragment)
    if name and path in pages and name not in pages[path].names:
        return f"leads to {path.relative_to(site)}, where there is no such anchor"
    return None


def on_post_build(config: MkDocsConfig) -> None:
    """Warn of each fault; `mkdocs build --strict` then fails."""
    for fault in faults(Path(config.site_dir), str(config.site_url)):
        LOG.warning(fault)
