"""Export what was judged, and import what was judged elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.plugin.exporting import FORMATS, Content, Format, export
from napari_anoclip.plugin.importing import Found, read_coco, read_masks, take_in
from napari_anoclip.plugin.job import Job, JobState, Work
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.progress_line import ProgressLine
from napari_anoclip.plugin.reviewed_pixels import path_of
from napari_anoclip.plugin.style import breakable, ignore_wheel_unless_focused, muted
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.target import Exported, ExportExists
from napari_anoclip.review.imports.problems import UnknownImage, UnsafeName, WrongFolder, WrongSize

if TYPE_CHECKING:
    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.review.metrics import Figures

NOTHING = "Nothing was judged yet. Judge a region, or press G on a good image, and export then."
CANCELLED = "Cancelled. Nothing was changed."

_ELSEWHERE = (UnknownImage, UnsafeName, WrongFolder, WrongSize)
"""What can be put right by choosing the folder that the pictures are in."""

_OPENED = (".html", ".csv")
"""Files that are opened themselves; of others their folder is."""


class ExportPanel(QWidget):
    """Chooses a format and a place, and writes all judged images there in a thread; reads others' work in one.

    Parameters
    ----------
    reviewer : Reviewer
        What is exported, and where what is imported goes.
    figures : callable, optional
        Gives how good the maps are, for the report; None while that is not known.
    """

    def __init__(
        self, reviewer: Reviewer, figures: Callable[[], Figures | None] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._figures = figures or (lambda: None)
        self._folder: Path | None = None
        self._again: Callable[[], None] | None = None
        self._waiting: Found | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_done)
        self.job.failed.connect(self._on_failed)
        self.job.cancelled.connect(lambda: self.notice.say(CANCELLED))
        self.job.state_changed.connect(self._follow)
        self._lay_out()
        self._on_format()
        self._follow(self.job.state)
        reviewer.session_changed.connect(self._on_session)

    @property
    def format(self) -> Format:
        """What is exported to."""
        return FORMATS[self.formats.currentIndex()]

    def export(self, path: Path, overwrite: bool = False) -> None:
        """Export to a file or folder; whether what is there may be replaced is asked by a button."""
        content = self._content()
        if not any(image.judged for image in content.images):
            self.notice.say(NOTHING)
            return
        how = self.format
        self._folder = path.parent
        self._start(partial(export, how, content, path, overwrite), lambda: self.export(path, overwrite=True))

    def import_coco(self, file: Path, folder: Path | None = None) -> None:
        """Take in COCO annotations; where pictures are not found, their folder is asked for by a button."""
        self._start(partial(read_coco, file, folder), partial(self._ask_for_pictures, file))

    def import_masks(self, folder: Path) -> None:
        """Take in a data set in MVTec's layout."""
        self._start(partial(read_masks, folder))

    def close_down(self) -> None:
        """Stop what is under way, before the dock or the viewer goes."""
        self.job.close()
        self._reviewer.session_changed.disconnect(self._on_session)

    def _lay_out(self) -> None:
        self.formats = QComboBox()
        for index, one in enumerate(FORMATS):
            self.formats.addItem(one.name)
            self.formats.setItemData(index, one.tip, Qt.ItemDataRole.ToolTipRole)
        self.formats.setAccessibleName("What to export to")
        self.formats.setToolTip("What all judged images are written as.")
        self.formats.setMinimumContentsLength(12)
        ignore_wheel_unless_focused(self.formats)
        self.formats.currentIndexChanged.connect(lambda _: self._on_format())
        self.false_positives = QCheckBox("with false positives")
        self.false_positives.setAccessibleName("Export false positives, too")
        self.false_positives.setToolTip("Regions judged false get annotations of a category of their own.")
        self._tip = muted(QLabel())
        self.export_button = QPushButton("Export…")
        self.export_button.setAccessibleName("Export what was judged")
        self.export_button.setToolTip("Choose where, and write all images of which something was judged.")
        self.export_button.clicked.connect(self._ask_where)
        self.import_button = QPushButton("Import")
        self.import_button.setAccessibleName("Import what was judged elsewhere")
        self.import_button.setToolTip("Take in annotations or masks of images, as already judged.")
        menu = QMenu(self.import_button)
        menu.addAction("COCO annotations…", self._ask_for_coco)
        menu.addAction("Data set with masks (MVTec layout)…", self._ask_for_masks)
        self.import_button.setMenu(menu)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setAccessibleName("Cancel the export or import")
        self.cancel_button.setToolTip("Stop; nothing is changed.")
        self.cancel_button.clicked.connect(self.job.cancel)
        self.notice = Notice()
        buttons = QHBoxLayout()
        for button in (self.export_button, self.import_button, self.cancel_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.formats, self._tip, self.false_positives):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        for widget in (ProgressLine(self.job, "Progress of the export or import"), self.notice):
            layout.addWidget(widget)

    def _follow(self, state: JobState) -> None:
        busy = self.job.busy
        self.export_button.setEnabled(not busy)
        self.import_button.setEnabled(not busy)
        self.cancel_button.setVisible(busy)
        self.cancel_button.setEnabled(state is JobState.RUNNING)

    def _on_format(self) -> None:
        self._tip.setText(self.format.tip)
        self.false_positives.setVisible(self.format.choice)

    def _start(self, work: Work, again: Callable[[], None] | None = None) -> None:
        """Begin something; `again` is how it is tried anew once it failed for what the user can decide."""
        if self.job.start(work):
            self._again = again
            self.notice.clear()

    def _ask_where(self) -> None:
        name = f"{self._title}{self.format.ending}"
        start = self._folder or self._beside
        if self.format.is_folder:
            parent = QFileDialog.getExistingDirectory(self, f"Where to make the folder {name}", str(start))
            chosen = str(Path(parent) / name) if parent else ""
        else:
            # Whether a file may be replaced is asked by the notice, for files and folders alike.
            chosen, _ = QFileDialog.getSaveFileName(
                self,
                f"Export: {self.format.name}",
                str(start / name),
                f"*{Path(name).suffix}",
                options=QFileDialog.Option.DontConfirmOverwrite,
            )
        if chosen:
            suffix = Path(name).suffix
            self.export(Path(chosen if chosen.lower().endswith(suffix) else chosen + suffix))

    def _ask_for_coco(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Import COCO annotations", str(self._folder or self._beside), "COCO (*.json)"
        )
        if chosen:
            self.import_coco(Path(chosen))

    def _ask_for_pictures(self, file: Path) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, f"The folder with the pictures of {file.name}", str(file.parent)
        )
        if chosen:
            self.import_coco(file, Path(chosen))

    def _ask_for_masks(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Import a data set: the folder with test and ground_truth", str(self._folder or self._beside)
        )
        if chosen:
            self.import_masks(Path(chosen))

    @property
    def _title(self) -> str:
        session = self._reviewer.session
        return "review" if session is None else place.fit_name(session.folder.stem)

    @property
    def _beside(self) -> Path:
        session = self._reviewer.session
        return Path.home() if session is None else session.folder.parent

    def _content(self) -> Content:
        reviewer, session = self._reviewer, self._reviewer.session
        images = tuple(reviewer.review.images.values())
        return Content(
            images=images,
            kinds=reviewer.review.kinds,
            pictures={image.key: reviewer.picture_of(image) for image in images if image.judged},
            path_of=partial(path_of, session=session),
            title=self._title,
            false_positives=self.false_positives.isChecked(),
            figures=self._figures(),
            settings=_settings(reviewer),
            prompts=reviewer.desk.controls.document.value,
        )

    def _on_done(self, done: Exported | Found) -> None:
        if isinstance(done, Exported):
            self.notice.say(breakable(done.sentence), "Open", partial(_open, done.path))
        elif self._reviewer.session is None and done.images:
            # First a place where it is kept: what comes to a session later cannot be undone there.
            self._waiting = done
            self._reviewer.open_session(done.session)
        else:
            self._take_in(done)

    def _on_session(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._take_in(waiting)

    def _take_in(self, found: Found) -> None:
        # Whoever listens looks once, not at each of a thousand images.
        with QSignalBlocker(self._reviewer):
            said = take_in(self._reviewer.review, self._reviewer.session, found)
        self.notice.say(breakable(said))
        self._reviewer.changed.emit()

    def _on_failed(self, error: AnoCLIPError) -> None:
        if isinstance(error, ExportExists):
            self.notice.say(breakable(str(error)), "Replace", self._again)
        elif isinstance(error, _ELSEWHERE):
            self.notice.say(breakable(str(error)), "Choose folder…" if self._again else "", self._again)
        else:
            self.notice.say(breakable(str(error)))


def _settings(reviewer: Reviewer) -> Mapping[str, Mapping[str, Any]]:
    """Everything that is set, by name and group, as people read it."""
    controls = reviewer.desk.controls
    groups: dict[str, dict[str, Any]] = {"model": {"name": controls.model.choice.name}}
    for name, value in controls.settings.model_dump(mode="json").items():
        if isinstance(value, dict):
            groups[name] = value
        else:
            groups["model"][name] = value
    groups["regions"] = {"threshold": reviewer.threshold, **reviewer.settings.model_dump(mode="json")}
    return {group: {name.replace("_", " "): value for name, value in of.items()} for group, of in groups.items()}


def _open(path: Path) -> None:
    """Show what was exported with the program that the system has for it."""
    shown = path if path.is_dir() or path.suffix in _OPENED else path.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(shown)))
