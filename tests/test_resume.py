"""A run that was ended at any moment goes on to the same weights, bit for bit, and the same figures."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_experiment import settings

import tokexp.scoring.evaluator
import tokexp.stages.measure
import tokexp.stages.prepare
import tokexp.training.checkpoint
from tokexp.config import BudgetConfig, InputError, RunConfig, SampleConfig, from_dict, to_dict
from tokexp.experiment import run_experiment
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.runs.files import load_metrics, metrics_row
from tokexp.runs.tracking.tracker import Tracker
from tokexp.system.signals import Interrupted
from tokexp.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import Row
from tokexp.training.state import TrainState

TIMES = {
    "git_dirty",  # somebody may edit while a test of minutes runs
    "train_seconds", "tokens_per_second", "seconds", "peak_memory", "tokenizer_train_seconds",
    "tokenizer_encode_seconds",
}  # fmt: skip


def short(text_file: Path, **changes: Any) -> RunConfig:
    """25 steps with dropout, evaluated after 10, 20 and 25, saved after every 6."""
    cfg = settings(text_file, sample=SampleConfig(tokens=5, count=1, chars=20, temperatures=[1.0]))
    train = dataclasses.replace(cfg.train, checkpoint_every=6)
    return dataclasses.replace(cfg, train=train, model=dataclasses.replace(cfg.model, dropout=0.1), **changes)


@pytest.fixture(scope="module")
def whole(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_experiment(short(text_file), folder)
    return folder


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in TIMES}


def same(folder: Path, whole: Path) -> None:
    for name in ("model.safetensors", "best.safetensors"):
        got, wanted = load_file(folder / name), load_file(whole / name)
        assert got.keys() == wanted.keys()
        assert all(torch.equal(got[key], wanted[key]) for key in wanted), name
    rows = [[without_times(metrics_row(row)) for row in load_metrics(path)] for path in (folder, whole)]
    assert rows[0] == rows[1]
    results = [without_times(json.loads((path / "result.json").read_bytes())) for path in (folder, whole)]
    assert results[0] == results[1]
    for name in ("samples.jsonl", "content.jsonl", "readability.jsonl"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    assert not (folder / "checkpoints").exists(), "nothing is left to go on from"


class Killed(BaseException):
    """Stands for an end that nothing in the run notices."""


def kill_at(monkeypatch: pytest.MonkeyPatch, event: str, step: int) -> None:
    """End the run before it writes its row for `event` at `step`."""
    log = Tracker.log

    def killed(self: Tracker, row: Row) -> None:
        if (metrics_row(row)["event"], row.step) == (event, step):
            raise Killed
        log(self, row)

    monkeypatch.setattr(Tracker, "log", killed)


def run_until(monkeypatch: pytest.MonkeyPatch, cfg: RunConfig, folder: Path, event: str, step: int) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, event, step)
        with pytest.raises(Killed):
            run_experiment(cfg, folder)


@pytest.mark.parametrize(
    ("event", "step"), [("step", 3), ("step", 6), ("step", 7), ("eval", 10), ("step", 13), ("eval", 25)]
)
def test_killed_while_training(
    text_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, event: str, step: int
) -> None:
    run_until(monkeypatch, short(text_file), tmp_path, event, step)
    saved = [int(path.stem) for path in checkpoints(tmp_path / "checkpoints")]
    assert saved == [s for s in (6, 12, 18, 24) if s < step][-2:]
    started = []
    monkeypatch.setattr(tokexp.stages.prepare, "train", watched(started))
    run_experiment(short(text_file), tmp_path)
    assert started == saved[-1:] or started == [0] == [len(saved)]
    same(tmp_path, whole)


def watched(started: list[int]) -> Callable[..., Any]:
    """`train`, which notes the step that it is started at."""
    train = tokexp.stages.prepare.train

    def watching(*arguments: Any, **named: Any) -> Any:
        started.append(arguments[6].step)
        return train(*arguments, **named)

    return watching


def test_killed_again_and_again(text_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (8, 14, 19, 25):
        run_until(monkeypatch, short(text_file), tmp_path, "step", step)
    run_experiment(short(text_file), tmp_path)
    same(tmp_path, whole)


@pytest.mark.parametrize("asked", [False, True])
def test_stopped_while_it_is_measured(
    text_file: Path,
    tmp_path: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    asked: bool,
) -> None:
    """Killed, or asked to stop: training is not done again, only what comes after it."""
    with monkeypatch.context() as patch, caplog.at_level("INFO"):
        patch.setattr(tokexp.stages.measure, "draw_samples", signalling if asked else raising(Killed()))
        with pytest.raises(Interrupted if asked else Killed):
            run_experiment(short(text_file), tmp_path)
    assert ("stopped after its training, which is saved" in caplog.text) == asked
    started: list[int] = []
    monkeypatch.setattr(tokexp.stages.prepare, "train", watched(started))
    run_experiment(short(text_file), tmp_path)
    assert started == [25]
    same(tmp_path, whole)


def signalling(*_: Any, **__: Any) -> Any:
    signal.raise_signal(signal.SIGINT)
    pytest.fail("it went on")


@pytest.mark.parametrize("at", [10, 25])
def test_an_evaluation_is_given_up_at_once(
    text_file: Path,
    tmp_path: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    at: int,
) -> None:
    """What was trained is saved, and as the run goes on the evaluation is done first."""
    score = tokexp.scoring.evaluator.score

    def signalling_at(model: GPT, *rest: Any, **named: Any) -> Any:
        if load_metrics(tmp_path)[-1].step == at:
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it went on")
        return score(model, *rest, **named)

    with monkeypatch.context() as patch, caplog.at_level("INFO"):
        patch.setattr(tokexp.scoring.evaluator, "score", signalling_at)
        with pytest.raises(Interrupted):
            run_experiment(short(text_file), tmp_path)
    assert f"stopped after step {at} of 25, which is saved" in caplog.text
    assert checkpoints(tmp_path / "checkpoints")[-1].stem == f"{at:09d}"
    run_experiment(short(text_file), tmp_path)
    same(tmp_path, whole)


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails


def interrupted_at(text_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> list[Path]:
    run_until(monkeypatch, short(text_file), folder, "step", step)
    return checkpoints(folder / "checkpoints")


@pytest.mark.parametrize("damage", ["cut short", "rubbish", "empty", "of another run"])
def test_a_damaged_checkpoint_is_passed_over(
    text_file: Path,
    tmp_path: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    first, last = interrupted_at(text_file, tmp_path / "run", monkeypatch, 14)
    if damage == "of another run":
        run_until(monkeypatch, short(text_file, seed=1), tmp_path / "other", "step", 14)
        last.write_bytes((tmp_path / "other/checkpoints" / last.name).read_bytes())
    else:
        content = last.read_bytes()
        last.write_bytes({"cut short": content[: len(content) // 2], "rubbish": b"x" * 99, "empty": b""}[damage])
    started: list[int] = []
    monkeypatch.setattr(tokexp.stages.prepare, "train", watched(started))
    run_experiment(short(text_file), tmp_path / "run")
    assert started == [int(first.stem)]
    assert f"{last}: left aside" in caplog.text
    same(tmp_path / "run", whole)


@pytest.mark.parametrize("what", ["metrics.jsonl", "checkpoint"])
def test_what_cannot_be_read_now_is_not_thrown_away(
    text_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """As by a disk that failed once: the run does not begin anew over it."""
    _, last = interrupted_at(text_file, tmp_path, monkeypatch, 14)
    failing = tmp_path / "metrics.jsonl" if what == "metrics.jsonl" else last
    hidden = failing.with_suffix(".hidden")
    failing.rename(hidden)
    failing.mkdir()  # opens with an OSError, for root too
    with pytest.raises(InputError, match="cannot be read"):
        run_experiment(short(text_file), tmp_path)
    failing.rmdir()
    hidden.rename(failing)
    run_experiment(short(text_file), tmp_path)
    same(tmp_path, whole)


def test_metrics_that_were_cut_short_take_the_run_back(
    text_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A checkpoint is of no use without the rows before it; a half-written last row is no row."""
    interrupted_at(text_file, tmp_path, monkeypatch, 14)
    lines = (tmp_path / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(lines[:9]) + lines[9][:20])
    run_experiment(short(text_file), tmp_path)
    assert "only the rows of 9 steps are there" in caplog.text
    same(tmp_path, whole)


