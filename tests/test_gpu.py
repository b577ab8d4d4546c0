"""On a CUDA device: the same training as on a CPU, in every way that it is made faster there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from test_experiment import settings
from test_resume import run_until, same, short

from tokexp.config import InputError, TrainConfig
from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.experiment import run_experiment
from tokexp.model.generate import generate
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.runs.result import RunResult
from tokexp.sweep.seeds_as_one import run_seeds_as_one
from tokexp.tokenizer import train_tokenizer
from tokexp.training.budget import TrainPlan
from tokexp.training.loop import DivergedError, train, train_as_one
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import StepRow
from tokexp.training.state import TrainState
from tokexp.training.stepper import Stepper

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("default"),  # compilers warn of much that is not ours
]

PLAN = TrainPlan(20, 2, 1e-2, 1e-3, "cosine")


@pytest.fixture(scope="module")
def data(text: str) -> TokenStream:
    return encode_stream(train_tokenizer("bpe", text, vocab_size=300), text)


def trained(data: TokenStream, device: str, precision: str = "float32", **changes: Any) -> tuple[GPT, list[StepRow]]:
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=32)).to(device)
    cfg = dataclasses.replace(TrainConfig(batch_size=4, compile="never", cuda_graph="never"), **changes)
    rows = train(model, data, PLAN, cfg, 0, precision, pause=lambda step: step % 7 == 0)
    return model, [row for some in rows for row in some]


@pytest.fixture(scope="module")
def on_cpu(data: TokenStream) -> list[StepRow]:
    return trained(data, "cpu")[1]


@pytest.mark.parametrize("graph", ["never", "always"])
@pytest.mark.parametrize("compiled", ["never", "always"])
@pytest.mark.parametrize("parts", [1, 2])
def test_as_on_the_cpu(data: TokenStream, on_cpu: list[StepRow], graph: str, compiled: str, parts: int) -> None:
    _, rows = trained(data, "cuda", cuda_graph=graph, compile=compiled, grad_accum=parts)
    assert [row.step for row in rows] == list(range(1, 21))
    for row, other in zip(rows, on_cpu, strict=True):
        assert (row.loss, row.grad_norm) == pytest.approx((other.loss, other.grad_norm), rel=1e-3)
        assert (row.bytes_seen, row.lr) == (other.bytes_seen, other.lr)


def test_a_graph_is_captured_and_changes_nothing(data: TokenStream, monkeypatch: pytest.MonkeyPatch) -> None:
    eager, rows = trained(data, "cuda")
    replays = []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda self: (replays.append(1), replay(self))[1])
    graphed, same = trained(data, "cuda", cuda_graph="always")
    assert len(replays) == 20
    for row, other in zip(rows, same, strict=True):
        assert row.loss == pytest.approx(other.loss, rel=1e-5)
    assert all(torch.allclose(p, q, atol=1e-5) for p, q in zip(eager.parameters(), graphed.parameters(), strict=True))


def test_bf16_learns(data: TokenStream, on_cpu: list[StepRow]) -> None:
    _, rows = trained(data, "cuda", precision="bf16", cuda_graph="always", compile="always")
    assert rows[-1].loss == pytest.approx(on_cpu[-1].loss, rel=0.03)


@pytest.mark.parametrize("graph", ["never", "always"])
def test_what_is_not_finite_is_not_applied(data: TokenStream, graph: str) -> None:
    model = GPT(GPTConfig(vocab_size=300, block_size=16, n_layer=1, n_head=1, n_embd=8)).to("cuda")
    with torch.no_grad():
        model.ln_f.weight[0] = float("nan")
    before = model.lm_head.weight.detach().clone()
    cfg = TrainConfig(batch_size=4, compile="never", cuda_graph=graph)
    with pytest.raises(DivergedError, match="step 1 of 20"):
        list(train(model, data, PLAN, cfg, 0, "float32"))
    assert torch.equal(model.lm_head.weight, before)


@pytest.mark.parametrize("graph", ["never", "always"])
def test_several_seeds_are_those_of_runs_alone(data: TokenStream, graph: str) -> None:
    seeds, cfg = [0, 1, 2], TrainConfig(batch_size=4, compile="never", cuda_graph=graph)

    def model_of(seed: int) -> GPT:
        torch.manual_seed(seed)
        return GPT(GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=32)).to("cuda")

    models = [model_of(seed) for seed in seeds]
    states = [TrainState(make_optimizer(model, cfg)) for model in models]
    several = list(train_as_one(models, data, PLAN, cfg, seeds, "float32", states))
    for i, seed in enumerate(seeds):
        alone = [row for some in train(model_of(seed), data, PLAN, cfg, seed, "float32") for row in some]
        as_one = [row for step in several for row in step[i]]
        for row, other in zip(as_one, alone, strict=True):
            assert row.loss == pytest.approx(other.loss, rel=1e-3)


def test_a_whole_run(text_file: Path, tmp_path: Path) -> None:
    results = [
        run_experiment(settings(text_file, device=device, precision="float32"), tmp_path / device)
        for device in ("cpu", "cuda")
    ]
    assert results[1].val_bpb == pytest.approx(results[0].val_bpb, rel=1e-2)
    assert results[1].device == "cuda"


def test_a_killed_run_goes_on_bit_for_bit(text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = short(text_file, device="cuda")
    run_experiment(cfg, tmp_path / "whole")
    run_until(monkeypatch, cfg, tmp_path / "run", "step", 14)
    run_experiment(cfg, tmp_path / "run")
    same(tmp_path / "run", tmp_path / "whole")


def test_seeds_as_one(text_file: Path, tmp_path: Path) -> None:
    cfgs = [settings(text_file, seed=seed, device="cuda") for seed in (0, 1)]
    results = run_seeds_as_one(cfgs, [tmp_path / str(cfg.seed) for cfg in cfgs])
    assert all(isinstance(result, RunResult) for result in results)


def test_too_large_a_batch_says_what_to_try(data: TokenStream, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        torch.empty(1 << 50, device="cuda")

    monkeypatch.setattr(Stepper, "_gradients", full)
    with pytest.raises(InputError, match=r"out of memory on cuda.*train\.grad_accum=2"):
        trained(data, "cuda")


def test_greedy_text_with_a_cache_is_that_without(data: TokenStream) -> None:
    model, _ = trained(data, "cuda")
    prompt = torch.from_numpy(data.ids[:5].astype("int64"))[None]
    *_, drawn = generate(model, prompt, temperature=0, tokens=30)
    tokens = prompt.cuda()
    with torch.no_grad():
        while tokens.shape[1] < 35:
            tokens = torch.cat([tokens, model(tokens[:, -16:])[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(drawn, tokens)
