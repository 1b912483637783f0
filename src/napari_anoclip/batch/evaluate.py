"""A data set put to the method: category after category, each kept on the disk as soon as it is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from napari_anoclip._version import __version__
from napari_anoclip.batch.category_pass import CategoryPass, name_within
from napari_anoclip.batch.datasets import Category, DataSet, Sample
from napari_anoclip.batch.errors import BatchError, OutputError
from napari_anoclip.batch.evaluation import CategoryResult, Evaluation, Resolution, VariantResult
from napari_anoclip.batch.protocol import Protocol
from napari_anoclip.batch.recipe import ModelSpec, Recipe
from napari_anoclip.engine import AnoCLIP, atomic
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled
from napari_anoclip.engine.image_source import as_source
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.pictures import read_picture

FORMAT = 1
"""Of kept categories. A higher one makes all earlier ones count as made in another way."""

KEPT = "categories"
"""Folder of the kept categories, in the folder of results."""


def evaluate(
    data: DataSet,
    root: Path,
    variants: Mapping[str, Protocol],
    model: ModelSpec | AnoCLIP = ModelSpec(),  # noqa: B008 - a frozen value
    *,
    out: Path | None = None,
    categories: Collection[str] | None = None,
    resolution: Resolution = "native",
    limit: int | None = None,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Evaluation:
    """Measure one or several ways to evaluate on a data set.

    Parameters
    ----------
    data : DataSet
        Its description.
    root : Path
        Its folder.
    variants : mapping of str to Protocol
        By name. Those that look at the same squares of pictures share one pass of tokens.
    model : ModelSpec or AnoCLIP
        Which model, or one that is loaded.
    out : Path, optional
        Folder in which categories are kept when they are done; a second call goes on from there. What is in it counts
        only if it was made of the same pictures, by the same model, settings and prompts.
    categories : collection of str, optional
        Only these.
    resolution : {"native", "model"}
        Where pixels are counted: in the masks' own resolution, or in that of the model, to which masks are reduced by
        the nearest pixel.
    limit : int, optional
        Pictures of each category at most, spread evenly over their list.
    on_progress : callable, optional
        Called with a `Progress` after each picture.
    cancel : CancelFlag, optional
        Polled all the time.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataSetError
        If the folder does not hold the data set.
    BatchError
        If there is no variant, or a category cannot be evaluated.
    OutputError
        If a category cannot be kept; where that is plain from the folder, before any work.
    ModelError, DeviceError
        As `ModelSpec.load`.
    Cancelled
        If the flag is set; the categories that are done are kept.
    """
    if not variants:
        raise BatchError("There is nothing to evaluate: name a preset or a file of settings.")
    root = Path(root)
    chosen = [_limited(one, limit) for one in data.open(root, categories)]
    protocols = {name: one.for_data_set(data.key) for name, one in variants.items()}
    if out is not None:
        _prepare(out)
    loaded = model.load() if isinstance(model, ModelSpec) else model
    store = _Store(out, loaded.model_id, resolution, root)
    done: dict[str, list[CategoryResult]] = {name: [] for name in protocols}
    report = Reporter(on_progress, cancel)
    for number, category in enumerate(chosen):
        try:
            results = _category(loaded, category, protocols, store, resolution, root, report, cancel)
        except Cancelled as error:
            kept = f"; of {len(chosen)} categories {number} are done"
            again = (
                " and not kept: it would go on from there if it had a folder for its results (--out)"
                if out is None
                else f" and kept in {out}: the same command goes on from there"
            )
            raise Cancelled(f"The evaluation was cancelled{kept}{again}.") from error
        for name, result in results.items():
            done[name].append(result)
    return Evaluation(
        data=data.key,
        title=data.title,
        model=loaded.name,
        model_id=loaded.model_id,
        device=loaded.device,
        precision=loaded.precision,
        image_size=loaded.image_size,
        resolution=resolution,
        limit=limit,
        variants=tuple(
            VariantResult(name=name, protocol=protocol, categories=tuple(done[name]))
            for name, protocol in protocols.items()
        ),
        version=__version__,
    )


def _category(
    model: AnoCLIP,
    category: Category,
    protocols: Mapping[str, Protocol],
    store: _Store,
    resolution: Resolution,
    root: Path,
    report: Reporter,
    cancel: CancelFlag | None,
) -> dict[str, CategoryResult]:
    """Results of a category by variant: those that are kept, and the others made now."""
    kept = {name: store.get(category, protocol) for name, protocol in protocols.items()}
    results = {name: one for name, one in kept.items() if one is not None}
    together: dict[str, dict[str, Protocol]] = {}
    for name, protocol in protocols.items():
        if name not in results:
            together.setdefault(protocol.squares, {})[name] = protocol
    for some in together.values():
        work = CategoryPass(model, category, some, resolution, root, report, cancel)
        try:
            work.run()
        except Cancelled:
            raise
        except AnoCLIPError as error:
            raise BatchError(f"{category.name}: {error}") from error
        for name, protocol in some.items():
            results[name] = CategoryResult(
                category=category.name,
                object=category.object,
                kind=category.kind,
                figures=work.figures(name),
                broken=work.broken,
                seconds=work.seconds(name),
            )
            store.put(category, protocol, results[name])
    return results


def _limited(category: Category, limit: int | None) -> Category:
    count = len(category.samples)
    if limit is None or count <= limit:
        return category
    places = np.linspace(0, count - 1, limit).round().astype(int)
    samples = tuple(category.samples[place] for place in places)
    return Category(category.name, category.object, category.kind, samples)


def _prepare(out: Path) -> None:
    """Make the folder of results, before there is anything to be lost."""
    try:
        (out / KEPT).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Figures cannot be written to {out} ({atomic.reason(error)}): choose another folder."
        ) from error


class _Store:
    """Categories that are done, in files whose names say what they were made of."""

    def __init__(self, out: Path | None, model_id: str, resolution: Resolution, root: Path) -> None:
        self._folder = None if out is None else Path(out) / KEPT
        self._model_id, self._resolution, self._root = model_id, resolution, root

    def get(self, category: Category, protocol: Protocol) -> CategoryResult | None:
        """What is kept of a category, if it is the same in everything that counts."""
        if self._folder is None:
            return None
        try:
            kept = CategoryResult.model_validate_json(self._path(self._folder, category, protocol).read_bytes())
        except (OSError, ValidationError):  # not there, or of an interrupted disk: it is made anew
            return None
        left_out = {one.path for one in kept.broken}
        again = (sample for sample in category.samples if name_within(self._root, sample.image) in left_out)
        return None if any(map(_usable, again)) else kept

    def put(self, category: Category, protocol: Protocol, result: CategoryResult) -> None:
        """Keep a category."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._path(self._folder, category, protocol)
            atomic.write(path, result.model_dump_json(indent=1), durable=True)
        except OSError as error:
            raise OutputError(
                f"The figures of {category.name} cannot be kept in {self._folder} ({atomic.reason(error)}): make room "
                "or choose another folder, and give the same command again."
            ) from error

    def _path(self, folder: Path, category: Category, protocol: Protocol) -> Path:
        prompts = protocol.prompts_for(category.object, category.kind)
        recipe = Recipe(prompts=prompts, settings=protocol.settings).digest(self._model_id)
        made_by = [FORMAT, __version__, recipe, protocol.squares, protocol.neighbours, self._resolution]
        listing = [self._identity(path) for sample in category.samples for path in (sample.image, sample.mask)]
        labels = [sample.defective for sample in category.samples]
        text = json.dumps([*made_by, category.name, category.kind, listing, labels])
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        readable = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in category.name)
        return folder / f"{readable}-{digest}.json"

    def _identity(self, thing: object) -> list[object]:
        """Name, size and time of a file; of truth, of the file that it is in, or else its own numbers."""
        path = thing if isinstance(thing, Path) else getattr(thing, "path", None)
        if not isinstance(path, Path):
            values = getattr(thing, "__dict__", {}).values()
            return [type(thing).__name__, *(value for value in values if isinstance(value, str | int | float))]
        try:
            stat = path.stat()
        except OSError:
            return [name_within(self._root, path)]
        return [name_within(self._root, path), stat.st_size, stat.st_mtime_ns]


def _usable(sample: Sample) -> bool:
    """Whether a picture that was left out can be read: what was wrong may have been the disk, or little memory."""
    try:
        as_source(read_picture(sample.image))
        if sample.mask is not None:
            sample.mask()
    except AnoCLIPError:
        return False
    return True
