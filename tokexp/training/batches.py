"""Gather the sequences of a step, in the CPU's memory or on the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tokexp.encoding.stream import TokenStream


def runs_ahead(device: torch.device) -> bool:
    """Whether steps are launched ahead of the device, since reading a figure would wait for it: on CUDA."""
    return device.type == "cuda"


class HostBatches:
    """A text in the CPU's memory, of which the sequences of a step are sent to the device."""

    def __init__(self, data: TokenStream, block_size: int, device: torch.device) -> None:
        self._device = device
        # A view of every window that the text has; what is read of it is copied, no more.
        self._windows = np.lib.stride_tricks.sliding_window_view(data.ids, block_size + 1)

    def read(self, offsets: np.ndarray) -> Tensor:
        """Ids (..., T + 1), int64, on the device."""
        return torch.from_numpy(self._windows[offsets].astype(np.int64)).to(self._device)


class DeviceBatches:
    """A text that lies on the device, and only the offsets of a step's sequences are sent there."""

    def __init__(self, data: TokenStream, block_size: int, device: torch.device) -> None:
        self._device = device
        self._ids = torch.from_numpy(data.ids.astype(np.int32)).to(device)
        self._window = torch.arange(block_size + 1, device=device)

    def send(self, offsets: np.ndarray) -> Tensor:
        """Offsets on their way to the device, without waiting until they are there."""
        here = torch.from_numpy(offsets)
        return (here.pin_memory() if self._device.type == "cuda" else here).to(self._device, non_blocking=True)

    def gather(self, offsets: Tensor) -> Tensor:
        """Ids (..., T + 1), int64, from offsets that are on the device."""
        return self._ids[offsets[..., None] + self._window].long()


def make_batches(data: TokenStream, block_size: int, device: torch.device) -> HostBatches | DeviceBatches:
    """Put the text where steps on `device` want it."""
    kind = DeviceBatches if runs_ahead(device) else HostBatches
    return kind(data, block_size, device)
