"""Several seeds as one batched model: each as if it had been alone."""

from __future__ import annotations

import dataclasses
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_experiment import settings
from test_resume import TIMES, Killed, kill_at

from tokexp.config import InputError, RunConfig, TrainConfig
from tokexp.experiment import run_experiment
from tokexp.runs.files import load_metrics
from tokexp.runs.result import RunResult
from tokexp.stages.session import Session
from tokexp.sweep.seeds_as_one import run_seeds_as_one
from tokexp.system.signals import Interrupted, Request
from tokexp.training.checkpoint import checkpoints
from tokexp.training.loop import DivergedError
from tokexp.training.record import EvalRow, StepRow

SEEDS = [0, 1, 5]


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
    assert [row.step for row in load_metrics(folder)] == [row.step for row in load_metrics(alone)]


@pytest.fixture(scope="module")
def alone(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp(f"alone{seed}") / "run" for seed in SEEDS]
    for seed, folder in zip(SEEDS, folders, strict=True):
        run_experiment(short(text_file, seed), folder)
    return folders


def test_each_leaves_what_it_would_have_alone(text_file: Path, tmp_path: Path, alone: list[Path]) -> None:
    folders = [tmp_path / str(seed) for seed in SEEDS]
    results = run_seeds_as_one([short(text_file, seed) for seed in SEEDS], folders)
    assert [result.seed for result in results if isinstance(result, RunResult)] == SEEDS
    for folder, other in zip(folders, alone, strict=True):
        same_within_rounding(folder, other)
    assert run_seeds_as_one([short(text_file, seed) for seed in SEEDS], folders) == results, "not done twice"


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
            run_seeds_as_one(cfgs, folders)
    last = checkpoints(folders[2] / "checkpoints")[-1]
    assert int(last.stem) == 18
    last.unlink()
    with caplog.at_level("INFO"):
        run_seeds_as_one(cfgs, folders)
    assert caplog.text.count("continues from step 12") == 3
    for folder, other in zip(folders, alone, strict=True):
        same_within_rounding(folder, other)


def test_one_diverges_and_the_others_are_finished(
    text_file: Path, tmp_path: Path, alone: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Session.record

    def recorded(self: Session, steps: list[StepRow], request: Request) -> None:
        if self.run.cfg.seed == 1 and self.state.step == 8:
            raise DivergedError("made up")
        record(self, steps, request)

    monkeypatch.setattr(Session, "record", recorded)
    folders = [tmp_path / str(seed) for seed in SEEDS]
    results = run_seeds_as_one([short(text_file, seed) for seed in SEEDS], folders)
    assert [type(result) for result in results] == [RunResult, DivergedError, RunResult]
    assert json.loads((folders[1] / "status.json").read_bytes())["state"] == "diverged"
    same_within_rounding(folders[2], alone[2])


def test_an_evaluation_of_one_is_given_up_for_all(
    text_file: Path, tmp_path: Path, alone: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to stop while the second one is evaluated, all are saved at that step, and go on as one from there."""
    evaluate, folders = Session._evaluate, [tmp_path / str(seed) for seed in SEEDS]

    def evaluated(self: Session) -> EvalRow:
        if self.run.cfg.seed == 1:
            signal.raise_signal(signal.SIGINT)
        return evaluate(self)

    cfgs = [short(text_file, seed) for seed in SEEDS]
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_evaluate", evaluated)
        with pytest.raises(Interrupted):
            run_seeds_as_one(cfgs, folders)
    rows = [load_metrics(folder) for folder in folders]
    assert len({one[-1].step for one in rows}) == 1
    assert [isinstance(one[-1], EvalRow) for one in rows] == [True, False, False]
    run_seeds_as_one(cfgs, folders)
    for folder, other in zip(folders, alone, strict=True):
        same_within_rounding(folder, other)


def test_only_the_seed_may_differ(text_file: Path, tmp_path: Path) -> None:
    cfgs = [short(text_file, 0), dataclasses.replace(short(text_file, 1), arm="other")]
    with pytest.raises(InputError, match="differ in more than their seed"):
        run_seeds_as_one(cfgs, [tmp_path / "a", tmp_path / "b"])


def test_parts_that_do_not_divide_the_batch_are_refused(text_file: Path, tmp_path: Path) -> None:
    unlike = TrainConfig(batch_size=5, grad_accum=2)
    cfgs = [dataclasses.replace(short(text_file, seed), train=unlike) for seed in (0, 1)]
    with pytest.raises(InputError, match=r"train\.batch_size: got 5"):
        run_seeds_as_one(cfgs, [tmp_path / "a", tmp_path / "b"])
