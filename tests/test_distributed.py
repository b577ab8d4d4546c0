"""One run on two processes: as on one with the same batches, and written by one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tokexp.runs.files import load_metrics
from tokexp.training.record import StepRow

QUICK = [
    "model=nano", "model.dropout=0", "budget.steps=12", "train.eval_every=6", "train.batch_size=4",
    "train.checkpoint_every=4", "sample.tokens=5", "sample.count=1", "sample.chars=10", "tracking.mode=disabled",
    "device=cpu", "tokenizer=bpe", "tokenizer.vocab_size=300", "data=text",
]  # fmt: skip


def command(processes: int, text_file: Path, cwd: Path, *more: str) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-W", "ignore", "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
    return subprocess.run(
        [*start, "tokexp.run", *QUICK, f"data.path={text_file}", "hydra.run.dir=run", *more],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def alone(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cwd = tmp_path_factory.mktemp("alone")
    done = command(1, text_file, cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run"


def same_within_rounding(folder: Path, alone: Path) -> None:
    one, two = (json.loads((path / "result.json").read_bytes()) for path in (alone, folder))
    assert two["config_hash"] == one["config_hash"]
    for name in ("val_bpb", "best_val_bpb_crossfit", "train_loss"):
        assert two[name] == pytest.approx(one[name], rel=1e-4)
    assert (two["tokens_seen"], two["bytes_seen"]) == (one["tokens_seen"], one["bytes_seen"])
    rows = [[row for row in load_metrics(path) if isinstance(row, StepRow)] for path in (alone, folder)]
    assert [row.step for row in rows[1]] == list(range(1, 13)), "written once, by one process"
    for first, second in zip(*rows, strict=True):
        assert second.loss == pytest.approx(first.loss, rel=1e-4), "of the whole batch, not of a part"
        assert second.grad_norm == pytest.approx(first.grad_norm, rel=1e-3)
    weights, others = (load_file(path / "model.safetensors") for path in (alone, folder))
    assert all(torch.allclose(weights[name], others[name], atol=1e-4) for name in weights)


def test_two_processes_train_as_one(text_file: Path, tmp_path: Path, alone: Path) -> None:
    done = command(2, text_file, tmp_path)
    assert done.returncode == 0, done.stderr
    same_within_rounding(tmp_path / "run", alone)
    assert done.stderr.count("bits per byte held out") == 1, "one of them speaks"


def test_two_processes_go_on_from_where_one_was_saved(text_file: Path, tmp_path: Path, alone: Path) -> None:
    """Ended by a text that cannot be sampled from, after training: both begin at the last checkpoint."""
    stop = "import sys, tokexp.stages.session as s\ndef fail(*_): sys.exit(9)\ns.Session._evaluate = fail\n"
    code = f"{stop}import tokexp.run; tokexp.run.main()"
    first = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *QUICK, f"data.path={text_file}", "hydra.run.dir=run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert first.returncode == 9, first.stderr
    assert [path.stem for path in (tmp_path / "run/checkpoints").iterdir()] == ["000000004"]
    done = command(2, text_file, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("continues from step 4") == 1
    same_within_rounding(tmp_path / "run", alone)


def test_a_batch_that_cannot_be_shared_is_refused(text_file: Path, tmp_path: Path) -> None:
    done = command(2, text_file, tmp_path, "train.batch_size=3")
    assert done.returncode != 0
    assert "train.batch_size: got 3, expected a multiple of 2" in done.stderr
    assert not (tmp_path / "run/result.json").exists()
