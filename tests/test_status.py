"""A sweep that is interrupted, fails in part or was done elsewhere: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import tokexp
from test_run import QUICK

from tokexp.runs.progress import duration
from tokexp.runs.standing import last_rows, standing, standings, summary
from tokexp.runs.state import RunState, is_locked, read_state, write_state


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tokexp.run", *arguments], cwd=cwd, stderr=subprocess.PIPE, text=True
    )


def wait_for(line: str, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    for got in process.stderr:
        if line in got:
            return
    pytest.fail(f"ended before {line!r}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_same_command_does_what_is_missing(data: list[str], tmp_path: Path, number: int) -> None:
    """Ended in its second run: the first stays done, the second goes on, the third is begun."""
    sweep = ["-m", "tokenizer=char", "seed=0,1,2", *data, "budget.steps=60", "train.checkpoint_every=5"]
    process = start(*sweep, cwd=tmp_path)
    wait_for("s1-", process)
    wait_for("step 30 of 60", process)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    found = standings(tmp_path / "runs/demo")
    assert [one.state.state for one in found] == ["done", "interrupted", "not started"]
    status = tokexp("status", "demo", cwd=tmp_path)
    assert "1 of 3 done, 1 interrupted, 1 not started" in status.stdout
    first = tmp_path / "runs/demo" / found[0].name / "result.json"
    before = first.stat().st_mtime_ns
    again = tokexp("run", *sweep, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "done before" in again.stderr
    assert re.search(r"s1-\w+: going on from step \d+", again.stderr)
    assert "3 of 3 runs done (1 before)" in again.stderr
    assert first.stat().st_mtime_ns == before
    assert "3 of 3 done" in tokexp("status", "demo", cwd=tmp_path).stdout


def test_a_failed_run_is_named_with_its_reason_and_tried_again(data: list[str], tmp_path: Path) -> None:
    """A folder that cannot be entered stands for any failure; the diverged one is a result."""
    sweep = ["-m", "tokenizer=char", "train.lr=1e30,1e-3,2e-3", "train.min_lr=0", *data]
    assert tokexp("run", *sweep, "dry=true", cwd=tmp_path).returncode == 0
    names = planned(tmp_path, sweep)
    broken = tmp_path / "runs/demo" / names[2]
    broken.mkdir(parents=True)
    (broken / "model.safetensors").write_text("mine")
    done = tokexp("run", *sweep, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 3 runs done, 1 diverged, 1 not started" in done.stderr
    assert re.search(rf"diverged: {names[0]}: DivergedError: step 2 of 6.*run\.log", done.stderr)
    report = (tmp_path / "reports/demo/README.md").read_text()
    assert f"- {names[0]}: diverged" in report
    assert f"- {names[2]}: not started" in report
    shutil.rmtree(broken)
    again = tokexp("run", *sweep, cwd=tmp_path)
    assert again.returncode == 1
    assert "2 of 3 runs done (1 before), 1 diverged" in again.stderr
    assert "diverged before" in again.stderr
    assert "step 1 of" not in again.stderr
    rerun = tokexp("run", *sweep, "rerun=true", cwd=tmp_path)
    assert "diverged before" not in rerun.stderr


def planned(cwd: Path, sweep: list[str]) -> list[str]:
    """The names of a sweep's runs, in their order, from its dry run."""
    done = tokexp("run", *sweep, "dry=true", cwd=cwd)
    return re.findall(r"^ *(\S+-s\d+-[0-9a-f]{8}) ", done.stdout, flags=re.MULTILINE)


