"""Settings and prompt sets side by side: what was kept, what differs, and the run that scores one plane with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_anoclip.engine.progress import Progress
from napari_anoclip.plugin.run_request import PlaneResult, RunRequest

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.models import ModelHolder

LETTERS = "ABCD"

_SWITCHES = {
    "adaptation.enabled": "TTA",
    "scoring.smooth": "smooth",
    "mutual.enabled": "other images",
}
_SHORT = {"scoring.temperature": "τ", "tiling.mode": "", "scoring.image_score": "score by", "adaptation.adapter": ""}


@dataclass(frozen=True)
class Snapshot:
    """A state of the dock that was kept. It holds no plane, and so no image.

    Attributes
    ----------
    title : str
        What the user calls it.
    request : RunRequest
        Everything but the image.
    """

    title: str
    request: RunRequest

    @classmethod
    def of(cls, request: RunRequest, others: Sequence[Snapshot]) -> Snapshot:
        """Keep a state, called by what differs from those that were kept before it."""
        request = replace(request, planes=(), others=None)
        return cls(differences(request, others[0].request if others else None), request)


def differences(request: RunRequest, reference: RunRequest | None) -> str:
    """Say in a few words what one state has that another has not; of the first, what its prompts are called.

    Parameters
    ----------
    request : RunRequest
        The state to be named.
    reference : RunRequest or None
        The one it is compared with.
    """
    if reference is None:
        return _prompts_name(request.prompts)
    words = []
    if request.model.name != reference.model.name:
        words.append(request.model.name)
    if request.prompts.digest != reference.prompts.digest:
        words.append(_prompt_words(request.prompts, reference.prompts))
    own, other = (_flat(one.settings.model_dump()) for one in (request, reference))
    if not request.settings.adaptation.enabled:  # then nothing else of it counts
        own = {name: value for name, value in own.items() if not _of_adaptation(name)}
    words += [_setting_words(name, value) for name, value in own.items() if other[name] != value]
    return ", ".join(words) or "the same"


def compare(
    snapshots: Sequence[Snapshot], now: RunRequest, models: ModelHolder, channel: Channel, cancel: CancelFlag
) -> list[PlaneResult]:
    """Score the first plane of a request with each state in turn; in the worker thread.

    Raises
    ------
    AnoCLIPError
        With the sentence to show; `Cancelled` when the flag was seen.
    """
    results = []
    for letter, snapshot in zip(LETTERS, snapshots, strict=False):
        collector = _Collector(channel, letter)
        replace(snapshot.request, planes=now.planes[:1], others=now.others).run(models, collector, cancel)
        results += collector.results
    return results


def common_limits(results: Sequence[PlaneResult]) -> tuple[float, float]:
    """One range for all: from the lowest first colour to the highest last one."""
    return min(result.limits[0] for result in results), max(result.limits[1] for result in results)


class _Collector:
    """Keeps the results of one state's run, and says whose progress it is."""

    def __init__(self, channel: Channel, letter: str) -> None:
        self.results: list[PlaneResult] = []
        self._channel = channel
        self._letter = letter

    def __call__(self, progress: Progress) -> None:
        self._channel(Progress(f"{self._letter}: {progress.stage}", progress.done, progress.total))

    def publish(self, part: Any) -> None:
        if isinstance(part, PlaneResult):
            self.results.append(part)


def _prompts_name(prompts: PromptSet) -> str:
    return prompts.title or prompts.name


def _prompt_words(prompts: PromptSet, reference: PromptSet) -> str:
    if _prompts_name(prompts) != _prompts_name(reference):
        return _prompts_name(prompts)
    if prompts.object != reference.object:
        return prompts.object
    return f"{len(prompts.normal)} + {len(prompts.abnormal)} prompts"


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Fields of fields, their names with dots between."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return flat


def _of_adaptation(name: str) -> bool:
    return name.startswith("adaptation.") and name != "adaptation.enabled"


def _setting_words(name: str, value: Any) -> str:
    if name in _SWITCHES:
        return _SWITCHES[name] if value else f"no {_SWITCHES[name]}"
    label = _SHORT.get(name, name.rpartition(".")[2].replace("_", " "))
    shown = "model's own" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{label} {shown.replace('_', ' ')}".strip()
