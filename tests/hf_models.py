"""Models with random weights, to be written in Hugging Face's format and read back."""

from __future__ import annotations

from typing import Any

import torch

from tokexp.model.gpt import GPT, GPTConfig

CONTEXT = 7  # an id to stand before a text


def random_model(vocab_size: int, tie_weights: bool = False, **sizes: int) -> GPT:
    """A GPT in which every parameter tells, biases and norms too, and logits are some units apart."""
    torch.manual_seed(0)
    shape = {"block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 12, **sizes}
    model = GPT(GPTConfig(vocab_size=vocab_size, tie_weights=tie_weights, **shape)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    return model


def random_ids(model: GPT, length: int) -> torch.Tensor:
    return torch.randint(model.config.vocab_size, (3, length), generator=torch.Generator().manual_seed(length))


def assert_same_logits(ours: GPT, theirs: Any) -> None:
    for length in (1, 2, 7, 16):
        ids = random_ids(ours, length)
        with torch.no_grad():
            torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-5, rtol=1e-5)
