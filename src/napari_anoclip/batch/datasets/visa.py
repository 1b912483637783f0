"""VisA as it is unpacked: pictures by category, and a table that says which are for testing."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from napari_anoclip.batch.datasets.folders import find, folders_in, same_name
from napari_anoclip.batch.datasets.layouts import refuse_missing
from napari_anoclip.batch.datasets.masks import MaskFile, NoDefect
from napari_anoclip.batch.datasets.model import DataSetError, Sample

COLUMNS = ("object", "split", "label", "image", "mask")


@dataclass(frozen=True)
class SplitFile:
    """Categories, split and labels are those of a table with the columns object, split, label, image, mask.

    Attributes
    ----------
    table : str
        Where it is in the data set's folder.
    """

    particular: ClassVar[bool] = True

    table: str = "split_csv/1cls.csv"

    @property
    def expected(self) -> str:
        """What has to be in the folder."""
        return f"{self.table} with CATEGORY/Data/Images"

    @property
    def parts(self) -> tuple[str, ...]:
        """The folder of the table."""
        return (self.table.split("/")[0],)

    def categories(self, root: Path) -> list[str]:
        """Those of the table whose folders are there, as one may have unpacked only some."""
        table = find(root, self.table)
        if table is None:
            self._refuse_without_table(root)
            return []
        present = {same_name(folder.name) for folder in folders_in(root)}
        return [name for name in dict.fromkeys(row["object"] for row in _rows(table)) if same_name(name) in present]

    def samples(self, root: Path, category: str) -> list[Sample]:
        """Rows of the test split, good ones first."""
        table = find(root, self.table)
        rows = [
            row for row in _rows(table or root / self.table) if row["object"] == category and row["split"] == "test"
        ]
        samples, missing = [], []
        for row in sorted(rows, key=lambda row: (row["label"] != "normal", row["image"])):
            image = find(root, row["image"])
            if image is None:
                raise DataSetError(
                    f"{root / row['image']} is not there, but {table} names it: unpack the data set again."
                )
            if row["label"] == "normal":
                samples.append(Sample(image, False, NoDefect(image)))
            elif row["mask"] and (mask := find(root, row["mask"])) is not None:
                samples.append(Sample(image, True, MaskFile(mask, image), "anomaly"))
            else:
                missing.append((image, root / (row["mask"] or "MASK")))
        refuse_missing(missing)
        return samples

    def _refuse_without_table(self, root: Path) -> None:
        if any(find(folder, "Data/Images/Normal") is not None for folder in folders_in(root)):
            raise DataSetError(
                f"{root} has VisA's pictures, but not {self.table}, which says which of them are for testing: copy it "
                "there from the data set's page."
            )


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{key: (row[key] or "").strip() for key in COLUMNS} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DataSetError(
            f"{table} cannot be read as a table with the columns {', '.join(COLUMNS)}: copy it again from the data "
            "set's page."
        ) from error
    return rows
