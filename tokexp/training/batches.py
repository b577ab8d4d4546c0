"""The sequences of a step, gathered where the model is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tokexp.encoding.stream import TokenStream


def runs_ahead(device: torch.device) -> bool:
    """Whether steps are launched ahead of the device, since reading a figure would wait for it: on CUDA."""
    return device.type == "cuda"


class Batches:
    """The sequences of a step, gathered where the model is."""

    def __init__(self, data: TokenStream, block_size: int, device: torch.device) -> None:
        self._device = device
        self.run_ahead = runs_ahead(device)
        window = np.arange(block_size + 1)
        if self.run_ahead:
            self._ids = torch.from_numpy(data.ids.astype(np.int32)).to(device)
            self._window = torch.from_numpy(window).to(device)
        else:
            # A view of every window that the text has; what is read of it is copied, no more.
            self._windows = np.lib.stride_tricks.sliding_window_view(data.ids, len(window))

    def send(self, offsets: np.ndarray) -> Tensor:
        """Offsets on their way to the device, without waiting until they are there."""
        here = torch.from_numpy(offsets)
        return (here.pin_memory() if self._device.type == "cuda" else here).to(self._device, non_blocking=True)

    def gather(self, offsets: Tensor) -> Tensor:
        """Ids (..., T + 1), int64, from offsets that are on the device."""
        return self._ids[offsets[..., None] + self._window].long()

    def read(self, offsets: np.ndarray) -> Tensor:
        """Ids (..., T + 1), int64, on the device, from offsets that are not."""
        return torch.from_numpy(self._windows[offsets].astype(np.int64)).to(self._device)
