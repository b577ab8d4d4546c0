"""`launcher=batched`: what differs in its seed alone is trained as one model, all else one by one."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command_line import start, tokexp, wait_for
from corpora import corpus_of
from test_run import QUICK

from tokexp.config import BudgetConfig, RunConfig
from tokexp.stages.prepare import RunSpec
from tokexp.sweep.with_hydra import batched
from tokexp.sweep.with_hydra.batched import groups_of_seeds, train_group
from tokexp.training.loop import DivergedError


def planned(folder: Path, seed: int, **changes: object) -> RunSpec:
    cfg = dataclasses.replace(RunConfig(seed=seed), **changes)  # type: ignore[arg-type]
    corpus, name = corpus_of("train", "val"), f"{cfg.arm}-{cfg.budget.steps}-{seed}"
    return RunSpec(cfg, corpus, torch.device("cpu"), "float32", f"hash of {seed}", name, folder / name)


def test_groups_differ_in_the_seed_alone(tmp_path: Path) -> None:
    longer = BudgetConfig(steps=7)
    runs = [
        planned(tmp_path, 0), planned(tmp_path, 0, budget=longer), planned(tmp_path, 1), planned(tmp_path, 2, arm="x"),
        planned(tmp_path, 3, budget=longer), planned(tmp_path, 2), planned(tmp_path, 1),
    ]  # fmt: skip
    assert groups_of_seeds(runs) == [[0, 2, 5], [1, 4]], "the last one is the third once more"


def test_what_is_committed_is_in_no_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched, "committed_results", lambda sweep: {"hash of 1": 2.0})
    runs = [planned(tmp_path, seed) for seed in (0, 1, 2)]
    assert groups_of_seeds(runs) == [[0, 2]]
    assert groups_of_seeds(runs[:2]) == []
    again = [planned(tmp_path, seed, rerun=True) for seed in (0, 1)]
    assert groups_of_seeds(again) == [[0, 1]]


def test_a_group_that_fails_as_a_whole_has_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So that its runs are done one by one; one that diverges has none by itself."""
    runs = [planned(tmp_path, seed) for seed in (0, 1)]
    assert train_group([runs[0], planned(tmp_path, 1, arm="other")]) == []
    assert "error: runs to be trained as one differ in more than their seed" in caplog.text
    done = SimpleNamespace(val_bpb=2.5)
    monkeypatch.setattr(batched, "run_seeds_as_one", lambda cfgs, folders: [done, DivergedError("made up")])
    assert train_group(runs) == [2.5, None]
    assert "error: made up" in caplog.text


def test_a_sweep_groups_its_runs_by_all_but_the_seed(text_file: Path, tmp_path: Path) -> None:
    arguments = ["tokenizer=char,bpe", "tokenizer.vocab_size=300", "seed=0,1", "launcher=batched", "sweep=mine"]
    done = tokexp("run", "-m", *arguments, "data=text", f"data.path={text_file}", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs done" in done.stderr
    assert done.stderr.count("2 seeds as one: ") == 2
    workers = [json.loads(path.read_bytes())["workers"] for path in tmp_path.glob("runs/mine/*/result.json")]
    assert workers == [2] * 4
    again = tokexp("run", "-m", *arguments, "data=text", f"data.path={text_file}", *QUICK, cwd=tmp_path)
    assert "going on" not in again.stderr
    assert again.returncode == 0
    assert again.stderr.count("done before") == 4


def test_a_batched_sweep_trains_nothing_twice(text_file: Path, tmp_path: Path) -> None:
    """Neither with rerun=true, one after another once more, nor what is committed."""
    arguments = ["tokenizer=char", "seed=0,1", "launcher=batched", "sweep=mine", "data=text", f"data.path={text_file}"]
    done = tokexp("run", "-m", *arguments, *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = tokexp("run", "-m", *arguments, *QUICK, "rerun=true", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("bits per byte held out") == 2
    workers = [json.loads(path.read_bytes())["workers"] for path in tmp_path.glob("runs/mine/*/result.json")]
    assert workers == [2, 2]
    shutil.rmtree(tmp_path / "runs")
    committed = tokexp("run", "-m", *arguments, *QUICK, cwd=tmp_path)
    assert committed.stderr.count("done before, in reports/mine") == 2
    assert "bits per byte held out" not in committed.stderr


def test_an_interrupted_group_goes_on_as_one(text_file: Path, tmp_path: Path) -> None:
    sweep = [
        "-m", "sweep=mine", "tokenizer=char", "seed=0,1", "launcher=batched", "data=text",
        f"data.path={text_file}", *QUICK, "budget.steps=1000", "train.checkpoint_every=5", "train.eval_every=100",
    ]  # fmt: skip
    process = start(*sweep, cwd=tmp_path)
    wait_for("of 1000, loss", process)
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM, rest
    assert "interrupted; the run is saved" in rest
    assert "runs done" not in rest
    states = [json.loads(path.read_bytes())["state"] for path in tmp_path.glob("runs/mine/*/status.json")]
    assert states == ["interrupted"] * 2
    again = tokexp("run", *sweep, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("2 seeds as one: ") == 1
    assert again.stderr.count("continues from step") == 2
    assert "2 of 2 runs done" in again.stderr
