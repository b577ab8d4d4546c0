"""Sizes that follow from the tokenizer: the context that holds so many bytes, the width of so many parameters."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tokexp.config import DataConfig, InputError, ModelConfig, RunConfig, TrainConfig
from tokexp.model.architecture import fill_in_sizes, nearest_width, require_memory
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.sizes import least_training_bytes, parameter_split

SEED = ModelConfig(n_layer=4, n_head=4, n_embd=256, block_size=128)


def parameters(model: ModelConfig, vocab_size: int) -> int:
    """Those of a model that is built, without the memory that it would take."""
    with torch.device("meta"):
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
    totals = {width: parameters(dataclasses.replace(SEED, n_embd=width), 300) for width in range(4, 512, 4)}
    for total in (5_000, 123_456, 3_000_000):
        assert nearest_width(SEED, 300, total) == min(totals, key=lambda width: abs(totals[width] - total))


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


def test_text_in_a_step() -> None:
    """It stays as it is whatever the context, which is what tells the two apart."""
    of = dataclasses.replace(RunConfig(model=SEED), train=TrainConfig(batch_bytes=4096))
    assert fill_in_sizes(of, 69, 1.0).train.batch_size == 4096 // SEED.block_size
    for block_bytes in (64, 256):
        cfg = dataclasses.replace(of, data=DataConfig(block_bytes=block_bytes))
        for bytes_per_token in (1.0, 3.1):
            got = fill_in_sizes(cfg, 6551, bytes_per_token)
            read = got.train.batch_size * got.model.block_size * bytes_per_token
            assert read == pytest.approx(4096, rel=0.05)
    least = dataclasses.replace(of, train=TrainConfig(batch_bytes=100))
    with pytest.raises(InputError, match=r"batch_bytes: got 100, but a context is 397 bytes of text, expected"):
        fill_in_sizes(least, 6551, 3.1)


def test_a_total_beyond_all_machines_is_answered_at_once() -> None:
    width = nearest_width(SEED, 300, 10**17)
    assert width % SEED.n_head == 0

    def off(n_embd: int) -> int:
        config = GPTConfig.of(dataclasses.replace(SEED, n_embd=n_embd), 300)
        return abs(parameter_split(config).params_total - 10**17)

    assert off(width) < min(off(width - SEED.n_head), off(width + SEED.n_head))


@pytest.mark.parametrize(
    ("layers", "batch_size", "refused"),
    [
        (4, 16, ""),
        (10**6, 16, "1,000,000 layers of width 256"),
        (4, 10**9, "with train.batch_size=1,000,000,000"),
        (4, 10**20, "with train.batch_size=100,000,000,000,000,000,000"),
    ],
)
def test_a_training_that_no_memory_holds_is_refused(layers: int, batch_size: int, refused: str) -> None:
    config = GPTConfig.of(dataclasses.replace(SEED, n_layer=layers), 69)
    if not refused:
        require_memory(config, batch_size, 1, torch.device("cpu"))
        return
    with pytest.raises(InputError, match=refused) as caught:
        require_memory(config, batch_size, 1, torch.device("cpu"))
    assert "\n" not in str(caught.value)
    assert "try a smaller model" in str(caught.value)


def test_the_memory_that_is_counted_is_less_than_a_training_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound must refuse nothing that fits: 16 bytes a parameter, and what `save_for_backward` is seen to keep."""
    config, batch = GPTConfig.of(SEED, 69), torch.zeros(2, SEED.block_size, dtype=torch.long)
    model, kept = GPT(config), {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        model(batch)
    least = least_training_bytes(config, batch.numel())
    assert least < 16 * parameter_split(config).params_total + sum(kept.values())
    assert least_training_bytes(config, 0) == 16 * sum(p.numel() for p in model.parameters())
    monkeypatch.setattr("tokexp.model.architecture.total_memory", lambda _: least)
    require_memory(config, 2, 1, torch.device("cpu"))
    monkeypatch.setattr("tokexp.model.architecture.total_memory", lambda _: least - 1)
    with pytest.raises(InputError, match="needs at least"):
        require_memory(config, 2, 1, torch.device("cpu"))
    require_memory(config, 2, 2, torch.device("cpu"))
