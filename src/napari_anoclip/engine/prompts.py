"""Prompts: states of the object, put into photographic frames with domain words.

A prompt is ``frame(domain, state(object))``. Source of the composition and of its order: arXiv 2308.15939, section on
contrastive state prompts, and the code published with it. The words themselves are data, in the package's presets.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_anoclip.engine import prompt_file
from napari_anoclip.engine.errors import PromptError, PromptFileError

Side = Literal["normal", "abnormal"]
Kind = Literal["object", "texture"]

MAX_PROMPTS_PER_SIDE = 20_000
"""More than this is a slip of the hand (domains pasted as frames) and would take minutes to encode."""

OBJECT, DOMAIN, ARTICLE = "{}", "{domain}", "{a}"
PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "normal_states": (OBJECT, ARTICLE),
    "abnormal_states": (OBJECT, ARTICLE),
    "frames": (OBJECT, DOMAIN, ARTICLE),
    "domains": (),
    "normal_prompts": (OBJECT, ARTICLE),
    "abnormal_prompts": (OBJECT, ARTICLE),
}
"""What may stand in braces, by list of entries."""

NEEDS_OBJECT = ("normal_states", "abnormal_states", "frames")
"""Lists whose entries must have a place for the object."""

_ARTICLE_BEFORE_WORD = re.compile(r"\{a\}(\s+)([^\s{]\S*)")
_SOUNDS_LIKE_VOWEL = re.compile(r"(?i:[aeiou]|hour|hono|honest|heir|x-)|[FHLMNRSX](?=[A-Z\d])")
_SOUNDS_LIKE_CONSONANT = re.compile(r"(?i:eu|one\b|once|ubi|us[aeu]|util|uni(?![dmn]))|U(?=[A-Z\d])")


class Entry(BaseModel):
    """One line of a prompt set, which can be switched off without being lost.

    Attributes
    ----------
    text : str
        The words, with placeholders in braces; runs of spaces count as one.
    on : bool
        Whether it is used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(description="The words, with {} where the object goes.")
    on: bool = Field(default=True, description="Whether this entry is used.")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @field_validator("text")
    @classmethod
    def _clean(cls, text: str) -> str:
        text = " ".join(text.split())
        if not text:
            raise PromptError("A prompt entry is empty; write some words or remove it.")
        return text


