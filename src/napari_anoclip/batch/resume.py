"""Which images are finished already: by their bytes and the recipe, never by their names alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from napari_anoclip.batch.inputs import Input, file_digest
from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.records import Records
from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.engine.progress import CancelFlag

_THREADS = 4


@dataclass
class Checked:
    """What was found out so far.

    Attributes
    ----------
    finished : set of str
        Keys of images of which a record counts.
    outdated : int
        Records made by another recipe.
    changed : int
        Records of files that hold something else now.
    """

    finished: set[str] = field(default_factory=set)
    outdated: int = 0
    changed: int = 0


def unfinished(
    inputs: Iterable[Input],
    out: Path,
    digest: str,
    output: OutputSettings,
    checked: Checked,
    cancel: CancelFlag | None = None,
    on_finished: Callable[[], None] = lambda: None,
) -> Generator[Input, None, None]:
    """Leave out what is finished; files are hashed by threads, a few ahead.

    Parameters
    ----------
    inputs : iterable of Input
    out : Path
        Folder of the results.
    digest : str
        Of the recipe.
    output : OutputSettings
        A map that is not there as it is wanted makes an image unfinished.
    checked : Checked
        Written into.
    cancel : CancelFlag, optional
        Polled for each image.
    on_finished : callable
        Called for each that is left out, in this thread.

    Yields
    ------
    Input
        In order.

    Raises
    ------
    Cancelled
        If the flag is set.
    """
    records = Records(out)
    hashed = lru_cache(maxsize=2 * _THREADS)(_digest)

    def state(one: Input) -> str:
        record = records.get(one.key)
        if record is None or record.failed:  # what failed may have lacked memory only: it is tried again
            return "new"
        if record.recipe_digest != digest:
            return "outdated"
        if not output.finished(record.map, out):
            return "new"
        return "finished" if hashed(one.path) == record.file_digest else "changed"

    def told(one: Input, found: str) -> bool:
        if found == "finished":
            checked.finished.add(one.key)
            on_finished()
        checked.outdated += found == "outdated"
        checked.changed += found == "changed"
        return found != "finished"

    with ThreadPoolExecutor(_THREADS, "anoclip-check") as pool:
        ahead: deque[tuple[Input, Future[str]]] = deque()
        try:
            for one in inputs:
                if cancel is not None and cancel.is_set():
                    raise Cancelled("The run was cancelled.")
                ahead.append((one, pool.submit(state, one)))
                if len(ahead) > 4 * _THREADS:
                    first, future = ahead.popleft()
                    if told(first, future.result()):
                        yield first
            while ahead:
                first, future = ahead.popleft()
                if told(first, future.result()):
                    yield first
        finally:
            for _, future in ahead:
                future.cancel()


def _digest(path: Path) -> str | None:
    try:
        return file_digest(path)
    except ImageError:
        return None
