"""Where a run of training keeps what it has: one folder each, outside the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .sources import work_folder

DEFAULT_RUN = "run"


@dataclass(frozen=True)
class Run:
    """A run's files.

    Attributes
    ----------
    folder : Path
        Which they are in.
    """

    folder: Path

    @classmethod
    def named(cls, name: str) -> Run:
        """The run of a name, in the work folder."""
        return cls(work_folder() / name)

    @property
    def checkpoint(self) -> Path:
        """Image tower, its moving average, optimisers and where training stood."""
        return self.folder / "checkpoint.pt"

    @property
    def text_tower(self) -> Path:
        """The text tower's weights."""
        return self.folder / "text.pt"

    @property
    def pool(self) -> Path:
        """Generated scenes."""
        return self.folder / "pool.npy"

    @property
    def log(self) -> Path:
        """Losses, pace and validation figures, line by line."""
        return self.folder / "log.txt"
