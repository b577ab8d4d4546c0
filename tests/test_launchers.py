"""Several runs at once on one machine: the same results as one after the other, and nothing lost when it is ended."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import tokexp_afresh as tokexp
from test_resume import same
from test_run import QUICK

from tokexp.runs.files import whole_rows

THREE = ["tokenizer=char", "train.lr=1e30,1e-3,2e-3", "train.min_lr=0", "sweep=mine"]  # the first one diverges
PLUGINS = {"joblib": "hydra_plugins.hydra_joblib_launcher", "submitit_local": "hydra_plugins.hydra_submitit_launcher"}


@pytest.fixture(params=list(PLUGINS))
def launcher(request: pytest.FixtureRequest) -> list[str]:
    """A launcher as it is typed."""
    return needs(request.param)


def needs(name: str) -> list[str]:
    try:
        importlib.import_module(PLUGINS[name])
    except ImportError:
        pytest.skip(f"launcher={name} is not installed: pip install -e '.[dev]'")
    return ["-m", f"launcher={name}"]


@pytest.fixture(scope="module")
def in_turn(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of a sweep that were done one after the other, each with one thread."""
    cwd = tmp_path_factory.mktemp("in_turn")
    done = tokexp("run", "-m", *THREE, "data=text", f"data.path={text_file}", *QUICK, "threads=1", cwd=cwd)
    assert done.returncode == 1, done.stderr
    return cwd / "runs/mine"


def states(runs: Path) -> dict[str, str]:
    return {path.parent.name: json.loads(path.read_bytes())["state"] for path in runs.glob("*/status.json")}


def test_same_results_as_one_after_the_other(
    launcher: list[str], in_turn: Path, text_file: Path, tmp_path: Path
) -> None:
    """Bit for bit, and a run that fails stops no other. As many workers as cores, so a thread each."""
    data = ["data=text", f"data.path={text_file}", *QUICK]
    done = tokexp("run", *launcher, *THREE, *data, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "2 of 3 runs done, 1 diverged" in done.stderr
    runs = tmp_path / "runs/mine"
    assert states(runs) == states(in_turn)
    for name in [name for name, state in states(runs).items() if state == "done"]:
        result = json.loads((runs / name / "result.json").read_bytes())
        assert (result["workers"], result["threads"]) == (len(os.sched_getaffinity(0)), 1)
        (runs / name / "result.json").write_text(json.dumps({**result, "workers": 1}))
        same(runs / name, in_turn / name)
    assert (tmp_path / "reports/mine/README.md").is_file()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_ended_runs_go_on(number: signal.Signals, text_file: Path, tmp_path: Path) -> None:
    """As by Ctrl-C, which a terminal sends to the workers too, or by `kill`, which they do not hear of."""
    launcher = [*needs("joblib"), "hydra.launcher.n_jobs=2"]
    sweep = [
        "tokenizer=char", "seed=0,1", "data=text", f"data.path={text_file}", *QUICK, "sweep=mine",
        "train.checkpoint_every=50", "train.eval_every=1000", "threads=1", "budget.steps=1000",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tokexp.run", *launcher, *sweep],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    runs = tmp_path / "runs/mine"
    until = time.monotonic() + 120
    while len({path.parent for path in runs.glob("*/checkpoints/*.safetensors")}) < 2:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.01)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, rest
    assert "Traceback" not in rest
    nobody_is_left(process.pid)
    saved = {path.parent.parent.name for path in runs.glob("*/checkpoints/*")}
    assert len(saved) == 2
    assert not list(runs.glob("*/result.json"))
    assert all(len(whole_rows(runs / name)) < 1000 for name in saved)
    again = tokexp("run", *launcher, *sweep, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("continues from step") == 2
    assert "2 of 2 runs done" in again.stderr


def nobody_is_left(group: int) -> None:
    """joblib's own watcher leaves a moment after the others."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("processes are left behind")
