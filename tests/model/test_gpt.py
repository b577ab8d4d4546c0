"""The fixed GPT: its exact size, a NumPy forward as its oracle, causality, and the cache."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from tokexp.config import InputError, ModelConfig
from tokexp.model.gpt import GPT, GPTConfig, KVCache

VARIANTS = [
    {}, {"norm": "rmsnorm"}, {"positions": "rope"}, {"n_kv_head": 2}, {"n_kv_head": 1},
    {"norm": "rmsnorm", "positions": "rope", "n_kv_head": 2},
]  # fmt: skip


@pytest.fixture(params=VARIANTS, ids=lambda v: "-".join(map(str, v.values())) or "gpt2")
def model(request: pytest.FixtureRequest) -> GPT:
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=4, n_embd=24, **request.param)
    model = GPT(config).double().eval()
    for parameter in model.parameters():  # away from the zeros and ones of a fresh model
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def numpy_gpt(w: dict[str, np.ndarray], idx: np.ndarray, config: GPTConfig) -> np.ndarray:
    """The forward pass for one sequence of ids: logits (T, V)."""

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        if config.norm == "rmsnorm":
            return x / np.sqrt((x**2).mean(-1, keepdims=True) + np.finfo(x.dtype).eps) * w[f"{name}.weight"]
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def softmax(x: np.ndarray) -> np.ndarray:
        x = np.exp(x - x.max(-1, keepdims=True))
        return x / x.sum(-1, keepdims=True)

    def turned(x: np.ndarray) -> np.ndarray:
        """Rotary positions as complex numbers: feature i is the real part, feature i + D/2 the imaginary one."""
        if config.positions != "rope":
            return x
        half = x.shape[-1] // 2
        angles = np.outer(np.arange(len(x)), 10_000.0 ** (-np.arange(half) / half))
        z = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
        return np.concatenate([z.real, z.imag], axis=-1)

    T, D = len(idx), config.n_embd // config.n_head
    x = w["wte.weight"][idx] + (w["wpe.weight"][:T] if config.positions == "learned" else 0)
    future = np.triu(np.ones((T, T), dtype=bool), 1)
    for i in range(config.n_layer):
        read = linear(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn")
        cut = [config.n_embd, config.n_embd + config.kv_heads * D]
        q, k, v = (np.split(z, z.shape[-1] // D, axis=-1) for z in np.split(read, cut, axis=-1))
        heads = []
        for h, Q in enumerate(q):
            g = h * config.kv_heads // config.n_head  # neighbouring heads share keys and values
            scores = turned(Q) @ turned(k[g]).T / math.sqrt(D)
            heads.append(softmax(np.where(future, -np.inf, scores)) @ v[g])
        x = x + linear(np.concatenate(heads, axis=-1), f"h.{i}.attn.c_proj")
        u = linear(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        gelu = 0.5 * u * (1 + np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
        x = x + linear(gelu, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ w["lm_head.weight"].T


def test_forward_agrees_with_numpy(model: GPT) -> None:
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    idx = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    expected = numpy_gpt(weights, idx, model.config)
    got = model(torch.from_numpy(idx)[None])[0].detach().numpy()
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


def test_what_comes_later_changes_nothing_before(model: GPT) -> None:
    idx = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    for t in range(8):
        changed = idx.clone()
        changed[0, t] = 10
        difference = (model(changed) - model(idx)).abs().amax(dim=-1)[0]
        assert (difference[:t] == 0).all()
        assert difference[t] > 0


def test_cache_gives_the_same_logits(model: GPT) -> None:
    idx = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]])
    assert {keys.shape[1] for keys, _ in KVCache(model.config, 2, model.wte.weight).layers} == {model.config.kv_heads}
    cache = KVCache(model.config, 2, model.wte.weight)
    parts = [model(idx[:, :3], cache), *(model(idx[:, t : t + 1], cache) for t in range(3, 8))]
    assert torch.allclose(torch.cat(parts, dim=1), model(idx), atol=1e-12)


def test_longer_than_the_context_is_refused(model: GPT) -> None:
    with pytest.raises(ValueError, match="got 9 tokens, expected at most block_size=8"):
        model(torch.zeros(1, 9, dtype=torch.long))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 0}, "model.vocab_size: got 0, expected at least 1"),
        ({"vocab_size": 1.5}, "model.vocab_size: got 1.5, expected int"),
        ({"vocab_size": 9, "n_head": 3}, "model.n_embd: got 128, expected a multiple of model.n_head=3"),
    ],
)
def test_settings_that_no_model_can_have_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        GPTConfig(**changes)
    assert str(refused.value) == message


def test_a_config_is_the_settings_and_the_vocabulary() -> None:
    model = ModelConfig(n_layer=1, norm="rmsnorm")
    config = GPTConfig.of(model, 7)
    assert dataclasses.asdict(config) == {**dataclasses.asdict(model), "vocab_size": 7}


def test_init_is_gpt2s() -> None:
    model = GPT(GPTConfig(vocab_size=1000, block_size=128, n_layer=8, n_head=4, n_embd=256))
    assert model.wte.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.h[0].attn.c_proj.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert model.h[0].mlp.c_fc.bias.abs().max() == 0
    assert (model.ln_f.weight == 1).all()


def test_tied_head_is_the_embedding() -> None:
    model = GPT(GPTConfig(vocab_size=50, n_embd=128, tie_weights=True))
    assert model.lm_head.weight is model.wte.weight
    assert model.wte.weight.std().item() == pytest.approx(0.02, rel=0.1)
