"""What is worth knowing about the prompts as they are now, worked out in a thread while they are edited."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.lint import Remark, lint
from napari_anoclip.engine.prompts import PLACEHOLDERS, PromptSet
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.later import later

if TYPE_CHECKING:
    from torch import Tensor

    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.text import Tokenizer

QUIET = 400
"""Milliseconds without an edit before the prompts are checked: after a live map had its turn, not beside it."""

TEXTS_KEPT = 50_000
WHOLE = ("normal_prompts", "abnormal_prompts")
OF_A_SIDE = ("normal_states", "abnormal_states", *WHOLE)


@dataclass(frozen=True)
class CheckReport:
    """What was found.

    Attributes
    ----------
    prompts : PromptSet
        What was checked.
    remarks : tuple of Remark
        In `lint`'s order.
    tokens : mapping of str to int
        Length of each finished prompt in tokens, marks of start and end included; empty without a model.
    limit : int or None
        How many tokens the model reads.
    to_encode : int or None
        How many finished prompts the model has not met yet.
    new : mapping of (str, str) to int
        How many prompts an entry, by list and text, brings if none of them was met; empty where all are new.
    """

    prompts: PromptSet
    remarks: tuple[Remark, ...] = ()
    tokens: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    limit: int | None = None
    to_encode: int | None = None
    new: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))

    def about(self, where: str, text: str) -> str:
        """All that is to be said about an entry of the list `where`, a sentence a line; by text, as edits move it."""
        return "\n".join(self._sentences.get((where, text), ()))

    @cached_property
    def _sentences(self) -> dict[tuple[str, str], list[str]]:
        sentences: dict[tuple[str, str], list[str]] = {}
        for remark in self.remarks:
            sentences.setdefault((remark.where.partition("[")[0], remark.text), []).append(remark.sentence)
        return sentences


class PromptCheck(QObject):
    """Checks the newest prompt set, with the newest model, after a moment of quiet.

    Attributes
    ----------
    checked : Signal
        `report` is another one now.
    """

    checked = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._prompts: PromptSet | None = None
        # Held weakly: a model that is unloaded must go.
        self._model: weakref.ref[AnoCLIP] | None = None
        self._tokenizer: _KeptTokens | None = None
        self.report: CheckReport | None = None
        self._job = Job()
        self._job.succeeded.connect(self._on_report)
        self._quiet = later(self, self._start, QUIET)

    def look_at(self, prompts: PromptSet) -> None:
        """Check another prompt set."""
        self._prompts = prompts
        self._quiet.start()

    def use(self, model: AnoCLIP) -> None:
        """Check also with what this model reads, knows and has met; called again after a run, it has met more."""
        if self._model is None or self._model() is not model:
            self._model = weakref.ref(model)
            self._tokenizer = _KeptTokens(model.tokenizer)
        self._quiet.stop()
        self._start()

    def close_down(self) -> None:
        """Stop checking."""
        self._quiet.stop()
        self._job.close()

    def _start(self) -> None:
        prompts, tokenizer = self._prompts, self._tokenizer
        model = self._model() if self._model is not None else None
        if prompts is not None:
            self._job.start(lambda *_: check(prompts, model, tokenizer), newest=True)

    def _on_report(self, report: CheckReport) -> None:
        self.report = report
        self.checked.emit()


def check(prompts: PromptSet, model: AnoCLIP | None = None, tokenizer: Tokenizer | None = None) -> CheckReport:
    """Check a prompt set, for a model and its tokenizer where there is one."""
    if model is None or tokenizer is None:
        return CheckReport(prompts, tuple(lint(prompts)))
    finished = list(dict.fromkeys([*prompts.composed("normal"), *prompts.composed("abnormal")]))
    tokens, limit = {}, None
    if finished:
        ids = tokenizer(finished)
        limit = ids.shape[1]
        tokens = dict(zip(finished, (ids != 0).sum(dim=1).tolist(), strict=True))
    to_encode = model.prompts_to_encode(prompts)
    everything = len({*prompts.normal, *prompts.abnormal})
    return CheckReport(
        prompts,
        tuple(lint(prompts, tokenizer, model.known_token_ids)),
        tokens,
        limit,
        to_encode,
        _new_entries(prompts, model) if 0 < to_encode < everything else {},
    )


def _new_entries(prompts: PromptSet, model: AnoCLIP) -> dict[tuple[str, str], int]:
    """Entries of which no prompt was met; each is asked for with only those prompts left that it is in."""
    new = {}
    for name in PLACEHOLDERS:
        others: dict[str, Any] = dict.fromkeys(OF_A_SIDE if name in OF_A_SIDE else WHOLE, ())
        for entry in getattr(prompts, name):
            if not entry.on:
                continue
            alone = prompts.model_copy(update={**others, name: (entry,)})
            count = len({*alone.normal, *alone.abnormal})
            if count and model.prompts_to_encode(alone) == count:
                new[name, entry.text] = count
    return new


class _KeptTokens:
    """A tokenizer that remembers: from edit to edit nearly all texts stay."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._rows: dict[str, Tensor] = {}

    def __call__(self, texts: list[str]) -> Tensor:
        import torch

        if len(self._rows) > TEXTS_KEPT:
            self._rows = {}
        rows = self._rows
        missing = [text for text in dict.fromkeys(texts) if text not in rows]
        if missing:
            rows.update(zip(missing, self._tokenizer(missing), strict=True))
        return torch.stack([rows[text] for text in texts])
