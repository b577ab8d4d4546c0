"""How a run stands, as its folder tells: `status.json`, and whether a process holds its lock. Needs no torch."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tokexp.runs.files import LOCK, STATUS
from tokexp.system.files import write_json


@dataclass(frozen=True)
class RunState:
    state: str  # done, running, interrupted, failed, diverged, or "not started"
    reason: str = ""  # of an end that was not wanted
    since: str = ""  # when, by the clock of the machine; for people alone
    config_hash: str = ""  # of the settings that it is about
    steps: int = 0  # that the run is to take; 0 before that is known


def write_state(folder: Path, state: str, reason: str = "", *, config_hash: str, steps: int = 0) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / STATUS, asdict(RunState(state, reason, now, config_hash, steps)))


def read_state(folder: Path) -> RunState:
    """What `folder` says; "running" where nobody is at work any more reads as interrupted."""
    try:
        values = json.loads((folder / STATUS).read_bytes())
        state = RunState(**{name: values[name] for name in RunState.__dataclass_fields__ if name in values})
    except (OSError, ValueError, TypeError):
        return RunState("not started")
    if state.state == "running" and not is_locked(folder):
        return RunState("interrupted", "its process ended without a word", state.since, state.config_hash, state.steps)
    return state


def is_locked(folder: Path) -> bool:
    """Whether a process is at work in `folder`."""
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
