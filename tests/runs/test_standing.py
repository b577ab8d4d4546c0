"""How far the runs of a sweep are, from their folders alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tokexp.runs.standing import last_rows, standing, standings, summary
from tokexp.runs.state import write_state


def test_a_clock_that_steps_back_is_only_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations are not taken from the clock of the machine."""
    write_state(tmp_path / "one", "done", config_hash="h", steps=4)
    lines = [{"event": "eval", "step": 4, "val_bpb": 2.5, "seconds": 8.0}]
    (tmp_path / "one/metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half')
    monkeypatch.setattr(time, "time", lambda: 0.0)
    (run,) = standings(tmp_path)
    assert (run.step, run.val_bpb, run.share) == (4, 2.5, 1.0)
    assert summary([run]) == "1 of 1 done; 100% of all steps"


def test_the_last_evaluation_is_found_however_far_back(tmp_path: Path) -> None:
    """With eval_every=1000 there are more rows after it than the end of the file that is read first."""
    row = {"event": "step", "lr": 0.1, "loss": 1.2345678, "grad_norm": 0.5, "note": "x" * 100}
    rows = [{**row, "step": 1}, {"event": "eval", "step": 1, "seconds": 2.0, "val_bpb": 3.5}]
    rows += [{**row, "step": 1 + i} for i in range(1, 2000)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows) + '{"event": "st')
    (tmp_path / "status.json").write_text(json.dumps({"state": "interrupted", "steps": 5000}))
    run = standing(tmp_path)
    assert (run.step, run.val_bpb) == (2000, 3.5)
    assert len(last_rows(tmp_path / "metrics.jsonl", 1 << 30)) == len(rows)
