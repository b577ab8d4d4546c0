"""What is said between the runs of a sweep."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from hydra.types import RunMode
from omegaconf import OmegaConf

from tokexp.runs.state import write_state
from tokexp.sweep.with_hydra.callback import RunCallback


@pytest.fixture
def sweep(tmp_path: Path) -> dict[str, Any]:
    """Two runs that are done and three that are not, as Hydra speaks of one of them."""
    for name, state in (("a", "done"), ("b", "done"), ("c", "diverged"), ("d", "interrupted"), ("e", "interrupted")):
        (tmp_path / "mine" / name).mkdir(parents=True)
        write_state(tmp_path / "mine" / name, state, config_hash="h")
    return {"mode": RunMode.MULTIRUN, "runtime": {"output_dir": str(tmp_path / "mine/b")}}


def said_after(
    seconds: list[float], sweep: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> str:
    """What is said after the last of runs that took so long each."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    callback, config = RunCallback(), OmegaConf.create({"hydra": sweep})
    for each in seconds:
        callback.on_job_start(config)
        clock[0] += each
        caplog.clear()
        with caplog.at_level("INFO"):
            callback.on_job_end(config, JobReturn())
    return caplog.text


def test_the_rest_takes_as_long_as_the_mean_run(
    sweep: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that had been done before, in no time, do not count."""
    said = said_after([20, 0.5, 40], sweep, monkeypatch, caplog)
    assert "mine: 2 of 5 done, 1 diverged, 2 interrupted" in said
    assert said.rstrip().endswith("about 60 s left")
    monkeypatch.setenv("TOKEXP_WORKERS", "2")
    assert said_after([20, 40], sweep, monkeypatch, caplog).rstrip().endswith("about 30 s left")
    assert said_after([0.5], sweep, monkeypatch, caplog) == ""


def test_nothing_is_said_of_a_run_alone_or_in_a_queue(
    sweep: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert said_after([20], {**sweep, "mode": RunMode.RUN}, monkeypatch, caplog) == ""
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    assert said_after([20], sweep, monkeypatch, caplog) == ""
