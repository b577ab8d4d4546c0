"""A sweep that is interrupted, or runs twice at once: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from command_line import start, tokexp, wait_for
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from test_run import QUICK

from tokexp.runs.standing import standings
from tokexp.runs.state import read_state
from tokexp.sweep.with_hydra.sweeper import ReportingSweeper, register
from tokexp.system.places import ROOT


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_same_command_does_what_is_missing(data: list[str], tmp_path: Path, number: int) -> None:
    """Ended in its second run: the first stays done, the second goes on, the third is begun."""
    sweep = ["-m", "sweep=mine", "tokenizer=char", "seed=0,1,2", *data, "budget.steps=60", "train.checkpoint_every=5"]
    process = start(*sweep, cwd=tmp_path)
    wait_for("s1-", process)
    wait_for("step 30 of 60", process)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    runs = standings(tmp_path / "runs/mine")
    assert [run.state.state for run in runs] == ["done", "interrupted", "not started"]
    status = tokexp("status", "mine", cwd=tmp_path)
    assert "1 of 3 done, 1 interrupted, 1 not started" in status.stdout
    first = tmp_path / "runs/mine" / runs[0].name / "result.json"
    before = first.stat().st_mtime_ns
    again = tokexp("run", *sweep, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "done before" in again.stderr
    assert re.search(r"s1-\w+: continues from step \d+", again.stderr)
    assert "3 of 3 runs done (1 before)" in again.stderr
    assert first.stat().st_mtime_ns == before
    assert "3 of 3 done" in tokexp("status", "mine", cwd=tmp_path).stdout


def test_two_sweeps_in_one_folder(data: list[str], tmp_path: Path) -> None:
    """They share one run, which one of them does; the other says so, and nothing is corrupt."""
    more = [*data, "sweep=mine", "budget.steps=40", "tokenizer=char"]
    first = start("-m", "seed=0,1", *more, cwd=tmp_path)
    wait_for("step 3 of 40", first)
    second = tokexp("run", "-m", "seed=0,2", *more, cwd=tmp_path)
    rest = first.communicate(timeout=120)[1]
    assert first.returncode == 0, rest
    assert second.returncode in (0, 1)
    if second.returncode:
        assert "another process is at work on this run" in second.stderr
    states = [read_state(path.parent).state for path in tmp_path.glob("runs/mine/*/status.json")]
    assert states == ["done"] * 3
    again = tokexp("run", "-m", "seed=0,1,2", *more, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "3 of 3 runs done (3 before)" in again.stderr


class Unreachable:
    """A launcher whose queue does not answer."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> NoReturn:
        raise RuntimeError(f"{len(job_overrides)} jobs, and no queue to put them into")


def test_a_launcher_that_gives_up_is_no_reason_to_say_nothing(
    data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its jobs may have gone on; what became of each run is told from the folders, and the exit code is 1."""
    register()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: Unreachable())
    arguments = ["tokenizer=char", "seed=0,1", "sweep=mine", *data]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"), caplog.at_level("INFO"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        config = hydra.compose_config("config", arguments, RunMode.MULTIRUN)
        sweeper = ReportingSweeper({"seed": "5,6,7"})
        context = HydraContext(hydra.config_loader, Callbacks())
        sweeper.setup(hydra_context=context, task_function=lambda _: None, config=config)
        with pytest.raises(SystemExit) as end:
            sweeper.sweep(arguments)
    assert end.value.code == 1
    assert "RuntimeError: 2 jobs, and no queue" in caplog.text, "the command line's seeds go before the sweep's"
    assert "0 of 2 runs done, 2 not started" in caplog.text
    assert len(standings(tmp_path / "runs/mine")) == 2
