"""Prompt sets: composition in the reference's order, switches, presets and the file format."""

from __future__ import annotations

import pytest
from engine import golden

from napari_anoclip.engine.errors import PromptError, PromptFileError
from napari_anoclip.engine.lint import lint
from napari_anoclip.engine.prompts import MAX_PROMPTS_PER_SIDE, Entry, PromptSet, article, preset_names

MINIMAL = """\
format: 1
object: bottle
normal_states:
  - "normal {}"
abnormal_states:
  - "damaged {}"
frames:
  - "a photo of the {}"
"""


@pytest.fixture
def small() -> PromptSet:
    return PromptSet.compose(
        object="metal_nut",
        normal_states=["normal {}", "{} without flaw"],
        abnormal_states=["abnormal {}"],
        frames=["{a} {domain} of {a} {}", "a photo of the {}"],
        domains=["industrial photo", "macro photo"],
    )


@pytest.mark.parametrize(("object_name", "kind"), [("carpet", "texture"), ("bottle", "object")])
def test_paper_prompts_equal_the_reference_in_its_order(object_name, kind):
    ps = PromptSet.paper(object_name, kind=kind)
    assert ps.normal == golden.prompts()[object_name]["normal"]
    assert ps.abnormal == golden.prompts()[object_name]["abnormal"]
    assert len(ps.normal) == 462


def test_domains_outermost_then_frames_then_states_and_articles_agree(small):
    assert small.normal == [
        "an industrial photo of a normal metal nut",
        "an industrial photo of a metal nut without flaw",
        "a photo of the normal metal nut",
        "a photo of the metal nut without flaw",
        "a macro photo of a normal metal nut",
        "a macro photo of a metal nut without flaw",
    ]
    assert small.abnormal[0] == "an industrial photo of an abnormal metal nut"


def test_a_frame_without_domain_needs_no_domain_and_one_with_it_does():
    frames = ["a photo of the {}", "{a} {domain} of the {}"]
    ps = PromptSet.compose(object="nut", normal_states=["good {}"], abnormal_states=["bad {}"], frames=frames)
    assert ps.normal == ["a photo of the good nut"]


def test_whole_prompts_come_last_and_may_name_the_object(small):
    ps = small.model_copy(update={"normal_prompts": (Entry(text="my very own {}"), Entry(text="as it should be"))})
    assert ps.normal[-2:] == ["my very own metal nut", "as it should be"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("industrial", "an"),
        ("manufacturing", "a"),
        ("unblemished", "an"),
        ("uniform", "a"),
        ("used", "a"),
        ("hour", "an"),
        ("one-off", "a"),
        ("LED", "an"),
        ("USB", "a"),
        ("unimpaired", "an"),
        ("Fiat", "a"),
    ],
)
def test_article_follows_the_sound(word, expected):
    assert article(word) == expected


@pytest.mark.parametrize("field", ["normal_states", "frames", "domains"])
def test_any_entry_can_be_switched_off(small, field):
    entries = list(getattr(small, field))
    entries[0] = Entry(text=entries[0].text, on=False)
    shorter = small.model_copy(update={field: tuple(entries)})
    assert 0 < len(shorter.normal) < len(small.normal)
    assert set(shorter.normal) < set(small.normal)


def test_a_single_prompt_can_be_switched_off_and_on_and_survives_renaming(small):
    prompt = small.normal[1]
    off = small.with_prompt(prompt, on=False)
    assert off.normal == [other for other in small.normal if other != prompt]
    assert off.with_prompt(prompt, on=True) == small
    assert len(off.with_object("bolt").normal) == len(off.normal)
    assert not any("metal nut" in other for other in off.with_object("bolt").normal)
    assert off.with_object("bolt").with_object("metal nut") == off


@pytest.mark.parametrize(("given", "cleaned"), [("metal_nut", "metal nut"), ("  big \t red__box\n", "big red box")])
def test_object_name_is_cleaned(given, cleaned):
    assert PromptSet.paper(given).object == cleaned


@pytest.mark.parametrize("name", ["", "  ", "_", "a {} b"])
def test_object_name_that_is_none_is_refused(name):
    with pytest.raises(PromptError):
        PromptSet.paper(name)


def test_empty_sides_are_refused_when_asked_and_not_before(small):
    small.require_sides()
    for field in ("normal_states", "abnormal_states"):
        with pytest.raises(PromptError, match=field.split("_")[0]):
            small.model_copy(update={field: ()}).require_sides()


def test_empty_entry_is_refused():
    with pytest.raises(PromptError, match="empty"):
        Entry(text="  ")


def test_a_side_out_of_all_proportion_is_refused():
    words = [f"{i} {{}}" for i in range(200)]
    with pytest.raises(PromptError, match=str(MAX_PROMPTS_PER_SIDE)):
        PromptSet.compose(object="nut", normal_states=words, abnormal_states=words, frames=words)


def test_digest_names_the_prompts_not_how_they_were_made(small):
    spelled_out = PromptSet.compose(
        object="x", frames=(), normal_prompts=small.normal, abnormal_prompts=small.abnormal, name="other"
    )
    assert spelled_out.digest == small.digest
    assert small.with_prompt(small.normal[0], on=False).digest != small.digest
    swapped = PromptSet.compose(object="x", frames=(), normal_prompts=small.abnormal, abnormal_prompts=small.normal)
    assert swapped.digest != small.digest


def test_the_eight_presets_are_there():
    assert set(preset_names()) == {
        "paper-object",
        "paper-texture",
        "short",
        "surface",
        "electronics",
        "castings",
        "textiles",
        "food",
    }
    with pytest.raises(PromptError, match="paper-object"):
        PromptSet.preset("nonsense")