def test_other_settings_start_anew(text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_at(text_file, tmp_path, monkeypatch, 14)
    result = run_experiment(short(text_file, budget=BudgetConfig(steps=5)), tmp_path)
    assert result.cost.steps == 5
    assert [row.step for row in load_metrics(tmp_path)] == [1, 2, 3, 4, 5, 5]


def test_rerun_starts_anew(text_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_at(text_file, tmp_path, monkeypatch, 14)
    started: list[int] = []
    monkeypatch.setattr(tokexp.stages.prepare, "train", watched(started))
    run_experiment(short(text_file, rerun=True), tmp_path)
    assert started == [0]
    same(tmp_path, whole)


def test_a_full_disk_leaves_the_last_good_checkpoint(
    text_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = []
    save_file = tokexp.training.checkpoint.save_file

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        saves.append(path)
        if len(saves) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(tokexp.training.checkpoint, "save_file", full)
        with pytest.raises(InputError, match=r"000000012\.safetensors: cannot be written \(No space left on device\)"):
            run_experiment(short(text_file), tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000006.safetensors"]
    run_experiment(short(text_file), tmp_path)
    same(tmp_path, whole)


def test_nothing_is_changed_by_a_checkpoint_that_does_not_fit(tmp_path: Path) -> None:
    small, large = (GPT(GPTConfig(vocab_size=9, block_size=4, n_layer=1, n_head=1, n_embd=C)) for C in (4, 8))
    cfg = settings(Path("x")).train
    save_checkpoint(tmp_path, "same", small, TrainState(make_optimizer(small, cfg), step=3), small.state_dict())
    before = {name: value.clone() for name, value in large.state_dict().items()}
    state = TrainState(make_optimizer(large, cfg))
    assert load_checkpoint(tmp_path, "same", large, state, most=9) is None
    assert state.step == 0
    assert all(torch.equal(value, before[name]) for name, value in large.state_dict().items())


def start(cfg: RunConfig, folder: Path) -> subprocess.Popen[str]:
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        "from tokexp.config import from_dict\nfrom tokexp.experiment import run_experiment\n"
        "run_experiment(from_dict(json.loads(sys.argv[1])), Path(sys.argv[2]))"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(to_dict(cfg)), str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )


def wait_for_step(folder: Path, step: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        path = folder / "metrics.jsonl"
        if path.exists() and path.read_bytes().count(b'"event": "step"') >= step:
            return
        time.sleep(0.01)
    pytest.fail(f"no step {step} in {folder}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_real_signal(text_file: Path, tmp_path: Path, number: int) -> None:
    """SIGTERM and SIGINT save where the run stands; after SIGKILL it goes on from the last checkpoint."""
    cfg = short(text_file, budget=BudgetConfig(steps=400))
    cfg = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, eval_every=100, checkpoint_every=20))
    assert from_dict(to_dict(cfg)) == cfg
    process = start(cfg, tmp_path / "run")
    wait_for_step(tmp_path / "run", 50)
    process.send_signal(number)
    process.communicate(timeout=120)
    saved = [int(path.stem) for path in checkpoints(tmp_path / "run/checkpoints")]
    status = json.loads((tmp_path / "run/status.json").read_bytes())["state"]
    if number == signal.SIGKILL:
        assert (process.returncode, status) == (-number, "running")
        assert saved
        assert saved[-1] % 20 == 0
    else:
        assert (process.returncode, status) == (128 + number, "interrupted")
        assert saved[-1] == load_metrics(tmp_path / "run")[-1].step, "the step was finished, and saved"
    assert not (tmp_path / "run/result.json").exists()
    run_experiment(cfg, tmp_path / "run")
    run_experiment(cfg, tmp_path / "whole")
    same(tmp_path / "run", tmp_path / "whole")
