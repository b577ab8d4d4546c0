"""How far the runs of a sweep are, from their folders alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tokexp.runs.files import metrics_row
from tokexp.runs.standing import Standing, last_rows, seconds_after_training, standing, standings, summary, table
from tokexp.runs.state import RunState, State, write_state
from tokexp.training.record import EvalRow, Evaluation, StepRow


def step(number: int) -> dict[str, Any]:
    return metrics_row(StepRow(number, 0.1, 1000 * number, 1000 * number, 1.2345678, 0.5))


def evaluation(number: int, bpb: float) -> dict[str, Any]:
    scores = Evaluation(1.0, 1.0, bpb, bpb, [1.0] * 64)
    return metrics_row(EvalRow(number, 1000 * number, 1000 * number, 1e9, 8.0, 100.0, None, scores))


def test_a_clock_that_steps_back_is_only_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations are not taken from the clock of the machine."""
    write_state(tmp_path / "one", State.DONE, config_hash="h", steps=4)
    lines = [evaluation(4, 2.5)]
    (tmp_path / "one/metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half')
    monkeypatch.setattr(time, "time", lambda: 0.0)
    (run,) = standings(tmp_path)
    assert (run.step, run.val_bpb, run.share) == (4, 2.5, 1.0)
    assert summary([run]) == "1 of 1 done; 100% of all steps"


def test_the_last_evaluation_is_found_however_far_back(tmp_path: Path) -> None:
    """With eval_every=1000 there are more rows after it than the end of the file that is read first."""
    rows = [step(1), evaluation(1, 3.5), *(step(1 + i) for i in range(1, 2000))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows) + '{"event": "st')
    (tmp_path / "status.json").write_text(json.dumps({"state": "interrupted", "steps": 5000}))
    run = standing(tmp_path)
    assert (run.step, run.val_bpb) == (2000, 3.5)
    assert len(last_rows(tmp_path / "metrics.jsonl", 1 << 30)) == len(rows)


def test_the_time_left_counts_what_follows_training(tmp_path: Path) -> None:
    """As it took the runs that are done; the first one alone measured the baselines."""
    for i, more in enumerate((30.0, 0.0, 0.0)):
        seconds = {"preparing": 1.0, "training": 8.0, "evaluating": 2.0, "measuring": 5.0, "baselines": more}
        write_state(tmp_path / f"done{i}", State.DONE, config_hash="h", steps=8, seconds=seconds)
        (tmp_path / f"done{i}/metrics.jsonl").write_text(json.dumps(evaluation(8, 2.5)) + "\n")
    write_state(tmp_path / "half", State.INTERRUPTED, config_hash="h", steps=8)
    (tmp_path / "half/metrics.jsonl").write_text(json.dumps(evaluation(4, 2.5)) + "\n")
    write_state(tmp_path / "new", State.RUNNING, config_hash="h")
    runs = {run.name: run for run in standings(tmp_path)}
    assert runs["done0"].left is None
    assert runs["half"].left == 1 + 4 * 8 / 4 + 5, "its own pace, of the steps that it has to go"
    assert runs["new"].left == 1 + 8 * 10 / 8 + 5
    assert seconds_after_training(tmp_path) == 5


def test_the_table_says_what_a_run_is_at(tmp_path: Path) -> None:
    state = RunState(State.RUNNING, steps=8, phase="baselines")
    assert "baselines" in table([Standing("run", state, 8, 2.5, None)])
