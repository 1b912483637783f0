"""The site is checked for links that lead nowhere, and for whatever a reader's browser would fetch from elsewhere."""

from __future__ import annotations

import pytest

pytest.importorskip("mkdocs", reason="the documentation's tools are in the extra docs")

from docs.site_links import faults

ADDRESS = "https://parts.example.org/docs/"


@pytest.fixture
def fault_of(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "index.html").write_text('<h1 id="top">Home</h1>', encoding="utf-8")
    (tmp_path / "picture 1.png").write_bytes(b"")

    def check(html: str) -> str:
        (tmp_path / "folder" / "page.html").write_text(f'<p id="here">{html}</p>', encoding="utf-8")
        return "; ".join(faults(tmp_path, ADDRESS))

    return check


@pytest.mark.parametrize(
    "html",
    [
        '<a href="../index.html">',
        '<a href="..">',
        '<a href="../index.html#top">',
        '<a href="/docs/index.html#top">',
        '<a href="#here">',
        '<a href="">',
        '<img src="../picture%201.png">',
        '<img src="data:image/png;base64,AAAA">',
        '<a href="https://napari.org/stable/">',
        '<a href="mailto:somebody@example.org">',
    ],
)
def test_a_good_link_passes(fault_of, html):
    assert fault_of(html) == ""


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="../nothing.html">', "leads nowhere"),
        ('<a href="/index.html">', "leads out of the site"),
        ('<a href="../index.html#bottom">', "no such anchor"),
        ('<a href="#there">', "no such anchor"),
        ('<img src="../nothing.png">', "leads nowhere"),
        ('<a href="http://">', "is no address"),
        ('<a href="htps://napari.org">', "is no address"),
        ('<a href="https://napari.org/a page">', "is no address"),
        ('<a href="http://[napari">', "is no address"),
        ('<img src="https://napari.org/logo.png">', "fetched from another site"),
        ('<script src="https://napari.org/x.js"></script>', "fetched from another site"),
        ('<link rel="stylesheet" href="https://fonts.example.org/x.css">', "fetched from another site"),
    ],
)
def test_a_bad_link_is_named(fault_of, html, fault):
    assert "folder/page.html" in fault_of(html)
    assert fault in fault_of(html)