@pytest.mark.parametrize("name", preset_names())
def test_preset_is_complete_clean_and_round_trips(name):
    ps = PromptSet.preset(name, "wooden_spoon")
    ps.require_sides()
    assert ps.name == name
    assert ps.title
    assert ps.description
    assert all("wooden spoon" in prompt for prompt in ps.normal + ps.abnormal)
    assert not any("{" in prompt for prompt in ps.normal + ps.abnormal)
    assert lint(ps, golden.tokenizer()) == []
    assert PromptSet.from_yaml(ps.to_yaml()) == ps


def test_file_round_trip_is_exact(small, tmp_path):
    rich = small.model_copy(
        update={
            "title": "Ünïcode: “quoted”, # no comment",
            "description": "two\nlines",
            "frames": (*small.frames, Entry(text="no", on=False), Entry(text="{} 404: yes")),
            "abnormal_prompts": (Entry(text="'{}' - \"broken\""), Entry(text="null")),
            "disabled": frozenset(small.normal[:2]),
        }
    )
    path = tmp_path / "set.yaml"
    rich.save(path)
    assert PromptSet.load(path) == rich
    assert [file.name for file in tmp_path.iterdir()] == ["set.yaml"]


def test_a_person_may_write_comments_and_switches():
    text = MINIMAL + '  # kept for winter\n  - text: "a dark photo of the {}"\n    on: off\n'
    ps = PromptSet.from_yaml(text)
    assert ps.frames[1] == Entry(text="a dark photo of the {}", on=False)
    assert ps.normal == ["a photo of the normal bottle"]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (MINIMAL.replace("frames:", "framez:"), 7, "framez"),
        (MINIMAL + "frames: []\n", 9, "second time"),
        (MINIMAL.replace("object: bottle", "object: [bottle]"), 2, "text was expected"),
        (MINIMAL.replace("object: bottle", "object:"), 2, "nothing"),
        (MINIMAL.replace("object: bottle", "object: '_'"), 2, "no name"),
        (MINIMAL.replace("object: bottle\n", ""), None, "no object"),
        (MINIMAL + "domains: photo\n", 9, "must be a list"),
        (MINIMAL + "domains:\n  - photo\n  - ''\n", 11, "no text"),
        (MINIMAL.replace('"normal {}"', "normal"), 4, "no {}"),
        (MINIMAL.replace('"normal {}"', "{}"), 4, "no text"),
        (MINIMAL.replace('"normal {}"', "{object} ok"), 4, "not YAML"),
        (MINIMAL.replace("the {}", "the {thing}"), 8, "{thing}"),
        (MINIMAL + '  - text: "b {}"\n    off: true\n', 10, "'off'"),
        (MINIMAL + '  - text: "b {}"\n    on: maybe\n', 10, "maybe"),
        (MINIMAL + "kind: gas\n", 9, "texture"),
        (MINIMAL.replace("format: 1", "format: 2"), 1, "format"),
        (MINIMAL.replace("format: 1\n", ""), None, "format"),
        (MINIMAL + 'title: "open\n', 9, "not YAML"),
        (MINIMAL + "\tname: x\n", 9, "not YAML"),
        (MINIMAL + "name: !!python/object/apply:os.system ['true']\n", 9, "text was expected"),
        (MINIMAL + "name: !!python/name:os.system x\n", 9, "tag"),
        (MINIMAL + "name: !secret x\n", 9, "tag"),
        (MINIMAL + "name: a\x07b\n", 9, "character"),
        (MINIMAL + "name: " + "[" * 5000 + "\n", None, "nested"),
        ("- a\n- b\n", 1, "keys with values"),
        ("", None, "empty"),
        ("# " + "x" * 1_000_000 + "\n" + MINIMAL, None, "larger"),
    ],
)
def test_bad_file_is_refused_with_line_and_reason(text, line, reason, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PromptFileError) as refused:
        PromptSet.load(path)
    assert refused.value.line == line
    assert reason in str(refused.value)
    assert str(refused.value).startswith("mine.yaml")
    assert (f"line {line}" in str(refused.value)) == (line is not None)


def test_file_of_another_encoding_is_refused(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(MINIMAL.encode() + "title: Größe\n".encode("latin-1"))
    with pytest.raises(PromptFileError, match=r"line 9.*UTF-8"):
        PromptSet.load(path)


def test_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path):
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(PromptFileError, match="cannot be read"):
            PromptSet.load(path)


def test_save_refuses_what_load_would_and_leaves_the_old_file(small, tmp_path):
    path = tmp_path / "set.yaml"
    small.save(path)
    with pytest.raises(PromptError, match="scratched"):
        small.model_copy(update={"abnormal_states": (Entry(text="scratched"),)}).save(path)
    assert PromptSet.load(path) == small
    with pytest.raises(PromptFileError, match="cannot be written"):
        small.save(tmp_path / "absent" / "set.yaml")


def test_half_a_letter_is_refused_wherever_it_stands():
    for half in ({"object": "plate \ud800"}, {"normal_states": ["normal {} \udc00"]}):
        with pytest.raises(PromptError, match="half a letter"):
            PromptSet.compose(**{"object": "plate", **half})
    with pytest.raises(PromptError, match="half a letter"):
        PromptSet.from_yaml('format: 1\nobject: plate\ntitle: "\\ud800"\n')


def test_what_somebody_wrote_is_quoted_in_part_and_the_advice_stays():
    with pytest.raises(PromptFileError) as refused:
        PromptSet.from_yaml(f"format: 1\nobject: plate\nnormal_states:\n- {'very ' * 5000}good\n", source="mine.yaml")
    assert len(str(refused.value)) < 500
    assert str(refused.value).endswith("put it where the object's name belongs.")
