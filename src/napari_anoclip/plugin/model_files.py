"""What models there are, here and on the hub, and whether they would run: work for a worker thread, without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_anoclip.engine.errors import DeviceError
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.plugin.models import ModelChoice, start_engine
from napari_anoclip.plugin.preferences import Preferences

if TYPE_CHECKING:
    from pathlib import Path

    from napari_anoclip.engine.download import LocalModel, RemoteModel
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback


@dataclass(frozen=True)
class Outlook:
    """What is known about models without loading one.

    Attributes
    ----------
    models : tuple of LocalModel
        On this machine.
    architectures : tuple of str
        That the method works on.
    folder : Path
        Where models are kept.
    place : str
        Device and precision that the chosen model would run in, such as "CPU · fp32"; nothing where it cannot.
    problem : str
        Why it cannot, as a sentence.
    """

    models: tuple[LocalModel, ...]
    architectures: tuple[str, ...]
    folder: Path
    place: str
    problem: str


def look_around(choice: ModelChoice, preferred: Preferences) -> Outlook:
    """Find the models on this machine and what the chosen one would run on."""
    start_engine()
    from napari_anoclip.engine.architecture import supported_architectures
    from napari_anoclip.engine.backbone import check_precision, choose_device
    from napari_anoclip.engine.download import default_models_folder, local_models

    place = problem = ""
    try:
        device = choose_device(choice.device)
        check_precision(choice.precision, device)
        place = f"{str(device).upper()} · {choice.precision}"
    except DeviceError as error:
        problem = str(error)
    return Outlook(
        tuple(local_models(preferred.models_path)),
        tuple(supported_architectures()),
        preferred.models_path or default_models_folder(),
        place,
        problem,
    )


def ask_hub(name: str, preferred: Preferences) -> RemoteModel:
    """Ask how large a model is and where it would go.

    Raises
    ------
    ModelError
        If there is no such model; `DownloadError` if the hub does not answer.
    """
    start_engine()
    from napari_anoclip.engine.download import remote_model

    return remote_model(name, preferred.models_path)


def fetch(name: str, preferred: Preferences, on_progress: ProgressCallback, cancel: CancelFlag) -> Path:
    """Download a model, unless it is here.

    Raises
    ------
    DownloadError
        If that fails.
    Cancelled
        If the flag is set; nothing is left behind.
    """
    start_engine()
    from napari_anoclip.engine.download import local_or_downloaded, registered

    _, entry = registered(name)
    reporter = Reporter(on_progress, cancel)
    return local_or_downloaded(entry, name, download=True, models_folder=preferred.models_path, reporter=reporter)
