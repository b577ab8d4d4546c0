"""Sizes that follow from the tokenizer: the context that holds so many bytes, the width of so many parameters."""

from __future__ import annotations

import dataclasses

import pytest

from tokexp.config import DataConfig, InputError, ModelConfig, RunConfig
from tokexp.model.architecture import fill_in_sizes, nearest_width
from tokexp.model.gpt import GPT, GPTConfig

SEED = ModelConfig(n_layer=4, n_head=4, n_embd=256, block_size=128)


def parameters(model: ModelConfig, vocab_size: int) -> int:
    return sum(p.numel() for p in GPT(GPTConfig.of(model, vocab_size)).parameters())


def test_nothing_is_changed_where_nothing_is_asked() -> None:
    cfg = RunConfig(model=SEED)
    assert fill_in_sizes(cfg, 6551, 3.1) == cfg


@pytest.mark.parametrize("vocab_size", [69, 1024, 6551])
def test_equal_parameters(vocab_size: int) -> None:
    total = 3_227_648  # of the seed's size with characters
    got = fill_in_sizes(RunConfig(model=SEED, params_total=total), vocab_size, 1.0).model
    assert got.n_embd % got.n_head == 0
    assert abs(parameters(got, vocab_size) / total - 1) < 0.02
    assert dataclasses.replace(got, n_embd=256) == SEED, "only the width follows"
    assert (got.n_embd == 256) == (vocab_size == 69)


def test_no_other_width_is_nearer() -> None:
    for total in (5_000, 123_456, 3_000_000):
        got = nearest_width(SEED, 300, total)
        off = {
            width: abs(parameters(dataclasses.replace(SEED, n_embd=width), 300) - total) for width in range(4, 512, 4)
        }
        assert got == min(off, key=lambda width: off[width])


def test_rotary_positions_keep_heads_even() -> None:
    rope = dataclasses.replace(SEED, positions="rope", n_kv_head=2)
    got = fill_in_sizes(RunConfig(model=rope, params_total=3_000_000), 300, 1.0).model
    assert got.n_embd % 8 == 0
    assert abs(parameters(got, 300) / 3_000_000 - 1) < 0.02


def test_a_total_out_of_reach_is_refused() -> None:
    with pytest.raises(InputError, match=r"params_total: got 10,000, but with 6,551 tokens and 4 heads the nearest is"):
        fill_in_sizes(RunConfig(model=SEED, params_total=10_000), 6551, 1.0)


def test_context_in_bytes() -> None:
    cfg = RunConfig(model=SEED, data=DataConfig(block_bytes=256))
    assert fill_in_sizes(cfg, 69, 1.0).model.block_size == 256
    assert fill_in_sizes(cfg, 6551, 3.1).model.block_size == 83
    assert fill_in_sizes(RunConfig(data=DataConfig(block_bytes=1)), 6551, 3.1).model.block_size == 1
