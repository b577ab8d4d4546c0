"""A real SLURM, where there is one (tests/slurm/setup.sh makes one): whatever happens to a job, its sweep gets done."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import tokexp_afresh as tokexp
from test_resume import same
from test_run import QUICK

from tokexp.runs.files import whole_rows

pytestmark = pytest.mark.slurm
STEPS = 3000  # some 10 seconds
SWEEP = ["tokenizer=char,bpe", "seed=0,1", "sweep=mine"]
NAMES = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def slurm() -> None:
    try:
        answers = subprocess.run(["srun", "--immediate=20", "true"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        answers = False
    if not answers:
        pytest.skip("no SLURM answers here; tests/slurm/setup.sh makes one")


@pytest.fixture(scope="module")
def settings(text_file: Path) -> list[str]:
    quick = [setting for setting in QUICK if not setting.startswith(("budget", "train"))]
    return [
        *quick, f"budget.steps={STEPS}", "train.batch_size=4", "train.eval_every=1000", "train.checkpoint_every=200",
        "tokenizer.vocab_size=300", "data=text", f"data.path={text_file}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def in_turn(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sweep without SLURM, one run after the other, each with one thread."""
    cwd = tmp_path_factory.mktemp("in_turn")
    done = tokexp("run", "-m", *SWEEP, *settings, "threads=1", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "runs/mine"


class Submitted:
    """A sweep on its way through SLURM, under a job name of its own."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self.name = f"tokexp-test-{os.getpid()}-{next(NAMES)}"
        self.runs = cwd / "runs/mine"
        self._called: dict[str, float] = {}  # when a waiting job was last told to start
        command = ["-m", "tokexp.run", "-m", "launcher=slurm", f"hydra.launcher.name={self.name}", *arguments]
        self.parent = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], cwd=cwd, stderr=subprocess.PIPE, text=True
        )

    def jobs(self, *states: str) -> list[str]:
        """Those waiting or at work; where one is in the queue for a second time, it need not wait its two minutes."""
        listed = squeue(f"--name={self.name}", "--array", "--format=%i %T %r")
        for job, _, reason in listed:
            if reason == "BeginTime" and time.monotonic() > self._called.get(job, 0) + 20:
                # Not at once: within a second of its end SLURM refuses to start it, its credential being revoked.
                subprocess.run(["scontrol", "update", f"jobid={job}", "starttime=now+5"], capture_output=True)
                self._called[job] = time.monotonic()
        return [job for job, state, _ in listed if not states or state in states]

    def steps(self) -> list[int]:
        """How far each run is, where it has begun."""
        return [rows[-1].step for path in sorted(self.runs.glob("*-s*")) if (rows := whole_rows(path))]

    def wait(self) -> str:
        """Until no job is left and the parent has ended; what it said."""
        wait_for(lambda: not self.jobs() and self.parent.poll() is not None, 400)
        return self.parent.communicate()[1]

    def cancel(self) -> None:
        subprocess.run(["scancel", f"--name={self.name}"], check=True)
        if self.parent.poll() is None:
            self.parent.kill()
            self.parent.communicate()


def squeue(*arguments: str) -> list[list[str]]:
    listed = subprocess.run(["squeue", "--noheader", *arguments], capture_output=True, text=True)
    return [line.split(maxsplit=2) for line in listed.stdout.splitlines()]


def wait_for(condition: Callable[[], object], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds:.0f} s"
        time.sleep(0.3)


@pytest.fixture
def submit(tmp_path: Path, settings: list[str]) -> Iterator[Callable[..., Submitted]]:
    submitted: list[Submitted] = []

    def start(*arguments: str) -> Submitted:
        submitted.append(Submitted(tmp_path, *settings, *arguments))
        return submitted[-1]

    yield start
    for sweep in submitted:
        sweep.cancel()


def python_of(job: str) -> int:
    """The process that trains, among those of a job."""
    ((number,),) = squeue(f"--jobs={job}", "--format=%A")  # listpids knows no 26_0
    listed = subprocess.run(["scontrol", "listpids", number], capture_output=True, text=True, check=True).stdout
    for pid in [int(line.split()[0]) for line in listed.splitlines()[1:]]:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if pid > 0 else []
        if b"submitit.core._submit" in words and words[0].rsplit(b"/")[-1].startswith(b"python"):
            return pid
    pytest.fail(f"no python in job {job}: {listed}")


def node_state() -> str:
    return subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True).stdout.split()[0]


@pytest.fixture
def slurmd() -> Iterator[int]:
    """The daemon of this node, by its process; started again afterwards, whatever happened."""
    file = Path("/run/slurmd.pid")
    if os.geteuid() != 0 or not file.is_file() or shutil.which("slurmd") is None:
        pytest.skip("needs a slurmd of its own; tests/slurm/setup.sh starts one")
    yield int(file.read_text())
    if not file.is_file():
        subprocess.run(["slurmd"], check=True)


def test_a_killed_job_and_a_lost_node(
    submit: Callable[..., Submitted], slurmd: int, in_turn: Path, settings: list[str], tmp_path: Path
) -> None:
    """The others finish; the same command does the rest; the figures are those of one run after the other."""
    sweep = submit(*SWEEP)
    wait_for(lambda: len(sweep.steps()) >= 2 and min(sweep.steps()) > 300)
    killed, *_ = sweep.jobs("RUNNING")
    os.kill(python_of(killed), signal.SIGKILL)
    os.kill(slurmd, signal.SIGTERM)
    wait_for(lambda: node_state().startswith("down"), 120)
    subprocess.run(["slurmd"], check=True)
    said = sweep.wait()
    assert sweep.parent.returncode == 1
    assert "of 4 runs done" in said
    assert len(list(sweep.runs.glob("*/result.json"))) == 3, said
    again = tokexp("run", "-m", "launcher=slurm", *SWEEP, *settings, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "4 of 4 runs done (3 before)" in again.stderr
    for path in in_turn.glob("*-s*"):
        same(sweep.runs / path.name, path)


def test_a_job_that_makes_room_goes_on_later(submit: Callable[..., Submitted], in_turn: Path) -> None:
    """SLURM tells it to stop, and starts it again once there is room."""
    partitions = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True).stdout.split()
    if "urgent" not in partitions:
        pytest.skip("needs the partitions of tests/slurm/setup.sh")
    sweep = submit("tokenizer=char", "seed=0,1", "sweep=mine")
    wait_for(lambda: len(sweep.steps()) >= 2 and min(sweep.steps()) > 300)
    everything = f"--ntasks={os.cpu_count()}"
    subprocess.run(["srun", "--partition=urgent", everything, "true"], check=True, capture_output=True)
    assert not list(sweep.runs.glob("*/result.json"))
    said = sweep.wait()
    assert sweep.parent.returncode == 0, said
    logs = "".join(path.read_text() for path in sweep.runs.glob("*/run.log"))
    assert logs.count("continues from step") == 2
    for path in in_turn.glob("char-*"):
        same(sweep.runs / path.name, path)


def test_a_job_whose_time_is_up_goes_on_later(submit: Callable[..., Submitted]) -> None:
    """SLURM's shortest time is a minute, and it looks every half: so 5 to 35 s after its start the job is told."""
    time_is_up = ["hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=55"]
    sweep = submit("tokenizer=char", "seed=0", "sweep=mine", f"budget.steps={10 * STEPS}", *time_is_up)
    said = sweep.wait()
    assert sweep.parent.returncode == 0, said
    logs = "".join(path.read_text() for path in sweep.runs.glob(".submitit/*/*.out"))
    assert "this job is timed-out" in logs
    assert "continues from step" in logs


def test_a_cancelled_job_ends(submit: Callable[..., Submitted]) -> None:
    """It is saved, and does not come back by itself."""
    sweep = submit("tokenizer=char", "seed=0", "sweep=mine")
    wait_for(lambda: sweep.steps() and sweep.steps()[0] > 100)
    subprocess.run(["scancel", *sweep.jobs("RUNNING")], check=True)
    said = sweep.wait()
    assert sweep.parent.returncode == 1
    assert "0 of 1 runs done, 1 interrupted" in said
    assert len(list(sweep.runs.glob("*/checkpoints/*.safetensors"))) >= 1
