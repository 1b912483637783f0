"""What a review can be exported to, and the work of it. Exporters are imported by the worker: they are heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.models import start_engine
from napari_anoclip.review.judgement import ImageReview

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.review.exports.target import Exported
    from napari_anoclip.review.metrics import Figures


@dataclass(frozen=True)
class Content:
    """What is exported, as it was when it was asked for.

    Attributes
    ----------
    images : tuple of ImageReview
        All of the review; exporters leave out what was not judged.
    kinds : tuple of str
        Kinds of defect.
    pictures : mapping
        Array-like by the image's key, not read yet; None where there is none.
    path_of : callable
        Gives an image's file, or None.
    title : str
        Of the review.
    false_positives : bool
        Whether regions judged false are annotations, too, where that is a choice.
    figures, settings, prompts
        For the report.
    """

    images: tuple[ImageReview, ...]
    kinds: tuple[str, ...]
    pictures: Mapping[str, Any]
    path_of: Callable[[ImageReview], Path | None]
    title: str = "Review"
    false_positives: bool = False
    figures: Figures | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prompts: PromptSet | None = None

    def picture(self, image: ImageReview) -> Any:
        """Pixels of an image, as the exporters read them."""
        return self.pictures.get(image.key)

    def sized(self, image: ImageReview) -> Any:
        """The same, or None where its size cannot be read: exporters then take that of what the map covers."""
        picture = self.picture(image)
        try:
            return picture if picture is not None and picture.shape else None
        except (ImageError, OSError):
            return None


Export = Callable[..., "Exported"]


@dataclass(frozen=True)
class Format:
    """One way to export.

    Attributes
    ----------
    name : str
        As it is chosen.
    tip : str
        What it is for, as a sentence.
    ending : str
        Of the file's name, after that of the session: "-coco.json". Without a dot it is a folder.
    run : callable
        ``run(content, path, overwrite=..., on_progress=..., cancel=...)``, in a worker.
    choice : bool
        Whether false positives can be in it or not.
    """

    name: str
    tip: str
    ending: str
    run: Export
    choice: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it writes a folder."""
        return "." not in self.ending


def _coco(content: Content, path: Path, *, rle: bool, **how: Any) -> Exported:
    from napari_anoclip.review.exports.coco import export_coco

    return export_coco(
        content.images,
        path,
        content.sized,
        path_of=content.path_of,
        kinds=content.kinds,
        false_positives=content.false_positives,
        rle=rle,
        **how,
    )


def _masks(content: Content, path: Path, **how: Any) -> Exported:
    from napari_anoclip.review.exports.masks import export_masks

    return export_masks(content.images, path, content.sized, path_of=content.path_of, **how)


def _label_studio(content: Content, path: Path, **how: Any) -> Exported:
    from napari_anoclip.review.exports.label_studio import export_label_studio

    return export_label_studio(content.images, path, content.sized, path_of=content.path_of, kinds=content.kinds, **how)


def _table(content: Content, path: Path, **how: Any) -> Exported:
    from napari_anoclip.review.exports.table import export_table

    judged = (image for image in content.images if image.judged)
    return export_table(judged, path, path_of=content.path_of, **how)


def _labels(content: Content, path: Path, **how: Any) -> Exported:
    from napari_anoclip.review.exports.label_tiff import export_labels

    return export_labels(content.images, path, content.sized, path_of=content.path_of, **how)


def _report(content: Content, path: Path, **how: Any) -> Exported:
    start_engine()
    from napari_anoclip.review.exports.report import export_report

    return export_report(
        content.images,
        path,
        content.picture,
        path_of=content.path_of,
        title=content.title,
        figures=content.figures,
        settings=content.settings,
        prompts=content.prompts,
        **how,
    )


FORMATS = (
    Format(
        "HTML report",
        "One file to look at, print or hand on: pictures with their regions, figures, settings and prompts.",
        "-report.html",
        _report,
    ),
    Format(
        "COCO, polygons",
        "COCO JSON for training and evaluation. Regions with holes are run lengths.",
        "-coco.json",
        partial(_coco, rle=False),
        choice=True,
    ),
    Format(
        "COCO, run lengths (RLE)",
        "COCO JSON in which each region is exact to the pixel.",
        "-coco-rle.json",
        partial(_coco, rle=True),
        choice=True,
    ),
    Format(
        "Masks as in MVTec AD",
        "A folder with test and ground_truth. Only images that were judged as a whole and have no unsure region.",
        "-masks",
        _masks,
    ),
    Format(
        "Label Studio",
        "Tasks with their annotations as JSON, and the labelling interface as XML beside it. No stacks.",
        "-label-studio.json",
        _label_studio,
    ),
    Format("CSV of regions", "A row for each region, for a spreadsheet, pandas or R.", "-regions.csv", _table),
    Format(
        "Labelled TIFF",
        "A folder with a label image for each image; what was said of each region stands in the file.",
        "-labels",
        _labels,
    ),
)


def export(
    how: Format, content: Content, path: Path, overwrite: bool, on_progress: ProgressCallback, cancel: CancelFlag
) -> Exported:
    """Export; for a worker.

    Parameters
    ----------
    how : Format
        To what.
    content : Content
        What.
    path : Path
        File, or folder.
    overwrite : bool
        Whether what is there may be replaced.
    on_progress, cancel
        As for the engine.

    Raises
    ------
    ExportExists, ExportError
        If something is there, or it cannot be written.
    Cancelled
        If the cancel flag was set; nothing was written.
    """
    return how.run(content, path, overwrite=overwrite, on_progress=on_progress, cancel=cancel)
