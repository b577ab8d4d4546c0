"""Plans, batches and the loop: what is read, in which order, and when it stops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tokexp.config import InputError, TrainConfig
from tokexp.encoding.batches import batch_offsets
from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.tokenizer import train_tokenizer
from tokexp.training.budget import TrainPlan
from tokexp.training.loop import DivergedError, spike_share, train
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import StepRow
from tokexp.training.state import TrainState
from tokexp.training.stepper import Stepper


def setup(text: str, kind: str = "bpe") -> tuple[GPT, Any, TrainPlan]:
    tokenizer = train_tokenizer(kind, text)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=16, n_layer=1, n_head=2, n_embd=16))
    return model, encode_stream(tokenizer, text), TrainPlan(12, 1, 1e-2, 1e-3, "cosine")


def rows_of(model: GPT, data: Any, plan: TrainPlan, cfg: TrainConfig, **more: Any) -> list[StepRow]:
    """The rows of a whole training."""
    return [row for rows in train(model, data, plan, cfg, 0, "float32", **more) for row in rows]


def test_rows_account_for_what_was_read(text: str) -> None:
    model, data, plan = setup(text)
    state = TrainState(make_optimizer(model, TrainConfig()))
    rows = rows_of(model, data, plan, TrainConfig(batch_size=4), state=state)
    assert [row.step for row in rows] == list(range(1, 13))
    pieces = train_tokenizer("bpe", text).token_bytes()
    read = 0
    for step in range(1, 13):
        for o in batch_offsets(0, step, len(data), 4, 16):
            read += sum(len(pieces[i]) for i in data.ids[o + 1 : o + 17])
    assert rows[-1].bytes_seen == state.bytes_seen == read
    assert rows[-1].tokens_seen == state.tokens_seen == 12 * 4 * 16
    assert state.step == 12
    assert state.seconds > 0
    assert rows[-1].loss < rows[0].loss == pytest.approx(math.log(model.config.vocab_size), rel=0.05)


def test_a_second_run_is_the_same(text: str) -> None:
    def losses() -> list[float]:
        model, data, plan = setup(text)
        return [row.loss for row in rows_of(model, data, plan, TrainConfig(batch_size=4))]

    assert losses() == losses()


def test_a_training_in_two_parts_is_the_same(text: str) -> None:
    """Stopped between two steps, and gone on from there with the same model and state."""
    model, data, plan = setup(text)
    whole = rows_of(model, data, plan, TrainConfig(batch_size=4))
    model, data, plan = setup(text)
    state = TrainState(make_optimizer(model, TrainConfig()))
    first = train(model, data, plan, TrainConfig(batch_size=4), 0, "float32", state)
    rows = [row for _ in range(5) for row in next(first)]
    first.close()
    assert rows + rows_of(model, data, plan, TrainConfig(batch_size=4), state=state) == whole


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_give_the_same_training(text: str, parts: int) -> None:
    model, data, plan = setup(text)
    whole = rows_of(model.double(), data, plan, TrainConfig(batch_size=4))
    other, _, _ = setup(text)
    cut = rows_of(other.double(), data, plan, TrainConfig(batch_size=4, grad_accum=parts))
    for row, same in zip(whole, cut, strict=True):
        assert row.step == same.step
        assert (row.loss, row.grad_norm) == pytest.approx((same.loss, same.grad_norm), rel=1e-9)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, rtol=1e-8, atol=1e-12)


def test_parts_that_do_not_divide_the_batch_are_refused(text: str) -> None:
    model, data, plan = setup(text)
    with pytest.raises(InputError, match=r"train\.batch_size: got 4, expected a multiple of 3"):
        rows_of(model, data, plan, TrainConfig(batch_size=4, grad_accum=3))


def test_out_of_memory_says_what_to_try(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError

    model, data, plan = setup(text)
    monkeypatch.setattr(Stepper, "_take", full)
    with pytest.raises(InputError, match=r"train\.batch_size=6, train\.grad_accum=2, 16 tokens.*train\.grad_accum=3"):
        rows_of(model, data, plan, TrainConfig(batch_size=6, grad_accum=2))


GOLDEN = {
    "losses": [4.586446945, 4.597220994, 4.595483344],
    "sums": {
        "wte.weight": 13.272281202,
        "wpe.weight": 1.080693338,
        "h.0.ln_1.weight": 7.969427554,
        "h.0.attn.c_attn.weight": 3.399746598,
        "h.1.mlp.c_proj.weight": 3.634962028,
        "ln_f.bias": 0.085373374,
        "lm_head.weight": 15.455409866,
    },
}


def test_golden_step() -> None:
    """Three steps of a fixed model on fixed ids, in float64: a change here changes every figure.

    If you meant to change the model, its init, the batches, the loss or the optimizer: raise RESULTS_VERSION
    in results.py, and put what this test prints in place of GOLDEN. If you did not, look at which
    figure moved first. The first loss: the model, its init, or the batches. Only the later ones: the
    gradient, the clip, the optimizer or the learning rate. Only some sums: the decay, or that part's init.
    """
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=100, block_size=8, n_layer=2, n_head=2, n_embd=8)).double()
    ids = np.random.default_rng(0).integers(0, 100, 500).astype(np.uint8)
    data = TokenStream.of_starts(ids, np.arange(501))
    plan = TrainPlan(3, 1, 1e-2, 1e-3, "cosine")
    rows = rows_of(model, data, plan, TrainConfig(batch_size=4))
    got = {
        "losses": [row.loss for row in rows],
        "sums": {name: p.detach().abs().sum().item() for name, p in model.named_parameters() if name in GOLDEN["sums"]},
    }
    explained = f"{test_golden_step.__doc__}\n    GOLDEN = {got}"
    assert got["losses"] == pytest.approx(GOLDEN["losses"], rel=1e-6), explained
    assert got["sums"] == pytest.approx(GOLDEN["sums"], rel=1e-6), explained


def test_first_update_is_adamw_by_hand(text: str) -> None:
    """After one step AdamW moves each weight by lr, against the sign of its gradient, and decays matrices."""
    model, data, _ = setup(text)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    plan = TrainPlan(1, 0, 1e-2, 1e-2, "constant")
    rows_of(model, data, plan, TrainConfig(batch_size=4, weight_decay=0.5, grad_clip=1e9))
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
    rows = train(model, data, plan, TrainConfig(batch_size=4), 0, "float32")
    next(rows)
    with torch.no_grad():
        model.ln_f.weight[0] = math.nan
    untouched = model.lm_head.weight.detach().clone()
    with pytest.raises(DivergedError, match=r"step 2 of 12: loss nan.*smaller train\.lr than 0\.002"):
        next(rows)
    assert torch.equal(model.lm_head.weight, untouched)


def test_spikes_are_counted_against_what_came_before() -> None:
    calm = [1.0] * 60
    assert spike_share(calm) == 0
    assert spike_share([*calm, 3.1, *calm]) == 1 / 71
    assert spike_share([9.0, *[1.0] * 49]) == 0, "the first fifty have nothing to be held against"
    assert spike_share([]) == 0


def test_dropout_is_for_training_only(text: str) -> None:
    model = GPT(GPTConfig(vocab_size=20, block_size=8, n_layer=1, n_head=1, n_embd=8, dropout=0.5))
    idx = torch.arange(8)[None]
    assert not torch.equal(model.train()(idx), model(idx))
    assert torch.equal(model.eval()(idx), model(idx))
