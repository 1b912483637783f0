"""All data sets that are known by name."""

from __future__ import annotations

from dataclasses import replace

from napari_anoclip.batch.datasets import anomaly_sets, defect_sets
from napari_anoclip.batch.datasets.general import Folder, FolderSettings
from napari_anoclip.batch.datasets.model import DataSet

_FOLDER = DataSet(
    key="folder",
    title="a folder of your own",
    layout=Folder(FolderSettings()),
    tree="""\
good/0001.png
defect/0001.png
masks/defect/0001.png""",
    licence="yours",
    citation="",
    page="",
    checked="",
    note="Masks are optional: without them, figures are of whole pictures only.",
)

DATASETS: dict[str, DataSet] = {
    data.key: data
    for data in (
        anomaly_sets.MVTEC,
        anomaly_sets.MVTEC_2,
        anomaly_sets.VISA,
        anomaly_sets.BTAD,
        anomaly_sets.MPDD,
        defect_sets.KSDD2,
        defect_sets.DAGM,
        defect_sets.BSDATA,
        defect_sets.MAGNETIC_TILE,
        defect_sets.CRACK_FOREST,
        defect_sets.NEU_SEG,
        anomaly_sets.DTD_SYNTHETIC,
        _FOLDER,
    )
}
"""All data sets by key."""


def folder_data_set(settings: FolderSettings) -> DataSet:
    """Describe a folder of your own: `DATASETS["folder"]` with other settings than the usual."""
    return replace(_FOLDER, layout=Folder(settings), word=settings.object or "", kind=settings.kind)
