"""A folder of images from beginning to end: what is finished is left alone, the rest is scored, all is summed up."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_anoclip._version import __version__
from napari_anoclip.batch.errors import InputError
from napari_anoclip.batch.gathering import gather_others
from napari_anoclip.batch.inputs import Input, find_inputs
from napari_anoclip.batch.out_folder import locked
from napari_anoclip.batch.outputs import OutputSettings, Scale, said_in_words
from napari_anoclip.batch.pipeline import recipe_digest, score
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Record, Records, path_text, remove_unfinished
from napari_anoclip.batch.report import REPORT, write_report
from napari_anoclip.batch.resume import Checked, unfinished
from napari_anoclip.batch.stopwatch import Stopwatch
from napari_anoclip.batch.summaries import TABLES, write_summaries
from napari_anoclip.batch.watch import Sparingly, WatchSettings, looks
from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.foreign import json_of
from napari_anoclip.engine.progress import CancelFlag, Progress, ProgressCallback, Reporter
from napari_anoclip.engine.words import counted, named

if TYPE_CHECKING:
    from napari_anoclip.batch.cluster import ClusterSettings
    from napari_anoclip.engine import AnoCLIP
    from napari_anoclip.engine.mutual import Others

RECIPE = "recipe.json"

_SUMMARY_SHARE = 0.1
"""Of the time that summaries may take while a folder is watched."""


@dataclass(frozen=True)
class RunSummary:
    """What a run came to.

    Attributes
    ----------
    done : int
        Images scored by this run.
    skipped : int
        Images that were finished already.
    failed : tuple of Record
        Images that could not be scored, each with its reason.
    seconds : float
        Wall time of going through the images: the model is loaded before it, tables and report are written after it,
        and waiting for new files is not part of it.
    busy : float
        Seconds of it in which the image tower was at work on this machine.
    remarks : tuple of str
        What else a person should know, a sentence each.
    """

    done: int
    skipped: int
    failed: tuple[Record, ...]
    seconds: float
    busy: float
    remarks: tuple[str, ...] = ()


def run(
    inputs: Iterable[Path],
    out: Path,
    recipe: Recipe,
    output: OutputSettings = OutputSettings(),  # noqa: B008 - frozen
    *,
    model: AnoCLIP | None = None,
    cluster: ClusterSettings | None = None,
    watch: bool = False,
    watching: WatchSettings = WatchSettings(),  # noqa: B008 - frozen
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> RunSummary:
    """Score images and write what comes of it: maps, records, tables, a report.

    Parameters
    ----------
    inputs : iterable of Path
        Files and folders.
    out : Path
        Folder of the results; made where it is not there. What an earlier run finished in it is not done again, as
        long as the bytes of the file and the recipe are the same.
    recipe : Recipe
        What is done to each image.
    output : OutputSettings
        What is written.
    model : AnoCLIP, optional
        Of `recipe.model`, where it is loaded already.
    cluster : ClusterSettings, optional
        Work on the workers of a cluster, and not here.
    watch : bool
        Go on looking for new and changed files, until cancelled.
    watching : WatchSettings
        How.
    on_progress : callable, optional
        Called with a `Progress` after each image, in this thread.
    cancel : CancelFlag, optional
        Polled all the time. Images that were begun are finished and the tables written first.

    Returns
    -------
    RunSummary
        Of a folder that was watched, once it was cancelled.

    Raises
    ------
    InputError
        If an input is not there, or there is no picture in any.
    OutputError
        If results cannot be written, or another run is writing to the same folder. What was finished stays.
    AnoCLIPError
        If the recipe cannot be followed.
    Cancelled
        If the flag is set, unless the folder is watched.
    """
    output.check()
    paths = [Path(path) for path in inputs]
    out = Path(out).absolute()
    found = find_inputs(paths, without=out)
    if not found and not watch:
        raise InputError(f"There is no picture in {named(map(str, paths), 3)}: give another folder.")
    with locked(out):
        remove_unfinished(out)
        report = Reporter(on_progress, cancel)
        report("loading model", 0, 1)
        model = model or recipe.model.load()
        report("loading model", 1, 1)
        scale = Scale.of(model, recipe, on_progress=on_progress, cancel=cancel)
        others = gather_others(model, found, recipe, on_progress=on_progress, cancel=cancel)
        job = _Run(model, recipe, out, output, scale, others, cluster, on_progress, cancel)
        job.write_recipe()
        stopped: Cancelled | InputError | None = None
        try:
            if watch:
                job.watch(paths, watching)
            else:
                job.do(found)
        except (Cancelled, InputError) as error:
            stopped = error
        job.sum_up()
        summary = job.summary()
    if isinstance(stopped, InputError):
        raise stopped
    if stopped is not None and not watch:
        total = len(found)
        raise Cancelled(
            f"The run was cancelled: {summary.done + summary.skipped} of {total} images are finished, and the tables "
            "have these only. Run the same command again to go on."
        )
    return summary


@dataclass
class _Run:
    """A run under way."""

    model: AnoCLIP
    recipe: Recipe
    out: Path
    output: OutputSettings
    scale: Scale
    others: Others | None
    cluster: ClusterSettings | None
    on_progress: ProgressCallback | None
    cancel: CancelFlag | None

    known: Sequence[Input] = ()
    finished: set[str] = field(default_factory=set)
    failed: dict[str, Record] = field(default_factory=dict)
    done: int = 0
    checked: Checked = field(default_factory=Checked)
    busy: Stopwatch = field(default_factory=Stopwatch)
    going: Stopwatch = field(default_factory=Stopwatch)

    def __post_init__(self) -> None:
        self.digest = recipe_digest(self.recipe, self.model.model_id, self.others)
        self.records = Records(self.out)

    def write_recipe(self) -> None:
        """Say what all results are made with."""
        content = {
            "version": __version__,
            "digest": self.digest,
            "model_id": self.model.model_id,
            "recipe": self.recipe.model_dump(mode="json"),
            "low": self.scale.low,
            "high": self.scale.high,
            "threshold": self.scale.threshold,
            "others": None if self.others is None else self.others.provenance,
        }
        file = self.out / RECIPE
        with said_in_words(file, self.out):
            if _digest_in(file) != self.digest:  # what was told of another recipe would stand beside other maps
                for name in (*TABLES, REPORT):
                    (self.out / name).unlink(missing_ok=True)
            atomic.write(file, json.dumps(content, ensure_ascii=False, indent=1))

    def do(self, inputs: Sequence[Input], among: Sequence[Input] | None = None) -> None:
        """Score what is not finished of some inputs, `among` all that there are."""
        self.known = inputs if among is None else among
        through = count()

        def one_more() -> None:
            self._tell("scoring images", next(through), len(inputs))

        one_more()
        # Closed here, and not when they are collected as garbage: in whatever thread that is, it would wait for theirs.
        with (
            self.going.running(),
            closing(
                unfinished(inputs, self.out, self.digest, self.output, self.checked, self.cancel, one_more)
            ) as todo,
            closing(self._scored(todo)) as records,
        ):
            for record in records:
                self._note(record)
                one_more()

    def watch(self, paths: Sequence[Path], settings: WatchSettings) -> None:
        """Do what is there, and whatever comes, until cancelled."""
        summing = Sparingly(_SUMMARY_SHARE)
        news = False
        for look in looks(lambda: find_inputs(paths, without=self.out), settings, self.cancel):
            news = news or bool(look.new) or len(look.found) < len(self.known)
            self.known = look.found
            if look.new:
                self.do(look.new, look.found)
            if news and summing.due:
                with summing.doing():
                    self.sum_up()
                news = False
            self._tell("watching", len(self.finished) + len(self.checked.finished), len(look.found))

    def sum_up(self) -> None:
        """Write tables and report of all that is known to be as the recipe and the files say now."""
        valid = self.finished | self.checked.finished | set(self.failed)
        inputs = sorted((one for one in self.known if one.key in valid), key=lambda one: one.key)

        def records() -> Iterator[Record]:
            for one in inputs:
                record = self.records.get(one.key)
                # What is left of another run on a cluster may still write records of another recipe.
                if record is not None and record.recipe_digest == self.digest:
                    # Where the file is now: images may be moved together with their folder.
                    yield record.model_copy(update={"path": path_text(one.path)})

        write_summaries(records, self.out, mutual=self.others is not None)
        if self.output.report:
            write_report(records, self.out, self.recipe, self.output, self.scale, self._remarks())
        else:
            with said_in_words(self.out / REPORT, self.out):
                (self.out / REPORT).unlink(missing_ok=True)  # of an earlier run, and of less than the tables

    def summary(self) -> RunSummary:
        """So far."""
        return RunSummary(
            done=self.done,
            skipped=len(self.checked.finished),
            failed=tuple(self.failed.values()),
            seconds=self.going.seconds,
            busy=self.busy.seconds,
            remarks=tuple(self._remarks()),
        )

    def _note(self, record: Record) -> None:
        for former in (self.finished, self.checked.finished):
            former.discard(record.key)
        self.failed.pop(record.key, None)
        if record.failed:
            self.failed[record.key] = record
        else:
            self.done += 1
            self.finished.add(record.key)

    def _remarks(self) -> list[str]:
        said = []
        if self.checked.outdated:
            said.append(
                f"Made with another recipe or model before, and made anew: {counted(self.checked.outdated, 'image')}."
            )
        if self.checked.changed:
            said.append(f"Another file than before, and made anew: {counted(self.checked.changed, 'image')}.")
        gone = sum(1 for _ in self.records.others({one.key for one in self.known}))
        if gone:
            said.append(
                f"Not among the inputs any more, and so not in the tables: {counted(gone, 'image')} of earlier runs."
            )
        return said

    def _scored(self, todo: Iterator[Input]) -> Generator[Record, None, None]:
        if self.cluster is None:
            return score(
                self.model,
                todo,
                self.recipe,
                self.out,
                self.output,
                scale=self.scale,
                others=self.others,
                busy=self.busy,
                cancel=self.cancel,
            )
        from napari_anoclip.batch.cluster import score_on_cluster

        return score_on_cluster(
            todo,
            self.recipe,
            self.out,
            self.output,
            self.cluster,
            model_id=self.model.model_id,
            scale=self.scale,
            others=self.others,
            on_progress=self.on_progress,
            cancel=self.cancel,
        )

    def _tell(self, stage: str, done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(stage, done, total))


def _digest_in(file: Path) -> str | None:
    """Of the recipe that a folder's results were made with, as far as that can be read."""
    try:
        found = json_of(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found.get("digest") if isinstance(found, dict) else None