class PromptSet(BaseModel):
    """Everything that the prompts of both sides are made of.

    Composition raises nothing: an unfinished set can be edited. `require_sides` is asked before a set is used.

    Attributes
    ----------
    object : str
        What is looked at; underscores count as spaces.
    normal_states, abnormal_states : tuple of Entry
        States of the object, ``{}`` standing for it.
    frames : tuple of Entry
        Photographic frames: ``{}`` stands for the state with its object, ``{domain}`` for each domain phrase in
        turn, ``{a}`` for the article that fits the word after it. A frame without ``{domain}`` is used once.
    domains : tuple of Entry
        Domain phrases.
    normal_prompts, abnormal_prompts : tuple of Entry
        Whole prompts, after the composed ones; ``{}`` may stand for the object.
    disabled : frozenset of str
        Single finished prompts that are switched off.

    Raises
    ------
    PromptError
        If the object's name or an entry is empty, or a side would have more than `MAX_PROMPTS_PER_SIDE` prompts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="custom", description="Short name of the prompt set.")
    title: str = Field(default="", description="Name of the prompt set as shown to people.")
    description: str = Field(default="", description="What the prompt set is meant for.")
    kind: Kind = Field(default="object", description="Whether it suits things with a shape or surfaces.")
    object: str = Field(description="What is looked at, such as bottle or carpet.")
    normal_states: tuple[Entry, ...] = Field(default=(), description="States of a good object.")
    abnormal_states: tuple[Entry, ...] = Field(default=(), description="States of a bad object.")
    frames: tuple[Entry, ...] = Field(default=(), description="Photographic frames around the state and its object.")
    domains: tuple[Entry, ...] = Field(default=(), description="Kinds of picture that the frames name.")
    normal_prompts: tuple[Entry, ...] = Field(default=(), description="Whole prompts of the normal side.")
    abnormal_prompts: tuple[Entry, ...] = Field(default=(), description="Whole prompts of the abnormal side.")
    disabled: frozenset[str] = Field(default=frozenset(), description="Single finished prompts that are switched off.")

    @field_validator("object")
    @classmethod
    def _clean_object(cls, name: str) -> str:
        return clean_object(name)

    @model_validator(mode="after")
    def _check_letters(self) -> Self:
        """Python's texts can hold halves of letters, which no file can and no model reads."""
        entries = (entry.text for field in PLACEHOLDERS for entry in getattr(self, field))
        try:
            "\n".join((self.name, self.title, self.description, self.object, *entries, *self.disabled)).encode()
        except UnicodeEncodeError as error:
            raise PromptError("A prompt holds half a letter, which nobody can read; type it again.") from error
        return self

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        templates = sum(1 for _ in self._templates())
        for side in get_args(Side):
            count = templates * len(_enabled(self.states(side))) + len(self.free_prompts(side))
            if count > MAX_PROMPTS_PER_SIDE:
                raise PromptError(
                    f"The {side} side would have {count} prompts; "
                    f"switch off frames, domains or states until at most {MAX_PROMPTS_PER_SIDE} are left."
                )
        return self

    @classmethod
    def compose(
        cls,
        *,
        object: str,  # noqa: A002 - the word of the method
        normal_states: Iterable[str] = (),
        abnormal_states: Iterable[str] = (),
        frames: Iterable[str] = (OBJECT,),
        domains: Iterable[str] = (),
        normal_prompts: Iterable[str] = (),
        abnormal_prompts: Iterable[str] = (),
        name: str = "custom",
        kind: Kind = "object",
    ) -> Self:
        """Make a prompt set of plain words; see the class for what they mean. Without frames the states stand alone."""
        return cls(
            name=name,
            kind=kind,
            object=object,
            normal_states=_entries(normal_states),
            abnormal_states=_entries(abnormal_states),
            frames=_entries(frames),
            domains=_entries(domains),
            normal_prompts=_entries(normal_prompts),
            abnormal_prompts=_entries(abnormal_prompts),
        )

    @classmethod
    def paper(cls, object: str, kind: Kind = "object") -> Self:  # noqa: A002
        """Give the published prompts, 462 a side, in the published order.

        Parameters
        ----------
        object : str
            What is looked at.
        kind : {"object", "texture"}
            Which of the two published lists of domains.
        """
        return cls.preset(f"paper-{kind}", object)

    @classmethod
    def preset(cls, name: str, object: str | None = None) -> Self:  # noqa: A002
        """Give a packaged prompt set.

        Parameters
        ----------
        name : str
            One of `preset_names`.
        object : str, optional
            What is looked at; the preset's own general word otherwise.

        Raises
        ------
        PromptError
            If there is no such preset.
        """
        if name not in preset_names():
            raise PromptError(f"There is no prompt preset {name!r}; choose one of {', '.join(preset_names())}.")
        preset = cls.from_yaml(_preset_text(name), source=f"preset {name}")
        return preset if object is None else preset.with_object(object)

    @property
    def normal(self) -> list[str]:
        """Prompts of the normal side that are on: domains outermost, then frames, then states, then whole prompts."""
        return [prompt for prompt in self.composed("normal") if prompt not in self.disabled]

    @property
    def abnormal(self) -> list[str]:
        """Prompts of the abnormal side that are on, in the order of `normal`."""
        return [prompt for prompt in self.composed("abnormal") if prompt not in self.disabled]

    @property
    def digest(self) -> str:
        """Name of both lists of prompts, the same on every machine; equal lists have equal digests."""
        return hashlib.sha256(json.dumps([self.normal, self.abnormal]).encode()).hexdigest()

    def states(self, side: Side) -> tuple[Entry, ...]:
        """States of one side."""
        return self.normal_states if side == "normal" else self.abnormal_states

    def free_prompts(self, side: Side) -> tuple[Entry, ...]:
        """Whole prompts of one side."""
        return self.normal_prompts if side == "normal" else self.abnormal_prompts

    def composed(self, side: Side) -> list[str]:
        """All prompts of one side, those in `disabled` too."""
        return list(_composed(self, side))

    def require_sides(self) -> None:
        """Make sure that there is something to compare.

        Raises
        ------
        PromptError
            If a side has no prompt that is on.
        """
        for side, prompts in (("normal", self.normal), ("abnormal", self.abnormal)):
            if not prompts:
                raise PromptError(
                    f"The {side} side has no prompt; switch on a state and a frame of it or write a whole prompt."
                )

    def with_object(self, name: str) -> Self:
        """Rename the object; single prompts that are off stay off."""
        renamed = self._replaced(object=name)
        if not self.disabled:
            return renamed
        new_names = {
            old: new
            for side in get_args(Side)
            for old, new in zip(self.composed(side), renamed.composed(side), strict=True)
        }
        return renamed._replaced(disabled=frozenset(new_names.get(prompt, prompt) for prompt in self.disabled))

    def with_entries(self, field: str, entries: Iterable[Entry | str]) -> Self:
        """Put other entries into one of the lists.

        Parameters
        ----------
        field : str
            The list, a key of `PLACEHOLDERS`.
        entries : iterable of Entry or str
            What it holds from now on.

        Raises
        ------
        PromptError
            If an entry is empty or there would be too many prompts.
        """
        return self._replaced(**{field: tuple(entries)})

    def with_prompt(self, prompt: str, on: bool) -> Self:
        """Switch a single finished prompt on or off."""
        return self.with_prompts([prompt], on)

    def with_prompts(self, prompts: Iterable[str], on: bool) -> Self:
        """Switch several finished prompts on or off."""
        named = frozenset(prompts)
        return self._replaced(disabled=self.disabled - named if on else self.disabled | named)

    def to_yaml(self) -> str:
        """Write the set as text that a person can edit; `from_yaml` gives back an equal set."""
        return prompt_file.dump(self.model_dump())

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "prompt file") -> Self:
        """Read a set from text.

        Parameters
        ----------
        text : str
            YAML of format 1.
        source : str
            What to call the text in an error.

        Raises
        ------
        PromptFileError
            If the text is not such a file; the message gives line and reason.
        """
        file = prompt_file.PromptFile(text, source, _FILE_FIELDS, placeholder_fault)
        if "object" not in file.values:
            raise file.error("it names no object; add a line such as 'object: bottle'")
        try:
            clean_object(file.values["object"])
        except PromptError as error:
            raise file.error(str(error).rstrip("."), "object") from error
        try:
            return cls(**file.values)
        except PromptError as error:
            raise PromptFileError(f"{source}: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise file.error(f"{first['loc'][0]!r}: {first['msg']}", str(first["loc"][0])) from error

    def save(self, path: str | Path) -> None:
        """Write the set to a file, complete or not at all.

        Raises
        ------
        PromptError
            If an entry could not be read back because a placeholder is missing or unknown.
        PromptFileError
            If the file cannot be written.
        """
        for field in PLACEHOLDERS:
            for entry in getattr(self, field):
                fault = placeholder_fault(field, entry.text) if entry.on else None
                if fault is not None:
                    raise PromptError(f"The prompts were not saved: {fault}, or switch it off.")
        prompt_file.write(Path(path), self.to_yaml())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a set from a file.

        Raises
        ------
        PromptFileError
            If the file cannot be read or is not a prompt file; the message gives file, line and reason.
        """
        path = Path(path)
        return cls.from_yaml(prompt_file.text_of(path), source=path.name)

    def _templates(self) -> Iterator[str]:
        """Frames with their domain put in; those that name no domain come with the first one only."""
        frames = _enabled(self.frames)
        for index, domain in enumerate(_enabled(self.domains) or [""]):
            for frame in frames:
                if DOMAIN not in frame:
                    if index == 0:
                        yield frame
                elif domain:
                    yield frame.replace(DOMAIN, domain)

    def _replaced(self, **changes: Any) -> Self:
        return type(self).model_validate({**dict(self), **changes})


_FILE_FIELDS = prompt_file.Fields(
    texts=("name", "title", "description", "kind", "object"), entries=tuple(PLACEHOLDERS), lists=("disabled",)
)


def clean_object(name: str) -> str:
    """Clean an object's name for use in prompts: underscores become spaces, runs of spaces one.

    Raises
    ------
    PromptError
        If nothing is left of it or it has braces.
    """
    name = " ".join(name.replace("_", " ").split())
    if not name:
        raise PromptError("The object has no name; say what is looked at, such as bottle or carpet.")
    if "{" in name or "}" in name:
        raise PromptError(f"The object's name {name!r} has braces in it; write it without.")
    return name


def preset_names() -> list[str]:
    """Names of the packaged prompt sets, the paper's first."""
    files = (resources.files("napari_anoclip") / "presets").iterdir()
    names = [file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")]
    return sorted(names, key=lambda name: (not name.startswith("paper"), name))


def article(word: str) -> str:
    """Give the indefinite article that fits how a word starts to sound: "a unit", "an hour", "an LED"."""
    vowel = _SOUNDS_LIKE_VOWEL.match(word) and not _SOUNDS_LIKE_CONSONANT.match(word)
    return "an" if vowel else "a"


def placeholder_fault(field: str, text: str) -> str | None:
    """Say in half a sentence what is wrong with the placeholders of an entry, or None.

    Parameters
    ----------
    field : str
        The list that the entry is in, a key of `PLACEHOLDERS`.
    text : str
        Text of the entry.
    """
    allowed = PLACEHOLDERS[field]
    for found in re.findall(r"\{[^{}]*\}|[{}]", text):
        if found not in allowed:
            choice = ", ".join(allowed) or "plain words"
            return f"'{found}' means nothing in {text!r}; use {choice}"
    if field in NEEDS_OBJECT and OBJECT not in text:
        return f"{text!r} has no {{}} for the object; put it where the object's name belongs"
    return None


@cache
def _preset_text(name: str) -> str:
    return (resources.files("napari_anoclip") / "presets" / f"{name}.yaml").read_text("utf-8")


def _entries(texts: Iterable[str]) -> tuple[Entry, ...]:
    return tuple(Entry(text=text) for text in texts)


def _enabled(entries: Iterable[Entry]) -> list[str]:
    return [entry.text for entry in entries if entry.on]


@lru_cache(maxsize=32)
def _composed(prompts: PromptSet, side: Side) -> tuple[str, ...]:
    """Compose one side; remembered, because every step of a run asks for it."""
    states = [state.replace(OBJECT, prompts.object) for state in _enabled(prompts.states(side))]
    # Most articles stand before a word of the frame or domain and are settled once for all states.
    templates = [_fit_articles(template) for template in prompts._templates()]
    composed = [template.replace(OBJECT, state) for template in templates for state in states]
    composed += [prompt.replace(OBJECT, prompts.object) for prompt in _enabled(prompts.free_prompts(side))]
    return tuple(_fit_articles(prompt) if ARTICLE in prompt else prompt for prompt in composed)


def _fit_articles(prompt: str) -> str:
    if ARTICLE not in prompt:
        return prompt
    return _ARTICLE_BEFORE_WORD.sub(lambda match: f"{article(match[2])}{match[1]}{match[2]}", prompt)
