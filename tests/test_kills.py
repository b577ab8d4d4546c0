"""A sweep killed at any file operation: the same command then leaves what an undisturbed one leaves, and no more.

A kill leaves what is on the disk at that moment, and no lock. So one sweep is traced, and before each operation its
folder is copied as it is; in each copy the command is started again. That a copy is what a kill leaves is tested too.
`pytest -m slow tests/test_kills.py --every 1 -s` does all of them, and prints what became of each.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from command_line import _become, processes
from test_resume import TIMES, without_times

from tokexp.system.reading import read_json_lines

pytestmark = pytest.mark.slow

COMMAND = [
    "-m", "tokenizer=char,bpe_classic", "tokenizer.vocab_size=80", "model=nano", "model.block_size=16",
    "budget.steps=4", "train.eval_every=2", "train.checkpoint_every=1", "train.batch_size=2", "sample.tokens=5",
    "sample.count=1", "sample.chars=10", "tracking.mode=disabled", "data=text", "device=cpu", "threads=1",
]  # fmt: skip
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "fcntl.flock", "os.truncate", "os.link"}
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
RANDOM = re.compile(r"\.[a-z0-9_]{8}(?=\.(part|files))|(?<=/\.tmp)\w{6}$")
OF_TIMES = ("cost",)  # tables that tell of seconds


@dataclass(frozen=True)
class Operation:
    number: int
    event: str
    path: str
    disk: str  # a digest of the folder before it

    def __str__(self) -> str:
        return f"{self.number:4} {self.event:11} {self.path}"


def digest(folder: Path) -> str:
    """The same for folders with the same files, but for what is random in the names of temporary ones."""
    lines = []
    for path in folder.rglob("*"):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        lines.append(f"{RANDOM.sub('', str(path.relative_to(folder)))} {content}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def operations(cwd: Path, where: Path, before: Callable[[Operation], None]) -> Callable[[str, Any], None]:
    """An audit hook that calls `before` before each operation that may change something in `where`, within `cwd`."""
    number, busy = 0, False

    def hook(event: str, arguments: Any) -> None:
        nonlocal number, busy
        if event not in EVENTS or busy:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & CHANGING):
            return
        busy = True
        try:
            path = _path(event, arguments)
            if path.is_relative_to(where):
                before(Operation(number, event, RANDOM.sub("", str(path.relative_to(cwd))), digest(cwd)))
                number += 1
        finally:
            busy = False

    return hook


def _path(event: str, arguments: Any) -> Path:
    where = arguments[0]
    if isinstance(where, int):
        return Path(os.readlink(f"/proc/self/fd/{where}"))
    folder = arguments[-1] if event in ("os.remove", "os.rmdir", "os.mkdir") and arguments[-1] > 0 else None
    return Path(os.readlink(f"/proc/self/fd/{folder}") if folder else os.getcwd(), os.fsdecode(where))


@dataclass(frozen=True)
class Work:
    """A sweep of two runs in `cwd`, in a process of its own, with few pictures and tables."""

    cwd: Path
    text: Path
    cache: Path
    trace: Path | None = None  # where to write each operation below `cwd`, and before it a copy of `cwd`
    every: int = 1  # of the copies make each so many-th
    kill_at: int | None = None

    def do(self) -> tuple[int | None, str]:
        """The exit code and what was said."""
        self.cwd.mkdir(exist_ok=True)
        said = self.cwd.with_name(f"{self.cwd.name}.said")
        said.unlink(missing_ok=True)
        process = processes.Process(target=in_process, args=(self, said))
        process.start()
        process.join(300)
        if process.exitcode is None:
            process.kill()
        return process.exitcode, said.read_text()


def in_process(work: Work, said: Path) -> None:
    from tokexp.rendering.tables import sections
    from tokexp.system import places
    from tokexp.training import loop

    loop.time = SimpleNamespace(perf_counter=count().__next__)  # type: ignore[attr-defined,assignment]  # a second a step
    places.CACHE = work.cache
    sections.SECTIONS[:] = [one for one in sections.SECTIONS if one.name in ("bits_per_byte", "differences", "cost")]
    disks: dict[str, int] = {}

    def note(operation: Operation) -> None:
        if operation.number == work.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if work.trace is None:
            return
        with (work.trace / "operations.jsonl").open("a") as file:
            file.write(json.dumps(vars(operation)) + "\n")
        if operation.disk not in disks:
            if len(disks) % work.every == 0:
                shutil.copytree(work.cwd, work.trace / str(operation.number))
            disks[operation.disk] = operation.number

    if work.trace is not None or work.kill_at is not None:
        where = work.cache if work.cache.is_relative_to(work.cwd) else work.cwd
        sys.addaudithook(operations(work.cwd, where, note))
    env = {**os.environ, "TOKEXP_DATA": str(work.cwd / "nothing"), "OMP_NUM_THREADS": "1"}
    _become("run", (*COMMAND, f"data.path={work.text}"), work.cwd, env, False, said, said)


def left(cwd: Path) -> dict[str, Any]:
    """What a sweep has left: every file by its name, with what it says where that is no matter of time."""
    files: dict[str, Any] = {}
    for path in sorted(path for path in cwd.rglob("*") if path.is_file() or path.name.startswith(".")):
        name = str(path.relative_to(cwd))
        files[name] = None
        if path.name == "result.json" or path.name == "status.json":
            files[name] = without_times(json.loads(path.read_bytes()))
            files[name].pop("since", None)
        elif path.name == "metrics.jsonl":
            files[name] = [without_times(row) for row in read_json_lines(path)]
        elif path.suffix == ".csv" and path.stem not in OF_TIMES:
            frame = pd.read_csv(path)
            files[name] = frame.drop(columns=[column for column in TIMES if column in frame]).to_csv()
        elif path.name == "README.md":
            files[name] = [line for line in path.read_text().splitlines() if not line.startswith("|")]
        elif path.suffix in (".svg", ".png", ".safetensors") or path.name in ("samples.jsonl", "summary.json"):
            files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


def differences(got: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    there = {name for name in got.keys() | wanted.keys() if name not in got or name not in wanted}
    return [f"{name}: {'too much' if name in got else 'missing'}" for name in sorted(there)] + [
        f"{name}: other" for name in sorted(got.keys() & wanted.keys()) if got[name] != wanted[name]
    ]


@pytest.fixture(scope="module")
def short_text(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "short.txt"
    path.write_text(text[:4000])
    return path


def traced(trace: Path) -> list[Operation]:
    return [Operation(**row) for row in read_json_lines(trace / "operations.jsonl")]


@pytest.mark.parametrize("cache", ["shared", "its own"])
def test_the_same_command_after_a_kill_at_any_operation(
    cache: str, short_text: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """With a cache that has all: at the operations of runs and report; with one of its own: at those in the cache."""
    trace, whole, again = tmp_path / "trace", tmp_path / "whole", tmp_path / "again"
    trace.mkdir()
    places = {whole: tmp_path / "cache", again: tmp_path / "cache"}
    if cache == "shared":
        assert Work(tmp_path / "first", short_text, tmp_path / "cache").do()[0] == 0
    else:
        places = {whole: whole / "data", again: again / "data"}
    code, said = Work(whole, short_text, places[whole], trace, pytestconfig.getoption("every")).do()
    assert code == 0, said
    wanted = left(whole)
    became: dict[str, str] = {}  # by the state of the disk
    tried = [operation for operation in traced(trace) if (trace / str(operation.number)).is_dir()]
    for operation in tried:
        (trace / str(operation.number)).rename(again)
        code, said = Work(again, short_text, places[again]).do()
        wrong = [f"exit code {code}: {said[-300:]}"] if code else differences(left(again), wanted)
        became[operation.disk] = "; ".join(wrong) or "equal"
        print(operation, became[operation.disk], flush=True)
        shutil.rmtree(again)
    listed = traced(trace)
    states = {operation.disk for operation in listed}
    print(f"{len(listed)} operations, {len(states)} states of the disk, {len(tried)} of them tried")
    assert len(listed) > 200
    assert {disk: what for disk, what in became.items() if what != "equal"} == {}


def test_a_copy_is_what_a_kill_leaves(short_text: Path, tmp_path: Path) -> None:
    """At some operations; and the command then comes to its end."""
    trace, whole, cache = tmp_path / "trace", tmp_path / "whole", tmp_path / "cache"
    trace.mkdir()
    assert Work(tmp_path / "first", short_text, cache).do()[0] == 0
    assert Work(whole, short_text, cache, trace, every=10**6).do()[0] == 0
    wanted, listed = left(whole), traced(trace)
    begun = next(one for one in listed if one.event == "os.rename" and one.path.endswith("config.yaml"))
    data = next(one for one in listed if one.event == "os.rename" and one.path.endswith("/.ready/curves.csv"))
    for operation in (begun, data):
        killed = tmp_path / str(operation.number)
        assert Work(killed, short_text, cache, kill_at=operation.number).do()[0] == -signal.SIGKILL
        names = {RANDOM.sub("", str(path.relative_to(killed))) for path in killed.rglob("*")}
        assert any(name.endswith(".part") for name in names) or operation is data
        assert operation is begun or any(name.endswith("data/.ready/results.csv") for name in names)
        code, said = Work(killed, short_text, cache).do()
        assert code == 0, said
        assert differences(left(killed), wanted) == []
