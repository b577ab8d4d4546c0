"""A study in Weights & Biases: its report, its runs sent afterwards, and the line that uploads what is offline."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up
import pytest
import wandb
from wandb_server import ReceivedRun, WandbServer

from tokexp.config import TrackingConfig
from tokexp.runs.files import metrics_lines
from tokexp.runs.tracking.connection import SWEEP
from tokexp.runs.tracking.study import one_line_for_all, replay, say_how_to_upload, track_report
from tokexp.training.record import EvalRow, Evaluation, Row, StepRow


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    """On a machine with a key; W&B reads its environment once, so it begins and ends with the test."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with WandbServer() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb.teardown()
        yield server
        wandb.teardown()
        assert server.unknown == [], "the stand-in was asked what it does not know"


def rows() -> list[Row]:
    """Two steps and an evaluation."""
    steps = [StepRow(step, 0.1, 10 * step, 20 * step, loss=3.0, grad_norm=1.0) for step in (1, 2)]
    scores = Evaluation(4.1, 4.2, 2.9, 3.0, [1.0] * 64)
    return [*steps, EvalRow(2, 20, 40, 1e6, 0.5, 40.0, None, scores)]


def test_runs_are_sent_from_their_folders_or_from_the_studys_curves(tmp_path: Path, server: WandbServer) -> None:
    here = made_up.run("char", bpb=[3.0], name="char-s0", config_hash="c" * 64)
    elsewhere = made_up.run("bpe", bpb=[3.5, 2.5], name="bpe-s0", config_hash="b" * 64)
    study = made_up.study([here, elsewhere])
    folder = tmp_path / here.row["name"]
    folder.mkdir()
    (folder / "metrics.jsonl").write_text(metrics_lines(rows()))
    (folder / "config.yaml").write_text("arm: char\ntracking: {mode: disabled, tags: [first], notes: why}\n")
    replay(study, tmp_path)
    runs = {run.fields["displayName"]: run for run in server.runs.values()}
    whole, points = runs[here.row["name"]], runs[elsewhere.row["name"]]
    assert [row["_step"] for row in whole.history if "train/batch_loss" in row] == [1, 2]
    assert (whole.fields["tags"], whole.fields["notes"]) == (["first"], "why")
    assert (whole.config["arm"], points.config["arm"]) == ("char", "bpe")
    assert [row["val/bpb"] for row in points.history if "val/bpb" in row] == [3.5, 2.5]
    assert points.summary["bpb"] == points.summary["val_bpb"] == 2.5
    assert {run.fields["groupName"] for run in runs.values()} == {"made-up"}
    assert {run.exit_code for run in runs.values()} == {0}


def test_a_report_is_a_run_of_its_own(tmp_path: Path, server: WandbServer) -> None:
    from matplotlib.figure import Figure

    report = tmp_path / "reports/demo"
    for folder in ("figures", "tables"):
        (report / folder).mkdir(parents=True)
    (report / "README.md").write_text("# demo")
    (report / "tables/costs.csv").write_text("run,steps\nchar,8\n")
    Figure().savefig(report / "figures/ranking_0.png")
    ranking = [{"run": "char", "bpb": 2.5, "bpb_low": 2.25, "bpb_high": 2.75}]
    track_report(report, "demo", TrackingConfig(mode="online"), tmp_path, ranking)
    (run,) = server.runs.values()
    assert (run.fields["displayName"], run.fields["groupName"]) == ("report-demo", "demo")
    assert (run.fields["jobType"], run.exit_code) == ("report", 0)
    logged = keys(run)
    assert server.files[logged["report/ranking_0"]["path"]].startswith(b"\x89PNG")
    assert json.loads(server.files[logged["tables/costs"]["path"]])["data"] == [["char", 8]]
    assert json.loads(server.files[logged["tables/ranking"]["path"]])["data"] == [["char", 2.5, 2.25, 2.75]]
    assert (run.summary["char/bpb"], run.summary["char/bpb_low"]) == (2.5, 2.25)
    assert server.files["README.md"] == b"# demo"
    track_report(report, "demo", TrackingConfig(mode="disabled"), tmp_path)
    assert len(server.runs) == 1


def keys(run: ReceivedRun) -> dict[str, Any]:
    return {name: value for row in run.history for name, value in row.items()}


def test_one_line_uploads_a_sweep(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    say_how_to_upload(tmp_path)
    assert caplog.text == ""
    for place in ("a", "b", "."):
        (tmp_path / "my sweep" / place / "wandb/offline-run-1").mkdir(parents=True)
    say_how_to_upload(tmp_path / "my sweep")
    folder = f"'{tmp_path}/my sweep'"
    assert caplog.messages[-1].endswith(f"wandb sync {folder}/*/wandb/offline-run-* {folder}/wandb/offline-run-*")
    with one_line_for_all():
        assert SWEEP in os.environ
    assert SWEEP not in os.environ
