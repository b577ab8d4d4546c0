"""Several seeds as one batched model: each as if it had been alone."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_experiment import settings
from test_resume import TIMES, Killed, kill_at

from tokexp.config import InputError, RunConfig, TrainConfig
from tokexp.encoding.stream import TokenStream, encode_stream
from tokexp.experiment import run_experiment
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.runs.files import load_metrics
from tokexp.runs.result import RunResult
from tokexp.sweep.together import run_together
from tokexp.tokenizer import train_tokenizer
from tokexp.training.budget import TrainPlan
from tokexp.training.checkpoint import checkpoints
from tokexp.training.loop import DivergedError, TrainState, train, train_together
from tokexp.training.optimizer import make_optimizer

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
    together: list[list[dict[str, Any]]] = [[] for _ in SEEDS]
    for several in train_together(models, data, plan, cfg, SEEDS, "float32", states):
        for own, some in zip(together, several, strict=True):
            assert isinstance(some, list)
            own += some
    assert any(row["grad_norm"] > 0.5 for row in rows[0])
    for one, other in zip(rows, together, strict=True):
        for row, same in zip(one, other, strict=True):
            assert row.pop("event") == same.pop("event") == "step"
            assert row == pytest.approx(same, rel=tolerance)
    for one, other in zip(alone, models, strict=True):
        for (name, p), q in zip(one.named_parameters(), other.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=tolerance, atol=tolerance), name
    assert [state.bytes_seen for state in states] == [own[-1]["bytes_seen"] for own in rows]


def test_one_that_diverges_leaves_the_others_alone(data: TokenStream) -> None:
    plan, cfg = TrainPlan(6, 1, 1e-2, 1e-3, "cosine"), TrainConfig(batch_size=4)
    models = [model_of(seed, torch.float64) for seed in SEEDS]
    with torch.no_grad():
        models[1].ln_f.weight[0] = math.nan
    states = [TrainState(make_optimizer(model, cfg)) for model in models]
    several = list(train_together(models, data, plan, cfg, SEEDS, "float32", states))
    assert all(isinstance(step[1], DivergedError) for step in several)
    alone = model_of(SEEDS[2], torch.float64)
    list(train(alone, data, plan, cfg, SEEDS[2], "float32"))
    assert all(torch.allclose(p, q) for p, q in zip(alone.parameters(), models[2].parameters(), strict=True))


def test_dropout_is_refused(data: TokenStream) -> None:
    cfg = TrainConfig(batch_size=4)
    models = [model_of(seed, torch.float32, dropout=0.1) for seed in SEEDS]
    states = [TrainState(make_optimizer(model, cfg)) for model in models]
    with pytest.raises(InputError, match=r"model\.dropout: got 0\.1, expected 0 .* launcher=local"):
        list(train_together(models, data, TrainPlan(2, 0, 1e-2, 1e-3, "cosine"), cfg, SEEDS, "float32", states))


def short(text_file: Path, seed: int, **changes: Any) -> RunConfig:
    cfg = settings(text_file, seed=seed, **changes)
    return dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, checkpoint_every=6))


def same_within_rounding(folder: Path, alone: Path) -> None:
    one, two = (json.loads((path / "result.json").read_bytes()) for path in (alone, folder))
    assert two["workers"] == len(SEEDS)
    assert one["workers"] == 1
    for name, value in one.items():
        if isinstance(value, float) and name not in TIMES and not name.startswith("marginal"):
            assert two[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    assert (two["config_hash"], two["seed"]) == (one["config_hash"], one["seed"])
    weights, others = (load_file(path / "model.safetensors") for path in (alone, folder))
    assert all(torch.allclose(weights[name], others[name], atol=1e-4) for name in weights)
    assert [row["step"] for row in load_metrics(folder)] == [row["step"] for row in load_metrics(alone)]


@pytest.fixture(scope="module")
def alone(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp(f"alone{seed}") / "run" for seed in SEEDS]
    for seed, folder in zip(SEEDS, folders, strict=True):
        run_experiment(short(text_file, seed), folder)
    return folders


def test_each_leaves_what_it_would_have_alone(text_file: Path, tmp_path: Path, alone: list[Path]) -> None:
    folders = [tmp_path / str(seed) for seed in SEEDS]
    results = run_together([short(text_file, seed) for seed in SEEDS], folders)
    assert [result.seed for result in results if isinstance(result, RunResult)] == SEEDS
    for folder, other in zip(folders, alone, strict=True):
        same_within_rounding(folder, other)
    assert run_together([short(text_file, seed) for seed in SEEDS], folders) == results, "not done twice"


def test_a_batched_cell_resumes_as_one(
    text_file: Path,
    tmp_path: Path,
    alone: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Killed between the checkpoints of two seeds: all go back to the last step that all have."""
    folders = [tmp_path / str(seed) for seed in SEEDS]
    cfgs = [short(text_file, seed) for seed in SEEDS]
    with monkeypatch.context() as patch:
        kill_at(patch, "step", 19)
        with pytest.raises(Killed):
            run_together(cfgs, folders)
    last = checkpoints(folders[2] / "checkpoints")[-1]
    assert int(last.stem) == 18
    last.unlink()
    with caplog.at_level("INFO"):
        run_together(cfgs, folders)
    assert caplog.text.count("going on from step 12") == 3
    for folder, other in zip(folders, alone, strict=True):
        same_within_rounding(folder, other)


def test_one_diverges_and_the_others_are_finished(
    text_file: Path, tmp_path: Path, alone: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokexp.experiment import Experiment

    record = Experiment.record

    def recorded(self: Experiment, rows: list[dict[str, Any]]) -> None:
        if self.cfg.seed == 1 and rows[-1]["step"] == 8:
            raise DivergedError("made up")
        record(self, rows)

    monkeypatch.setattr(Experiment, "record", recorded)
    folders = [tmp_path / str(seed) for seed in SEEDS]
    results = run_together([short(text_file, seed) for seed in SEEDS], folders)
    assert [type(result) for result in results] == [RunResult, DivergedError, RunResult]
    assert json.loads((folders[1] / "status.json").read_bytes())["state"] == "diverged"
    same_within_rounding(folders[2], alone[2])


def test_only_the_seed_may_differ(text_file: Path, tmp_path: Path) -> None:
    cfgs = [short(text_file, 0), dataclasses.replace(short(text_file, 1), arm="other")]
    with pytest.raises(InputError, match="differ in more than their seed"):
        run_together(cfgs, [tmp_path / "a", tmp_path / "b"])


def test_parts_that_do_not_divide_the_batch_are_refused(text_file: Path, tmp_path: Path) -> None:
    unlike = TrainConfig(batch_size=5, grad_accum=2)
    cfgs = [dataclasses.replace(short(text_file, seed), train=unlike) for seed in (0, 1)]
    with pytest.raises(InputError, match=r"train\.batch_size: got 5"):
        run_together(cfgs, [tmp_path / "a", tmp_path / "b"])
