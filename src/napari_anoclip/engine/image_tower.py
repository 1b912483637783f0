"""The image tower at work: inputs go through it in batches that its device has room for."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from napari_anoclip.engine import vision
from napari_anoclip.engine.backbone import Backbone
from napari_anoclip.engine.batching import run_in_batches
from napari_anoclip.engine.vision import VisualTokens

Read = Callable[[int, int], Tensor]
"""Takes (start, stop) and gives inputs (stop - start, 3, H, W), normalised."""

OnBatch = Callable[[int, int], None]
"""Called with the inputs done and how many there are, before the first batch and after each; may raise to stop."""

_MAX_BATCH = 64
_CPU_BATCH = 8


class ImageTower:
    """Runs a model's image tower, and keeps nothing.

    Each of its methods raises `DeviceMemoryError` if memory runs out even for one input.

    Parameters
    ----------
    backbone : Backbone
        The model.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    def encode(self, count: int, read: Read, vv_blocks: int, on_batch: OnBatch | None = None) -> VisualTokens:
        """Encode into V-V patch tokens and class tokens.

        Parameters
        ----------
        count : int
            How many inputs there are.
        read : callable
            Gives them.
        vv_blocks : int
            How many of the last blocks the V-V path covers.
        on_batch : callable, optional
            Called for each batch.

        Returns
        -------
        VisualTokens
            float32, on the model's device.
        """
        # Into one tensor: parts joined at the end would need the memory twice.
        whole: list[VisualTokens] = []

        def encode(start: int, stop: int) -> None:
            with torch.inference_mode():
                batch = read(start, stop).to(self._backbone.device, self._backbone.dtype)
                part = vision.encode(self._backbone.visual, batch, vv_blocks=vv_blocks)
            # Out of inference mode: adaptation trains on these.
            if not whole:
                patches, cls = (
                    torch.empty((count, *one.shape[1:]), dtype=torch.float32, device=one.device)
                    for one in (part.patches, part.cls)
                )
                whole.append(VisualTokens(patches, cls, part.grid))
            whole[0].patches[start:stop] = part.patches
            whole[0].cls[start:stop] = part.cls

        run_in_batches(encode, count, self._batch_size(), on_batch)
        return whole[0]

    def layers(self, count: int, read: Read, on_batch: OnBatch) -> Tensor:
        """Encode into patch tokens of the original path after several blocks, (T, count, L, W) not normalised."""

        def encode(start: int, stop: int) -> Tensor:
            batch = read(start, stop).to(self._backbone.device, self._backbone.dtype)
            with torch.inference_mode():
                return vision.layer_tokens(self._backbone.visual, batch).float()

        return torch.cat(run_in_batches(encode, count, self._batch_size(), on_batch), dim=1)

    def classes(self, count: int, read: Read, on_batch: OnBatch) -> Tensor:
        """Encode into class tokens alone, (count, C) projected, not normalised."""

        def encode(start: int, stop: int) -> Tensor:
            with torch.inference_mode():
                return vision.class_token(self._backbone.visual, read(start, stop))

        return torch.cat(run_in_batches(encode, count, self._batch_size(), on_batch)).float()

    def _batch_size(self) -> int:
        """Inputs at once: on CUDA by free memory, elsewhere a number beyond which nothing is gained."""
        if self._backbone.device.type != "cuda":
            return _CPU_BATCH
        free, _ = torch.cuda.mem_get_info(self._backbone.device)
        visual = self._backbone.visual
        tokens = math.prod(visual.grid_size) + 1
        width = int(visual.class_embedding.shape[0])
        # Live at the same time in a block: both paths, queries, keys, values, and the MLP's four-fold width.
        input_bytes = tokens * width * 16 * self._backbone.dtype.itemsize
        return max(1, min(_MAX_BATCH, int(free * 0.5 / input_bytes)))
