"""Which machine, which versions and which hour a table of figures belongs to."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import open_clip
import torch


def describe() -> str:
    """One line to stand above a table."""
    parts = [_processor(), f"{os.cpu_count()} cores", f"{torch.get_num_threads()} torch threads"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    if hasattr(os, "getloadavg"):
        parts.append(f"load {os.getloadavg()[0]:.1f}")
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, open_clip {open_clip.__version__}"
    return f"{', '.join(parts)}; {versions}; {time.strftime('%Y-%m-%d')}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((row.split(":")[1].strip() for row in lines if row.startswith("model name")), platform.processor())
