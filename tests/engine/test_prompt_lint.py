"""Remarks on prompt sets: each check fires on its fault, where the fault is, and on nothing else."""

from __future__ import annotations

import time

import pytest
from engine import golden

from napari_anoclip.engine.lint import lint
from napari_anoclip.engine.prompts import Entry, PromptSet


def make(**changes) -> PromptSet:
    ps = PromptSet.compose(
        object="bottle",
        normal_states=["normal {}", "flawless {}"],
        abnormal_states=["damaged {}"],
        frames=["{a} {domain} of the {}"],
        domains=["photo", "image"],
    )
    entries = {field: tuple(Entry(text=text) for text in texts) for field, texts in changes.items()}
    return ps.model_copy(update=entries)


@pytest.fixture(scope="module")
def tokenizer():
    return golden.tokenizer()


@pytest.mark.parametrize(
    ("changes", "kind", "where", "words"),
    [
        ({"frames": ["{a} {domain} of it"]}, "placeholder", "frames[0]", "no {}"),
        ({"frames": ["a {dmain} of the {}"]}, "placeholder", "frames[0]", "{dmain}"),
        ({"normal_states": ["normal {}", "fine"]}, "placeholder", "normal_states[1]", "no {}"),
        ({"domains": ["photo of {}"]}, "placeholder", "domains[0]", "plain words"),
        ({"domains": ["photo", "image", "photo"]}, "duplicate", "domains[2]", "twice"),
        ({"normal_prompts": ["a photo of the normal {}"]}, "duplicate", "normal", "normal side has 1 prompt"),
        ({"abnormal_states": ["damaged {}", "normal {}"]}, "both_sides", "normal", "2 prompts in common"),
        ({"abnormal_states": []}, "empty_side", "abnormal", "abnormal side has no prompt"),
        ({"normal_prompts": ["word " * 200]}, "too_long", "normal", "normal side has 1 prompt"),
    ],
)
def test_each_fault_is_remarked_where_it_is(changes, kind, where, words, tokenizer):
    remarks = [remark for remark in lint(make(**changes), tokenizer) if remark.kind == kind]
    assert [remark.where for remark in remarks] == [where]
    assert words in remarks[0].sentence
    assert lint(make(), tokenizer) == []


def test_entries_that_are_off_are_not_remarked(tokenizer):
    ps = make().model_copy(update={"normal_states": (Entry(text="normal {}"), Entry(text="fine", on=False))})
    assert lint(ps, tokenizer) == []


@pytest.mark.parametrize(("words", "too_long"), [(75, False), (76, True)])
def test_prompt_that_just_fits_is_not_too_long(words, too_long, tokenizer):
    remarks = lint(make(abnormal_prompts=["photo " * words]), tokenizer)
    assert [remark.kind for remark in remarks] == (["too_long"] if too_long else [])


def test_words_that_training_never_saw_are_named_once(tokenizer):
    known = {token for prompt in make().normal + make().abnormal for token in tokenizer.encode(prompt)}
    assert lint(make(), tokenizer, known) == []
    changed = make(abnormal_states=["damaged {}", "damaged zebra {}", "zebra {}"])
    (remark,) = lint(changed, tokenizer, known)
    assert (remark.kind, remark.where) == ("unknown_word", "abnormal_states[1]")
    assert "'zebra'" in remark.sentence
    assert lint(changed.with_object("quokka"), tokenizer, known)[0].where == "object"


def test_924_prompts_are_checked_while_typing(tokenizer):
    ps = PromptSet.paper("carpet", kind="texture")
    known = range(49408)
    lint(ps, tokenizer, known)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        assert lint(ps, tokenizer, known) == []
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3
