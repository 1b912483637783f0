"""The plain loop: images are read, encoded, scored and written side by side on one machine."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_anoclip.batch.ahead import BATCH, encoded_map
from napari_anoclip.batch.errors import OutputError
from napari_anoclip.batch.inputs import Input, file_digest, read_input
from napari_anoclip.batch.outputs import OutputSettings, Scale, remove_map, said_in_words, write_map
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Record, RecordedRegion, Records, as_text, pack_token, path_text
from napari_anoclip.batch.stopwatch import Stopwatch
from napari_anoclip.engine import AnoCLIP
from napari_anoclip.engine.batching import memory_for_an_image
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, ImageError
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.progress import CancelFlag
from napari_anoclip.review.pictures import file_version
from napari_anoclip.review.regions import find_regions

if TYPE_CHECKING:
    from napari_anoclip.engine.mutual import Others

MAX_MAP_PIXELS = 64 << 20
"""A larger image gets one value of the map for each block of pixels."""


@dataclass
class _Job:
    """An input on its way, and what its reader learned of its file."""

    input: Input
    digest: str = ""


def score(
    model: AnoCLIP,
    inputs: Iterable[Input],
    recipe: Recipe,
    out: Path,
    output: OutputSettings = OutputSettings(),  # noqa: B008 - frozen
    *,
    scale: Scale | None = None,
    others: Others | None = None,
    batch: int = BATCH,
    readers: int | None = None,
    writers: int | None = None,
    busy: Stopwatch | None = None,
    cancel: CancelFlag | None = None,
) -> Generator[Record, None, None]:
    """Score images and write map and record of each; what is there already is written anew.

    Parameters
    ----------
    model : AnoCLIP
        Of `recipe.model`.
    inputs : iterable of Input
        Taken a few at a time.
    recipe : Recipe
    out : Path
        Folder of the results.
    output : OutputSettings
    scale : Scale, optional
        Of this model and recipe, where it is known.
    others : Others, optional
        What images are compared with, where the recipe has mutual scoring.
    batch : int
        Images encoded together.
    readers, writers : int, optional
        Threads that decode, and that find regions and write; as many as suit the device otherwise.
    busy : Stopwatch, optional
        Counts the time spent encoding.
    cancel : CancelFlag, optional
        Polled all the time; what an image was begun with is finished first.

    Yields
    ------
    Record
        Of each image, in the order of `inputs`, after it was written; with its error where the image failed.

    Raises
    ------
    OutputError
        If something cannot be written.
    PromptError, ModelError
        If the recipe cannot be followed.
    Cancelled
        If the flag is set.
    """
    output.check()
    scale = scale or Scale.of(model, recipe, cancel=cancel)
    # Before any image: what is wrong with the prompts is wrong with all of them.
    model.encode_prompts(recipe.prompts, recipe.settings.scoring.mean_order, cancel=cancel)
    work = _Work(model, recipe, out, output, scale, others)
    yield from encoded_map(
        model,
        map(_Job, inputs),
        _read,
        work.finish,
        [recipe.settings if others is None else others.still_asks(recipe.settings)],
        batch=batch,
        readers=readers,
        users=writers,
        busy=busy,
        cancel=cancel,
    )


def recipe_digest(recipe: Recipe, model_id: str, others: Others | None = None) -> str:
    """Identify all that decides what comes of an image, besides its file.

    Parameters
    ----------
    recipe : Recipe
    model_id : str
        `AnoCLIP.model_id`.
    others : Others, optional
        What images are compared with, where the recipe has mutual scoring: with other ones it is another result.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = recipe.digest(model_id)
    if others is None:
        return digest
    return hashlib.blake2b(f"{digest} {others.digest}".encode(), digest_size=16).hexdigest()


def known(one: Input, recipe_digest: str, scale: Scale) -> dict[str, Any]:
    """What a record says of an input before anything came of it."""
    return {
        "key": one.key,
        "path": path_text(one.path),
        "plane": one.plane,
        "recipe_digest": recipe_digest,
        "threshold": scale.threshold,
    }


class _Work:
    """What is done with an image whose tokens are known."""

    def __init__(
        self,
        model: AnoCLIP,
        recipe: Recipe,
        out: Path,
        output: OutputSettings,
        scale: Scale,
        others: Others | None,
    ) -> None:
        self._model, self._recipe, self._out, self._output, self._scale = model, recipe, out, output, scale
        self._others = others
        self._digest = recipe_digest(recipe, model.model_id, others)
        self._records = Records(out)

    def finish(self, job: _Job, source: ImageSource | AnoCLIPError) -> Record:
        """Score, find regions, write the map, and the record last."""
        started = time.perf_counter()
        key = job.input.key
        with said_in_words(self._records.file(key), self._out):
            former = self._records.get(key)
            self._records.remove(key)  # it vouches for a map that is about to be replaced
            record = self._scored(job, source) if isinstance(source, ImageSource) else self._failed(job, source)
            record = record.model_copy(update={"seconds": time.perf_counter() - started})
            self._records.put(record)
            old = former.map if former is not None else None
            if old is not None and (record.map is None or record.map.path != old.path):
                remove_map(old, self._out)
        return record

    def _scored(self, job: _Job, source: ImageSource) -> Record:
        try:
            with memory_for_an_image():
                return self._measured(job, source)
        except (Cancelled, OutputError):
            raise
        except AnoCLIPError as error:
            return self._failed(job, error)

    def _measured(self, job: _Job, source: ImageSource) -> Record:
        block = max(1, math.ceil(math.sqrt(math.prod(source.size) / MAX_MAP_PIXELS)))
        found = self._model.detect(
            source, self._recipe.prompts, self._recipe.settings, block=block, others=self._others
        )
        token = "" if self._others is None else self._class_token(source)
        maximum = float(found.map.max())
        # Most images of a production have nothing above it, and looking for nothing takes as long.
        above = maximum > self._scale.threshold
        regions = find_regions(found.map, self._scale.threshold, self._recipe.regions) if above else []
        return Record(
            **self._known(job),
            score=found.score,
            maximum=maximum,
            size=source.size,
            block=block,
            regions=tuple(map(RecordedRegion.of, regions)),
            map=write_map(found.map, self._out, job.input.key, self._output.maps, self._scale),
            class_token=token,
        )

    def _class_token(self, source: ImageSource) -> str:
        """Of the coarsest scale, the mean over its tiles: by it images are told to be alike."""
        coarsest = self._model.tokens(source, self._recipe.settings)[0]
        return pack_token(coarsest.cls.mean(dim=0).cpu().numpy())

    def _failed(self, job: _Job, error: AnoCLIPError) -> Record:
        return Record(**self._known(job), error=as_text(str(error)))

    def _known(self, job: _Job) -> dict[str, Any]:
        return {**known(job.input, self._digest, self._scale), "file_digest": job.digest}


def _read(job: _Job) -> Any:
    """Pixels, and the digest of the very bytes that they come from."""
    path = job.input.path
    before = file_version(path)
    # A stack is hashed once for all of its planes.
    job.digest = file_digest(path) if job.input.plane is None else _digest_in_state(path, before)
    pixels = read_input(job.input)
    if file_version(path) != before:
        job.digest = ""
        raise ImageError(f"{path.name} was written to while it was read: run again once it is complete.")
    return pixels


@lru_cache(maxsize=16)
def _digest_in_state(path: Path, _: tuple[int, int] | None) -> str:
    return file_digest(path)
