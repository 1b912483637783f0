"""The report is one file that needs nothing else, says what was judged, and trusts no word that it shows."""

from __future__ import annotations

import base64
import io
import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from review.exporting import Studio, box, broken, everything, ring
from review.reviewing import image, judgement, square, trial

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.review.exports import report_card
from napari_anoclip.review.exports.report import export_report
from napari_anoclip.review.judgement import Measures, Verdict
from napari_anoclip.review.region_mask import RegionMask

VOID = {"meta", "link", "br", "img", "hr", "input"}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{7*7}}{% raw %}</style></title></svg>"


class Page(HTMLParser):
    """A page as a browser takes it apart; complains about what is not closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.html = html
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, tag
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self._open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag, **wanted):
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]

    def with_class(self, name):
        return [(tag, found) for tag, found in self.tags if name in (found.get("class") or "").split()]

    @property
    def addresses(self):
        keys = ("href", "src", "xlink:href", "srcset", "action", "data", "poster")
        return [found[key] for _, found in self.tags for key in keys if key in found]


@pytest.fixture
def studio(tmp_path):
    return everything(tmp_path / "pictures")


def export(studio, file, **how):
    exported = export_report(studio.images, file, studio.read, path_of=studio.path_of, **how)
    return exported, Page(file.read_text(encoding="utf-8"))


def pictures(page):
    uris = [found["href"] for found in page.all("image")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))) for uri in uris]


def all_of_it(studio, file, **more):
    return export(
        studio,
        file,
        title="Line 3, November",
        figures=trial("x").figures,
        settings={"settings": AnoCLIPSettings().model_dump(mode="json"), "regions": {"min_area": 16, "none": None}},
        prompts=PromptSet.paper("bottle"),
        at=datetime(2026, 11, 24, 12, 3, tzinfo=UTC),
        **more,
    )


def test_it_shows_what_was_judged(studio, tmp_path):
    exported, page = all_of_it(studio, tmp_path / "r.html")
    for words in (
        "Line 3, November",
        "24 November 2026, 12:03",
        "6 of 7",
        "images judged",
        "part 1.png",
        "a hole",
        "Riß",
        "false positive",
        "stack.tif · plane 1",
        "AUPRO (0.3)",
        "0.50",
        "bottle",
        "damaged {}",
        "min area 16",
    ):
        assert words in page.text
    # All of the flat images, and the planes of the stack that have a region.
    assert len(page.all("article")) == exported.images == 5 + 4
    assert exported.sentence == "9 images with 11 regions exported to r.html. 1 image not judged yet."


def test_pictures_are_in_it_with_outlines_of_the_regions(studio, tmp_path):
    _, page = export(studio, tmp_path / "r.html")
    shown = pictures(page)
    assert len(shown) == 9
    stack = studio.pictures[studio.images[6].key]
    for z, picture in zip(range(4), shown[5:], strict=True):
        small = np.asarray(Image.fromarray(picture).resize((30, 24), Image.Resampling.BOX), float)
        assert np.corrcoef(small.ravel(), stack[z].ravel())[0, 1] > 0.95
    assert page.all("title")[0] == {}
    outlines = [found for _, found in page.with_class("line") if len(found["d"]) > 12]
    assert len(outlines) == 4 + 1 + 1 + 1 + 1 + (1 + 1 + 1 + 1)
    # Verdicts differ in their lines, not only in their colours.
    dashes = re.findall(r"\.(\w+) \.line \{[^}]*stroke-dasharray: ([^;}]+)", page.html)
    assert dict(dashes).keys() == {"false", "unsure"}


def test_an_outline_lies_on_its_region(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", [judgement(1, box(slice(10, 20), slice(40, 60), (60, 100)))], shape=(60, 100, 3))
    _, page = export(studio, tmp_path / "r.html")
    (frame,) = [one for one in page.all("svg") if one.get("role") == "img"]
    width, height = (float(number) for number in frame["viewbox"].split()[2:])
    scale = width / 100
    assert height == pytest.approx(60 * scale)
    path = max((found["d"] for _, found in page.with_class("line")), key=len)
    corners = {tuple(float(n) / scale for n in corner.split()) for corner in re.findall(r"[\d.]+ [\d.]+", path)}
    assert corners == {(40, 10), (60, 10), (60, 20), (40, 20)}


def test_it_needs_nothing_else(studio, tmp_path):
    studio.add("http.png", [judgement(1, note="see https://example.org/x.js and url(//evil)")])
    _, page = all_of_it(studio, tmp_path / "r.html")
    assert page.addresses
    assert {address.split(",")[0] for address in page.addresses if not address.startswith("#")} == {
        "data:image/jpeg;base64"
    }
    for tag in ("script", "link", "iframe", "object", "embed", "base", "form", "img", "audio", "video"):
        assert not page.all(tag)
    styles = "".join(re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)) + "".join(
        found.get("style", "") or "" for _, found in page.tags
    )
    assert not re.search(r"url\(|@import|expression|//", styles)
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'; img-src data:;")


def test_every_link_within_it_leads_somewhere(studio, tmp_path):
    _, page = all_of_it(studio, tmp_path / "r.html")
    names = [found["id"] for _, found in page.tags if "id" in found]
    assert len(set(names)) == len(names)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(names)


@pytest.mark.fault(
    "hostile files",
    "HTML, quotes and templates in names, kinds, notes and prompts of the report",
    "the report: it runs nothing",
    sees="the words as they are",
)
def test_words_of_others_are_shown_and_never_obeyed(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", [judgement(1, kind=EVIL, note=EVIL, top_prompt=EVIL)])
    for key in ("name", "path"):
        studio.images[0] = studio.images[0].model_copy(update={key: EVIL, "unit": EVIL})
    prompts = PromptSet.paper("bottle")
    entry = prompts.abnormal_states[0].model_copy(update={"text": f"{EVIL} {{}}"})
    prompts = prompts.with_entries("abnormal_states", [entry, *prompts.abnormal_states[1:]])
    prompts = prompts.model_copy(update={"title": EVIL, "object": EVIL})
    figures = trial("x").figures
    figures = figures.model_copy(update={"aupro": figures.aupro.model_copy(update={"words": EVIL, "value": None})})
    export_report(
        studio.images,
        tmp_path / "r.html",
        lambda of: studio.pictures[of.key],
        title=EVIL,
        figures=figures,
        settings={EVIL: {EVIL: EVIL}},
        prompts=prompts,
    )
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    plain = Page((tmp_path / "r.html").read_text(encoding="utf-8").replace(EVIL, ""))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    for tag in ("script", "img"):
        assert not page.all(tag)
    assert not [key for _, found in page.tags for key in found if key.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 10
    assert "{{7*7}}" in page.text
    assert "<script" not in page.html


def test_it_opens_where_no_picture_is_there(studio, tmp_path):
    exported = export_report(studio.images, tmp_path / "r.html", lambda _: None)
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert not page.all("image")
    assert page.text.count("The picture was not found.") == 9
    assert "a hole" in page.text
    assert exported.sentence.endswith("Without a picture (9): part 1.png: The picture was not found.")
    Path(studio.images[0].path).write_bytes(b"no picture")
    _, page = export(studio, tmp_path / "damaged.html")
    assert len(pictures(page)) == 8
    assert "The picture cannot be read" in page.text
    assert export_report(studio.images, tmp_path / "broken.html", broken).images == 9


def test_nothing_judged_is_said(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", complete=False)
    _, page = export(studio, tmp_path / "r.html")
    assert "Nothing was judged yet." in page.text
    assert "0 of 1" in page.text


def test_a_good_image_says_so(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png")
    _, page = export(studio, tmp_path / "r.html")
    assert "nothing was found that is a defect" in page.text


def test_figures_with_too_little_behind_them_are_no_numbers(tmp_path):
    figures = trial("x").figures
    few = figures.aupro.model_copy(update={"value": None, "low": None, "words": "2 defect regions"})
    _, page = export(Studio(tmp_path), tmp_path / "r.html", figures=figures.model_copy(update={"aupro": few}))
    assert "too few" in page.text
    assert "2 defect regions" in page.text


def test_areas_have_their_unit_and_no_exponent(tmp_path):
    studio = Studio(tmp_path)
    measures = Measures(area=1_234_567, centroid=(1, 1), mean=0.5, maximum=0.9, length=3, orientation=0)
    of = studio.add("a.png", [judgement(1, measures=measures)])
    studio.images[0] = of.model_copy(update={"unit": "micrometer", "pixel_size": (1.0, 1.0)})
    solid = RegionMask.of(np.ones((2, 3, 4)))
    studio.add("b.tif", [judgement(1, solid)], shape=(4, 24, 30))
    _, page = export(studio, tmp_path / "r.html")
    assert "1234567 µm²" in page.text
    assert "24 voxels" in page.text


def noise(folder, number, side=300):
    studio = Studio(folder)
    for _ in range(number):
        studio.add(f"{len(studio.images)}.png", [judgement(1, ring())], shape=(side, side, 3))
    return studio


def test_pictures_are_bounded_and_what_has_none_says_why(tmp_path):
    studio = noise(tmp_path, 12)
    exported, page = export(studio, tmp_path / "r.html", max_bytes=300_000)
    assert (tmp_path / "r.html").stat().st_size < 300_000 + 100_000
    shown = len(pictures(page))
    assert 0 < shown < 12
    assert page.text.count("No picture, to keep this file small.") == 12 - shown
    assert f"Without a picture ({12 - shown})" in exported.sentence


def test_outlines_count_as_well(tmp_path):
    """Ragged ones take more room than the picture: how much is bounded for each, and for all together."""
    studio = Studio(tmp_path)
    rng = np.random.default_rng(0)
    for number in range(3):
        regions = [judgement(n, RegionMask.of(rng.random((80, 80)) < 0.5)) for n in range(1, 8)]
        studio.add(f"{number}.png", regions, shape=(80, 80, 3))
    _, page = export(studio, tmp_path / "whole.html")
    whole = (tmp_path / "whole.html").stat().st_size
    outlines = sum(len(found["d"]) for _, found in page.with_class("line"))
    assert outlines > 0.3 * whole
    assert max(found["d"].count("M") for _, found in page.with_class("line")) <= 30
    _, page = export(studio, tmp_path / "r.html", max_bytes=int(0.55 * whole))
    assert (tmp_path / "r.html").stat().st_size < 0.55 * whole + 60_000
    assert len(pictures(page)) == 1


def test_tables_are_bounded_too(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_anoclip.review.exports.report.MAX_TABLE_BYTES", 200_000)
    judgements = {n: judgement(n, note="x" * 5000, kind=f"kind {n}") for n in range(1, 60)}
    images = [image(f"{n}", f"{n}.png", judgements=judgements) for n in range(100)]
    exported = export_report(images, tmp_path / "r.html", lambda _: None)
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert (tmp_path / "r.html").stat().st_size < 200_000 + 150_000
    assert 0 < exported.images < 100
    assert len(exported.left_out) == 100 - exported.images
    assert f"{100 - exported.images} judged images left out" in page.text
    assert "and 19 more regions; the CSV export has all of them." in page.text
    assert "35 other kinds" in page.text


def test_the_estimate_of_tables_is_not_too_low(tmp_path):
    """What bounds the file is an estimate: it must not be far below what is written."""
    judgements = {n: judgement(n, verdict=list(Verdict)[n % 3], note="n" * 50, kind="k") for n in range(1, 41)}
    images = [image(f"{n}", f"{n}.png", judgements=judgements) for n in range(20)]
    cards = [
        card
        for one in images
        for card in report_card.cards_of(one, lambda _: None, one.name, longest=900, number=0, room=0)
    ]
    export_report(images, tmp_path / "r.html", lambda _: None)
    export_report([], tmp_path / "empty.html", lambda _: None)
    written = (tmp_path / "r.html").stat().st_size - (tmp_path / "empty.html").stat().st_size
    estimated = sum(card.table_bytes for card in cards)
    assert written < estimated < 4 * written


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, bool])
def test_pictures_of_any_type_and_size_are_shown_small(tmp_path, dtype):
    ramp = np.linspace(0, 1, 3000 * 2000).reshape(3000, 2000)
    values = {np.uint16: ramp * 4095, np.float32: ramp * 7 - 3, np.uint8: ramp * 255}.get(dtype, ramp > 0.5)
    of = image(shape=values.shape, complete=True)
    export_report([of], tmp_path / "r.html", lambda _: values.astype(dtype))
    (shown,) = pictures(Page((tmp_path / "r.html").read_text(encoding="utf-8")))
    assert shown.shape[:2] == (900, 600)
    assert shown[:50].mean() < 15
    assert shown[-50:].mean() > 240


def test_a_region_too_small_to_be_seen_gets_a_ring_around_it(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", [judgement(1, box(slice(5, 6), slice(5, 6)))])
    studio.add("b.png", [judgement(1, box(slice(2, 20), slice(2, 20)))])
    _, page = export(studio, tmp_path / "r.html")
    paths = [found["d"] for _, found in page.with_class("line") if len(found["d"]) > 12]
    assert ["a9.0 9.0" in path for path in paths] == [True, False]


def test_intervals_stay_within_their_bars_and_are_missing_where_there_is_none(tmp_path):
    one = trial("x").figures.aupro
    ends = one.model_copy(update={"value": 1.0, "low": 1.0, "high": 1.0})
    begins = one.model_copy(update={"value": 0.0, "low": 0.0, "high": 0.5})
    none = one.model_copy(update={"low": None, "high": None})
    figures = trial("x").figures.model_copy(update={"recall": ends, "f1": begins, "aupro": none, "pixel_ap": none})
    _, page = export(Studio(tmp_path), tmp_path / "r.html", figures=figures)
    bars = [(float(found["x"]), float(found["width"])) for _, found in page.with_class("between")]
    assert len(bars) == 2
    assert all(x >= 0 and x + width <= 170 for x, width in bars)
    assert "0.00 to 0.50" in page.text
    assert "0.50 —" in page.text


def test_settings_are_written_as_people_do_and_prompts_can_be_opened_again(studio, tmp_path):
    prompts = PromptSet.paper("bottle")
    settings = {"scoring": {"temperature": 0.07, "on": True, "window": None, "classes": ["a", "b"], "size": 1_234_567}}
    _, page = export(studio, tmp_path / "r.html", settings=settings, prompts=prompts)
    assert "temperature 0.07 on yes window — classes a, b size 1234567" in page.text
    (yaml,) = re.findall("<pre>(.*?)</pre>", page.html, re.DOTALL)
    assert PromptSet.from_yaml(unescape(yaml)) == prompts


def test_of_ten_thousand_planes_those_with_a_region_are_shown(tmp_path):
    of = image(shape=(10_000, 24, 30), judgements={1: judgement(1, square(2, 2), plane=(7,))}, complete=True)
    exported = export_report([of], tmp_path / "r.html", lambda _: None)
    assert exported.images == 1
    assert "part 7.png · plane 7" in Page((tmp_path / "r.html").read_text(encoding="utf-8")).text


def test_a_name_that_is_no_text_does_no_harm(tmp_path):
    of = image(name="\udcff.png", judgements={1: judgement(1, note="\udcff")})
    export_report([of], tmp_path / "r.html", lambda _: None, title="\udcff")
    assert "?.png" in Page((tmp_path / "r.html").read_text(encoding="utf-8")).text