def test_dry_says_what_it_would_cost_and_leaves_nothing(data: list[str], tmp_path: Path) -> None:
    done = tokexp("run", "-m", "tokenizer=char,bpe", "tokenizer.vocab_size=300", *data, "dry=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0].split("-")[0] for row in rows[2:4]] == ["char", "bpe"]
    assert rows[3][1] == "300"
    assert rows[2][3:5] == ["6", "384"], "steps, and tokens: 6 x 2 x 32"
    assert "2 of 2 to do" in done.stdout
    assert not list(tmp_path.glob("runs/*/*"))
    assert not (tmp_path / "reports").exists()
    assert tokexp("run", "-m", "tokenizer=char", *data, cwd=tmp_path).returncode == 0
    half = tokexp("run", "-m", "tokenizer=char,bpe", "tokenizer.vocab_size=300", *data, "dry=true", cwd=tmp_path)
    assert "2 of 2 to do" in half.stdout, "another vocabulary is another run"
    alone = tokexp("run", "tokenizer=char", *data, "dry=true", cwd=tmp_path)
    assert "1 of 1 to do" in alone.stdout


def test_what_is_committed_counts_as_done(data: list[str], tmp_path: Path) -> None:
    """A study grows over machines: here the folders of the first half are not there any more."""
    sweep = ["-m", "tokenizer=char", *data, "sweep=study"]
    assert tokexp("run", *sweep, "seed=0,1", cwd=tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "runs")
    done = tokexp("run", *sweep, "seed=0,1,2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("done before, in reports/study") == 2
    assert "3 of 3 runs done (2 before)" in done.stderr
    rows = (tmp_path / "reports/study/data/results.csv").read_text().splitlines()
    assert len(rows) == 1 + 3
    assert "Seeds: 0, 1, 2" in (tmp_path / "reports/study/README.md").read_text()
    pruned = tokexp("report", "study", "--prune", cwd=tmp_path)
    assert pruned.returncode == 0, pruned.stderr
    assert len((tmp_path / "reports/study/data/results.csv").read_text().splitlines()) == 1 + 1


def test_the_list_of_runs_is_that_of_their_folders(data: list[str], tmp_path: Path) -> None:
    """Of several tokenizers and sizes, since a name is that of the settings which are current."""
    sweep = ["-m", "tokenizer=char,byte", "seed=0,1", *[word for word in data if "model=" not in word]]
    done = tokexp("run", *sweep, "model=nano,micro", "budget.steps=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = json.loads((tmp_path / "runs/demo/sweep.json").read_bytes())["runs"]
    left = sorted(path.parent.name for path in tmp_path.glob("runs/demo/*/result.json"))
    assert sorted(names) == left
    assert [name.split("-")[0] for name in names] == ["char"] * 4 + ["byte"] * 4
    assert "8 of 8 runs done" in done.stderr


def test_two_sweeps_in_one_folder(data: list[str], tmp_path: Path) -> None:
    """They share one run, which one of them does; the other says so, and nothing is corrupt."""
    more = [*data, "budget.steps=40", "tokenizer=char"]
    first = start("-m", "seed=0,1", *more, cwd=tmp_path)
    wait_for("step 3 of 40", first)
    second = tokexp("run", "-m", "seed=0,2", *more, cwd=tmp_path)
    rest = first.communicate(timeout=120)[1]
    assert first.returncode == 0, rest
    assert second.returncode in (0, 1)
    if second.returncode:
        assert "another process is at work on this run" in second.stderr
    states = [read_state(path.parent).state for path in tmp_path.glob("runs/demo/*/status.json")]
    assert states == ["done"] * 3
    again = tokexp("run", "-m", "seed=0,1,2", *more, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "3 of 3 runs done (3 before)" in again.stderr


def test_a_folder_deleted_under_a_run(data: list[str], tmp_path: Path) -> None:
    process = start("tokenizer=char", *data, "budget.steps=3000", "hydra.run.dir=mine", cwd=tmp_path)
    wait_for("step 3 of", process)
    shutil.rmtree(tmp_path / "mine")
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert "Traceback" not in rest
    assert re.search(r"error: \S+mine: .*deleted while a run was at work in it", rest)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("kept", "left"),
    [("none", set()), ("best", {"best.safetensors"}), ("all", {"best.safetensors", "model.safetensors"})],
)
def test_weights_are_kept_as_asked(data: list[str], tmp_path: Path, kept: str, left: set[str]) -> None:
    done = tokexp("run", "tokenizer=char", *data, f"keep_weights={kept}", "hydra.run.dir=mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "mine").glob("*.safetensors")} == left
    sampled = tokexp("sample", "mine", "--tokens", "3", cwd=tmp_path)
    assert (sampled.returncode == 0) == (kept != "none")
    assert ("keep_weights=none" in sampled.stderr) == (kept == "none")


def test_threads_are_shared_by_the_runs_of_a_machine(data: list[str], tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    assert tokexp("run", "tokenizer=char", *data, "threads=1", "hydra.run.dir=one", cwd=tmp_path).returncode == 0
    shared = tokexp(
        "run",
        "tokenizer=char",
        *data,
        "hydra.run.dir=two",
        cwd=tmp_path,
        TOKEXP_WORKERS=str(cores),
        OMP_NUM_THREADS="7",
    )
    assert shared.returncode == 0, shared.stderr
    found = [json.loads((tmp_path / name / "result.json").read_bytes()) for name in ("one", "two")]
    assert [(row["threads"], row["workers"]) for row in found] == [(1, 1), (1, cores)]


def test_states_by_hand(tmp_path: Path) -> None:
    assert read_state(tmp_path) == RunState("not started")
    write_state(tmp_path, "running", config_hash="h", steps=9)
    assert read_state(tmp_path).state == "interrupted", "nobody holds the lock"
    code = (
        "import fcntl, sys, time\nlock = open(sys.argv[1], 'a')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\ntime.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / ".lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert is_locked(tmp_path)
    assert read_state(tmp_path).state == "running"
    holder.kill()
    holder.communicate()
    assert not is_locked(tmp_path)
    (tmp_path / "status.json").write_text("{")
    assert read_state(tmp_path).state == "not started"


def test_a_clock_that_steps_back_is_only_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations are not taken from the clock of the machine."""
    write_state(tmp_path / "one", "done", config_hash="h", steps=4)
    lines = [{"event": "eval", "step": 4, "val_bpb": 2.5, "seconds": 8.0}]
    (tmp_path / "one/metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half')
    monkeypatch.setattr(time, "time", lambda: 0.0)
    found = standings(tmp_path)
    assert (found[0].step, found[0].val_bpb, found[0].share) == (4, 2.5, 1.0)
    assert summary(found) == "1 of 1 done; 100% of all steps"


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (0.4, 99, 100, 5_940, 6_000, 90_000)] == [
        "0 s", "99 s", "2 min", "99 min", "1 h 40 min", "25 h 00 min",
    ]  # fmt: skip


def test_watching_ends_where_nothing_is_left_to_come(tmp_path: Path) -> None:
    for name, state in (("a", "done"), ("b", "diverged"), ("c", "failed")):
        (tmp_path / "runs/demo" / name).mkdir(parents=True)
        write_state(tmp_path / "runs/demo" / name, state, config_hash="x")
    assert "1 of 3 done, 1 diverged, 1 failed" in tokexp("status", "demo", "--watch", cwd=tmp_path).stdout


def test_status_of_nothing_is_one_line(tmp_path: Path) -> None:
    done = tokexp("status", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no run in it" in done.stderr


def test_the_last_evaluation_is_found_however_far_back(tmp_path: Path) -> None:
    """With eval_every=1000 there are more rows after it than the end of the file that is read first."""
    row = {"event": "step", "lr": 0.1, "loss": 1.2345678, "grad_norm": 0.5, "note": "x" * 100}
    rows = [{**row, "step": 1}, {"event": "eval", "step": 1, "seconds": 2.0, "val_bpb": 3.5}]
    rows += [{**row, "step": 1 + i} for i in range(1, 2000)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows) + '{"event": "st')
    (tmp_path / "status.json").write_text(json.dumps({"state": "interrupted", "steps": 5000}))
    found = standing(tmp_path)
    assert (found.step, found.val_bpb) == (2000, 3.5)
    assert len(last_rows(tmp_path / "metrics.jsonl", 1 << 30)) == len(rows)
