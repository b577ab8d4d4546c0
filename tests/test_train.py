"""Plans, batches and the loop: what is read, in which order, and when it stops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tokexp.budget import TrainPlan, describe_budget, plan_training
from tokexp.config import BudgetConfig, InputError, TrainConfig
from tokexp.corpus import Corpus
from tokexp.model import GPT, GPTConfig, training_flops_per_token
from tokexp.tokenizer import Tokenizer, train_tokenizer
from tokexp.tokens import batch_offsets, check_claim, encode_stream, prepare, require_length
from tokexp.train import DivergedError, make_optimizer, resolve_device, train

FACTS = {"tokens_per_step": 100, "train_tokens": 2_000, "train_bytes": 6_000, "flops_per_token": 7}


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (BudgetConfig(steps=17), 17),
        (BudgetConfig(epochs=1.5), 30),
        (BudgetConfig(bytes=9_000), 30),
        (BudgetConfig(flops=21_000), 30),
        (BudgetConfig(bytes=1), 1),
    ],
)
def test_every_budget_becomes_steps(budget: BudgetConfig, steps: int) -> None:
    assert plan_training(budget, TrainConfig(), **FACTS).steps == steps


def test_warm_up_is_at_most_a_tenth() -> None:
    cfg = TrainConfig(warmup_steps=100)
    assert plan_training(BudgetConfig(steps=500), cfg, **FACTS).warmup_steps == 50
    assert plan_training(BudgetConfig(steps=5), cfg, **FACTS).warmup_steps == 0
    assert plan_training(BudgetConfig(steps=8000), cfg, **FACTS).warmup_steps == 100


def test_schedule_of_the_seed_experiment() -> None:
    plan = TrainPlan(steps=8000, warmup_steps=800, lr=3e-4, min_lr=3e-5, schedule="cosine")
    assert plan.lr_at(1) == pytest.approx(3e-4 / 800)
    assert plan.lr_at(800) == pytest.approx(3e-4)
    assert plan.lr_at(4400) == pytest.approx((3e-4 + 3e-5) / 2)
    assert plan.lr_at(8000) == pytest.approx(3e-5)
    constant = TrainPlan(steps=10, warmup_steps=1, lr=1.0, min_lr=0.1, schedule="constant")
    assert {constant.lr_at(s) for s in range(1, 11)} == {1.0}


def test_budget_says_what_is_held_equal() -> None:
    assert describe_budget(BudgetConfig(steps=600)) == "steps=600"
    assert describe_budget(BudgetConfig(flops=5e12)) == "flops=5e+12"
    with pytest.raises(InputError, match="exactly one of steps, bytes, flops, epochs"):
        BudgetConfig(steps=1, bytes=1)


def test_batches_are_a_pure_function_of_seed_and_step() -> None:
    first = batch_offsets(3, 7, 1000, 16, 64)
    batch_offsets(3, 8, 1000, 16, 64)
    assert np.array_equal(first, batch_offsets(3, 7, 1000, 16, 64))
    assert not np.array_equal(first, batch_offsets(4, 7, 1000, 16, 64))
    assert not np.array_equal(first, batch_offsets(3, 8, 1000, 16, 64))


def test_every_offset_fits_and_both_ends_are_reached() -> None:
    offsets = np.concatenate([batch_offsets(0, step, 20, 50, 16) for step in range(20)])
    assert (offsets.min(), offsets.max()) == (0, 3), "the last sequence predicts the last id"


def setup(text: str, kind: str = "bpe") -> tuple[GPT, Any, TrainPlan]:
    tokenizer = train_tokenizer(kind, text)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=16, n_layer=1, n_head=2, n_embd=16))
    return model, encode_stream(tokenizer, text), TrainPlan(12, 1, 1e-2, 1e-3, "cosine")


def test_rows_account_for_what_was_read(text: str) -> None:
    model, data, plan = setup(text)
    cfg = TrainConfig(batch_size=4, eval_every=5)
    rows = list(train(model, data, plan, cfg, 0, "float32", lambda: {"val_bpb": 1.0}))
    steps, evals = ([r for r in rows if r["event"] == event] for event in ("step", "eval"))
    assert [r["step"] for r in steps] == list(range(1, 13))
    assert [r["step"] for r in evals] == [5, 10, 12], "the end is always evaluated"
    assert all(r["val_bpb"] == 1.0 for r in evals)
    pieces = train_tokenizer("bpe", text).token_bytes()
    read = 0
    for step in range(1, 13):
        for o in batch_offsets(0, step, len(data), 4, 16):
            read += sum(len(pieces[i]) for i in data.ids[o + 1 : o + 17])
    assert evals[-1]["bytes_seen"] == read
    assert evals[-1]["tokens_seen"] == 12 * 4 * 16
    assert evals[-1]["flops"] == 12 * 4 * 16 * training_flops_per_token(model.config)
    assert steps[-1]["loss"] < steps[0]["loss"] == pytest.approx(math.log(model.config.vocab_size), rel=0.05)


def test_a_second_run_is_the_same(text: str) -> None:
    def losses() -> list[float]:
        model, data, plan = setup(text)
        return [
            r["loss"] for r in train(model, data, plan, TrainConfig(batch_size=4), 0, "float32", dict) if "loss" in r
        ]

    assert losses() == losses()


def test_first_update_is_adamw_by_hand(text: str) -> None:
    """After one step AdamW moves each weight by lr, against the sign of its gradient, and decays matrices."""
    model, data, _ = setup(text)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    plan = TrainPlan(1, 0, 1e-2, 1e-2, "constant")
    list(train(model, data, plan, TrainConfig(batch_size=4, weight_decay=0.5, grad_clip=1e9), 0, "float32", dict))
    for name in ("h.0.mlp.c_fc.weight", "ln_f.bias"):
        parameter = dict(model.named_parameters())[name]
        decay = 0.5 if parameter.dim() > 1 else 0.0
        moved = parameter - before[name] * (1 - 1e-2 * decay)
        clear = parameter.grad.abs() > 1e-5
        assert torch.allclose(moved[clear], -1e-2 * parameter.grad.sign()[clear], rtol=2e-2)


def test_decay_is_on_matrices_only(text: str) -> None:
    model, _, _ = setup(text)
    matrices, vectors = make_optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert {p.dim() for p in matrices["params"]} == {2}
    assert {p.dim() for p in vectors["params"]} == {1}


def test_stops_before_a_loss_that_is_no_number_is_applied(text: str) -> None:
    model, data, plan = setup(text)
    rows = train(model, data, plan, TrainConfig(batch_size=4), 0, "float32", dict)
    next(rows)
    with torch.no_grad():
        model.ln_f.weight[0] = math.nan
    untouched = model.lm_head.weight.detach().clone()
    with pytest.raises(DivergedError, match=r"step 2 of 12: loss nan.*smaller train\.lr than 0\.002"):
        next(rows)
    assert torch.equal(model.lm_head.weight, untouched)


def test_dropout_is_for_training_only(text: str) -> None:
    model = GPT(GPTConfig(vocab_size=20, block_size=8, n_layer=1, n_head=1, n_embd=8, dropout=0.5))
    idx = torch.arange(8)[None]
    assert not torch.equal(model.train()(idx), model(idx))
    assert torch.equal(model.eval()(idx), model(idx))


@pytest.mark.parametrize(("name", "message"), [("quantum", "expected auto, cpu"), ("cuda:99", "torch finds no CUDA")])
def test_device_that_is_not_there(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        resolve_device(name)


def corpus(train: str, val: str) -> Corpus:
    return Corpus("test", train, val, "0" * 64)


def test_text_too_short_says_how_much_is_needed() -> None:
    short = corpus("abcdefghij", "abc")
    with pytest.raises(InputError, match=r"training part is 10 tokens, expected at least 65 for block_size=64"):
        require_length(short, prepare("char", {}, short).data, 64)


def test_held_out_text_follows_the_last_training_id(text: str) -> None:
    prepared = prepare("char", {}, corpus(text[:-100], text[-100:]))
    data = prepared.data
    assert prepared.tokenizer.decode([data.context_id]) == text[-101]
    assert (len(data.val), len(data.train_slice)) == (100, 100)
    assert data.train.ids.dtype == np.uint8


def test_a_tokenizer_that_claims_to_be_lossless_and_is_not_fails_loudly(text: str) -> None:
    class Liar(type(train_tokenizer("bpe", text))):  # type: ignore[misc]
        def encode(self, text: str) -> list[int]:
            return super().encode(text.lower())

    liar: Tokenizer = Liar([])
    with pytest.raises(ValueError, match=r"declares itself lossless.*at character 0: got 'the'.*expected 'The'"):
        check_claim(liar, "The")
