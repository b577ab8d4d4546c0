"""Parameters and FLOPs worked out from the settings, against those of the model itself and by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.sizes import parameter_split, training_flops_per_token

SEED = {"n_layer": 4, "n_head": 4, "n_embd": 256, "block_size": 128}
VARIANTS: list[dict[str, Any]] = [
    {}, {"norm": "rmsnorm"}, {"positions": "rope"}, {"n_kv_head": 2}, {"n_kv_head": 1},
    {"norm": "rmsnorm", "positions": "rope", "n_kv_head": 2},
]  # fmt: skip


@pytest.mark.parametrize(
    ("vocab_size", "total", "embedding_related"),
    [(69, 3_227_648, 68_096), (6551, 6_546_432, 3_386_880), (6116, 6_323_712, None)],
)
def test_parameter_counts_of_the_seed_experiment(vocab_size: int, total: int, embedding_related: int | None) -> None:
    config = GPTConfig(vocab_size=vocab_size, **SEED)
    split = parameter_split(config)
    assert split.params_total == total == sum(p.numel() for p in GPT(config).parameters())
    if embedding_related:
        assert total - split.params_body == embedding_related


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("tie", [False, True])
def test_parameter_split_is_the_model(tie: bool, variant: dict[str, Any]) -> None:
    config = GPTConfig(vocab_size=50, n_layer=3, n_head=4, n_embd=16, block_size=16, tie_weights=tie, **variant)
    model = GPT(config)
    split = parameter_split(config)
    assert split.params_token_embedding == model.wte.weight.numel()
    assert split.params_position_embedding == sum(p.numel() for p in model.wpe.parameters())
    assert split.params_lm_head == (0 if tie else model.lm_head.weight.numel())
    assert split.params_body == sum(p.numel() for m in (model.h, model.ln_f) for p in m.parameters())
    assert split.params_total == sum(p.numel() for p in model.parameters())


def test_flops_by_hand() -> None:
    config = GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=1, n_embd=2)
    body = 12 * 4 + 13 * 2 + 4  # matrices, biases and LayerNorms, the last LayerNorm
    assert training_flops_per_token(config) == 6 * (body + 10 * 2) + 12 * 1 * 2 * 4
