"""Data sets on the disk as samples with their truth; nothing is downloaded."""

from napari_anoclip.batch.datasets.catalogue import DATASETS, folder_data_set
from napari_anoclip.batch.datasets.general import FolderSettings
from napari_anoclip.batch.datasets.model import Category, DataSet, DataSetError, Noun, Sample

__all__ = [
    "DATASETS",
    "Category",
    "DataSet",
    "DataSetError",
    "FolderSettings",
    "Noun",
    "Sample",
    "folder_data_set",
]
