"""The one door to open_clip, for importing it can end the process beside a graphics driver that brings an LLVM.

Mesa draws with the help of libLLVM where there is no graphics card, and on AMD's, and makes its names known to the
whole process. open_clip brings torchvision, and that triton, which holds another LLVM: bound to Mesa's names it ends
the process, at once or at a later picture, now and then also when it is told to look at its own names first. (The same
between TensorFlow and triton: https://github.com/tensorflow/tensorflow/issues/124205.) triton compiles for graphics
cards and nothing here is compiled, so that it can stay out.
"""

from __future__ import annotations

import sys
from pathlib import Path

MAPS = Path("/proc/self/maps")
"""Which files are mapped into this process. Only Linux has it, and only there is Mesa."""


def keep_triton_out() -> None:
    """Let importing triton fail as if it were not installed, where an LLVM of somebody else's is in the process."""
    if "triton" not in sys.modules and MAPS.exists() and b"/libLLVM" in MAPS.read_bytes():
        sys.modules["triton"] = None  # type: ignore[assignment]  # which is how Python notes what cannot be imported


keep_triton_out()

import open_clip  # noqa: E402
from open_clip.model import CLIP  # noqa: E402
from open_clip.tokenizer import SimpleTokenizer  # noqa: E402
from open_clip.transformer import QuickGELU, ResidualAttentionBlock, VisionTransformer  # noqa: E402

__all__ = ["CLIP", "QuickGELU", "ResidualAttentionBlock", "SimpleTokenizer", "VisionTransformer", "open_clip"]
