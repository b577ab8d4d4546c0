"""A step that never asks the device for a figure, as on CUDA, run on the CPU: the same training."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import tokexp.training.batches
import tokexp.training.loop
from tokexp.config import TrainConfig
from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.tokenizer import train_tokenizer
from tokexp.training.budget import TrainPlan
from tokexp.training.loop import DivergedError, train, train_as_one
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import StepRow
from tokexp.training.state import TrainState

PLAN = TrainPlan(13, 2, 1e-2, 1e-3, "cosine")


@pytest.fixture(scope="module")
def data(text: str) -> TokenStream:
    return encode_stream(train_tokenizer("bpe", text, vocab_size=300), text)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokexp.training.batches, "runs_ahead", lambda device: True)


def model_of(seed: int) -> GPT:
    torch.manual_seed(seed)
    return GPT(GPTConfig(vocab_size=300, block_size=16, n_layer=1, n_head=2, n_embd=16))


def trained(data: TokenStream, **settings: Any) -> tuple[GPT, list[list[StepRow]]]:
    model = model_of(0)
    cfg = TrainConfig(batch_size=4, **settings)
    return model, list(train(model, data, PLAN, cfg, 0, "float32", pause=lambda step: step % 5 == 0))


@pytest.mark.parametrize("parts", [1, 2])
def test_blind_steps_train_the_same(data: TokenStream, monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    seeing, rows = trained(data, grad_accum=parts)
    monkeypatch.setattr(tokexp.training.batches, "runs_ahead", lambda device: True)
    blind, several = trained(data, grad_accum=parts)
    assert [len(some) for some in rows] == [1] * 13
    assert [[row.step for row in some] for some in several] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13]]
    assert [row for some in several for row in some] == [row for some in rows for row in some]
    assert all(torch.equal(p, q) for p, q in zip(seeing.parameters(), blind.parameters(), strict=True))


def test_rows_never_wait_for_long(data: TokenStream, blind: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokexp.training.loop, "LONGEST_WAIT", 4)
    rows = list(train(model_of(0), data, PLAN, TrainConfig(batch_size=4), 0, "float32"))
    assert [len(some) for some in rows] == [4, 4, 4, 1]


def test_what_is_not_finite_is_not_applied_and_found_later(data: TokenStream, blind: None) -> None:
    model, cfg = model_of(0), TrainConfig(batch_size=4)
    with torch.no_grad():
        model.ln_f.weight[0] = math.nan
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with pytest.raises(DivergedError, match="step 1 of 13: loss nan"):
        list(train(model, data, PLAN, cfg, 0, "float32"))
    assert all(torch.equal(p, before[name]) or name == "ln_f.weight" for name, p in model.named_parameters())


def test_several_train_blindly_too(data: TokenStream, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_one() -> tuple[list[GPT], list[Any]]:
        models, cfg = [model_of(seed) for seed in (0, 1)], TrainConfig(batch_size=4)
        states = [TrainState(make_optimizer(model, cfg)) for model in models]
        several = list(train_as_one(models, data, PLAN, cfg, [0, 1], "float32", states))
        return models, [[row for step in several for row in step[i]] for i in (0, 1)]

    seeing, rows = as_one()
    monkeypatch.setattr(tokexp.training.batches, "runs_ahead", lambda device: True)
    blind, same = as_one()
    assert rows == same
    for one, two in zip(seeing, blind, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(one.parameters(), two.parameters(), strict=True))


def test_the_optimizer_has_its_state_from_the_beginning(data: TokenStream) -> None:
    optimizer = make_optimizer(model_of(0), TrainConfig())
    assert {tuple(state) for state in optimizer.state.values()} == {("step", "exp_avg", "exp_avg_sq")}
