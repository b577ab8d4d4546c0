"""Several models that differ in their seed, trained as one: each as if it had been alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tokexp.config import InputError, TrainConfig
from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.tokenizer import train_tokenizer
from tokexp.training.budget import TrainPlan
from tokexp.training.loop import DivergedError, train, train_as_one
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import StepRow
from tokexp.training.state import TrainState

SEEDS = [0, 1, 5]


@pytest.fixture(scope="module")
def data(text: str) -> TokenStream:
    return encode_stream(train_tokenizer("bpe", text, vocab_size=300), text)


def model_of(seed: int, dtype: torch.dtype, **changes: Any) -> GPT:
    torch.manual_seed(seed)
    shape = {"vocab_size": 300, "block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 16}
    return GPT(GPTConfig(**shape | changes)).to(dtype)


@pytest.mark.parametrize(
    "changes", [{}, {"tie_weights": True}, {"norm": "rmsnorm", "positions": "rope", "n_kv_head": 1}]
)
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_twenty_steps_are_those_of_runs_alone(
    data: TokenStream, dtype: torch.dtype, tolerance: float, parts: int, changes: dict[str, Any]
) -> None:
    """With a clip that bites, so that one norm for all would be seen."""
    plan = TrainPlan(20, 2, 1e-2, 1e-3, "cosine")
    cfg = TrainConfig(batch_size=4, grad_clip=0.5, grad_accum=parts)
    alone, rows = [], []
    for seed in SEEDS:
        alone.append(model_of(seed, dtype, **changes))
        rows.append([row for some in train(alone[-1], data, plan, cfg, seed, "float32") for row in some])
    models = [model_of(seed, dtype, **changes) for seed in SEEDS]
    states = [TrainState(make_optimizer(model, cfg)) for model in models]
    as_one: list[list[StepRow]] = [[] for _ in SEEDS]
    for several in train_as_one(models, data, plan, cfg, SEEDS, "float32", states):
        for of_seed, some in zip(as_one, several, strict=True):
            assert isinstance(some, list)
            of_seed += some
    assert any(row.grad_norm > 0.5 for row in rows[0])
    for one, other in zip(rows, as_one, strict=True):
        for row, same in zip(one, other, strict=True):
            assert vars(row) == pytest.approx(vars(same), rel=tolerance)
    for one, other in zip(alone, models, strict=True):
        for (name, p), q in zip(one.named_parameters(), other.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=tolerance, atol=tolerance), name
    assert [state.bytes_seen for state in states] == [of_seed[-1].bytes_seen for of_seed in rows]


def test_one_that_diverges_leaves_the_others_alone(data: TokenStream) -> None:
    plan, cfg = TrainPlan(6, 1, 1e-2, 1e-3, "cosine"), TrainConfig(batch_size=4)
    models = [model_of(seed, torch.float64) for seed in SEEDS]
    with torch.no_grad():
        models[1].ln_f.weight[0] = math.nan
    states = [TrainState(make_optimizer(model, cfg)) for model in models]
    several = list(train_as_one(models, data, plan, cfg, SEEDS, "float32", states))
    assert all(isinstance(step[1], DivergedError) for step in several)
    alone = model_of(SEEDS[2], torch.float64)
    list(train(alone, data, plan, cfg, SEEDS[2], "float32"))
    assert all(torch.allclose(p, q) for p, q in zip(alone.parameters(), models[2].parameters(), strict=True))


def test_dropout_is_refused(data: TokenStream) -> None:
    cfg = TrainConfig(batch_size=4)
    models = [model_of(seed, torch.float32, dropout=0.1) for seed in SEEDS]
    states = [TrainState(make_optimizer(model, cfg)) for model in models]
    with pytest.raises(InputError, match=r"model\.dropout: got 0\.1, expected 0 .* launcher=local"):
        list(train_as_one(models, data, TrainPlan(2, 0, 1e-2, 1e-3, "cosine"), cfg, SEEDS, "float32", states))
