"""What a run needs and what it gives, as plain values, and the run itself. No Qt: it is called in the worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_anoclip.plugin.models import ModelChoice, ModelHolder

if TYPE_CHECKING:
    from napari_anoclip.engine.calibration import DisplayRange
    from napari_anoclip.engine.detector import Detection
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.settings import AnoCLIPSettings
    from napari_anoclip.plugin.layers import Plane


@dataclass(frozen=True)
class RunRequest:
    """All that was chosen in the dock when Run was pressed."""

    plane: Plane
    prompts: PromptSet
    settings: AnoCLIPSettings
    model: ModelChoice

    def run(self, models: ModelHolder, on_progress: ProgressCallback, cancel: CancelFlag) -> RunResult:
        """Load the model where needed, score the plane, and calibrate the colours it is shown in.

        Raises
        ------
        AnoCLIPError
            With the sentence to show; `Cancelled` when the flag was seen.
        """
        with models.borrow(self.model, on_progress, cancel) as model:
            detection = model.detect(
                self.plane.read(),
                self.prompts,
                self.settings,
                contrast_limits=self.plane.contrast_limits,
                on_progress=on_progress,
                cancel=cancel,
            )
            display = model.display_range(self.prompts, self.settings, on_progress=on_progress, cancel=cancel)
        return RunResult(self.plane, detection, display)


@dataclass(frozen=True)
class RunResult:
    """A scored plane and the range its map is shown in."""

    plane: Plane
    detection: Detection
    display: DisplayRange

    @property
    def limits(self) -> tuple[float, float]:
        """Probabilities that the first and the last colour stand for."""
        return self.display.low, self.display.high

    @property
    def hottest(self) -> tuple[float, tuple[int, int]]:
        """The map's largest value and its (row, column)."""
        values = self.detection.map
        row, column = divmod(int(values.argmax()), values.shape[1])
        return float(values[row, column]), (row, column)

    def record(self) -> dict[str, Any]:
        """Settings, provenance and scores, for ``layer.metadata``: JSON-like."""
        value, at = self.hottest
        return {
            "score": self.detection.score,
            "hottest": {"value": value, "row": at[0], "column": at[1]},
            "plane": list(self.plane.index),
            "display_range_source": self.display.source,
            "losses": list(self.detection.losses),
            "seconds": self.detection.seconds,
            "provenance": self.detection.provenance,
        }
