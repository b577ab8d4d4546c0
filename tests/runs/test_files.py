"""Rows of `metrics.jsonl` to the byte, what is read of a damaged one, and the names of a sweep's runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tokexp.config import InputError
from tokexp.runs.files import (
    find_run,
    load_metrics,
    metrics_lines,
    planned_runs,
    read_metrics_row,
    whole_rows,
    whole_steps,
    write_manifest,
)
from tokexp.training.record import EvalRow, Evaluation, Row, StepRow

STEP = StepRow(step=1, lr=0.001, tokens_seen=64, bytes_seen=128, loss=4.0, grad_norm=1.5)
EVAL = EvalRow(
    step=1, tokens_seen=64, bytes_seen=128, flops=1e6, seconds=0.5, tokens_per_second=128.0, peak_memory=9,
    scores=Evaluation(train_loss=4.1, val_loss=4.2, val_bpb_naive=2.9, val_bpb=3.0, val_block_nats=[1.0, 2.0]),
)  # fmt: skip
LINES = [
    '{"event": "step", "step": 1, "lr": 0.001, "tokens_seen": 64, "bytes_seen": 128, "loss": 4.0, "grad_norm": 1.5}',
    '{"event": "eval", "step": 1, "tokens_seen": 64, "bytes_seen": 128, "flops": 1000000.0, "seconds": 0.5, '
    '"tokens_per_second": 128.0, "peak_memory": 9, "train_loss": 4.1, "val_loss": 4.2, "val_bpb_naive": 2.9, '
    '"val_bpb": 3.0, "val_block_nats": [1.0, 2.0]}',
]


def test_rows_are_flat_lines_and_come_back(tmp_path: Path) -> None:
    assert metrics_lines([STEP, EVAL]).splitlines() == LINES
    (tmp_path / "metrics.jsonl").write_text("\n".join(LINES) + "\n")
    assert load_metrics(tmp_path) == whole_rows(tmp_path) == [STEP, EVAL]


def test_rows_from_before_memory_was_measured() -> None:
    old = json.loads(LINES[1])
    del old["peak_memory"]
    row = read_metrics_row(old)
    assert isinstance(row, EvalRow)
    assert row.peak_memory is None


@pytest.mark.parametrize("line", ['{"half', "[]", "{}", '{"event": "step", "step": 2}', '{"event": "eval", "step": 1}'])
def test_what_is_no_row_ends_what_can_be_gone_on_from(tmp_path: Path, line: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(f"{LINES[0]}\n{line}\n{LINES[1]}\n")
    assert whole_rows(tmp_path) == [STEP]
    with pytest.raises(InputError, match=r"metrics\.jsonl: .*damaged .*run again with rerun=true"):
        load_metrics(tmp_path)


def test_steps_without_a_gap() -> None:
    def steps(*numbers: int) -> list[Row]:
        return [StepRow(number, 0.1, 1, 1, 1.0, 1.0) for number in numbers]

    assert whole_steps([]) == 0
    assert whole_steps([*steps(1, 2), EVAL, *steps(3)]) == 3
    assert whole_steps(steps(1, 2, 4, 5)) == 2


def test_a_sweep_says_which_runs_are_its_own(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").write_text("{}")
    assert planned_runs(tmp_path) == ["a", "b"], "all that have begun, where no command left a list"
    write_manifest(tmp_path, "mine", ["c", "b"])
    assert json.loads((tmp_path / "sweep.json").read_bytes()) == {"sweep": "mine", "runs": ["c", "b"]}
    assert planned_runs(tmp_path) == ["c", "b"]


def test_a_run_is_found_by_its_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("demo/a", "demo/b", "mine/b"):
        (tmp_path / "runs" / folder).mkdir(parents=True)
        (tmp_path / "runs" / folder / "config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert find_run("a") == Path("runs/demo/a")
    assert find_run("runs/demo/b") == Path("runs/demo/b")
    assert find_run("elsewhere/c") == Path("elsewhere/c"), "a path is taken as it is"
    with pytest.raises(InputError, match="give the path of one: runs/demo/b, runs/mine/b"):
        find_run("b")
    with pytest.raises(InputError, match="no run of that name in runs, which has a, b;"):
        find_run("c")
    (tmp_path / "a").mkdir()
    assert find_run("a") == Path("a")
