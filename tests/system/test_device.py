"""A device that is not there is refused in one line."""

from __future__ import annotations

import pytest
import torch

from tokexp.config import InputError
from tokexp.system.device import resolve_device


@pytest.mark.parametrize(("name", "message"), [("quantum", "expected auto, cpu"), ("cuda:99", "torch finds no CUDA")])
def test_device_that_is_not_there(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        resolve_device(name)
