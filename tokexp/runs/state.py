"""How a run stands, as its folder tells: `status.json`, and whether a process holds its lock. Needs no torch."""

from __future__ import annotations

import fcntl
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from tokexp.runs.files import LOCK, STATUS
from tokexp.system.files import write_json
from tokexp.system.reading import Count, Kinds, check, open_regular, read_json


class State(StrEnum):
    NOT_STARTED = "not started"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    DONE = "done"
    FAILED = "failed"
    DIVERGED = "diverged"

    @property
    def ended(self) -> bool:
        """Whether nobody is, or is still to be, at work on the run."""
        return self in (State.DONE, State.FAILED, State.DIVERGED)


@dataclass(frozen=True)
class RunState:
    state: State
    reason: str = ""  # of an end that was not wanted
    since: str = ""  # when, by the clock of the machine; for people alone
    config_hash: str = ""  # of the settings that it is about
    steps: int = 0  # that the run is to take; 0 before that is known


_STATUS: Kinds = {**dict.fromkeys(("state", "reason", "since", "config_hash"), str), "steps": Count}


def write_state(folder: Path, state: State, reason: str = "", *, config_hash: str, steps: int = 0) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / STATUS, asdict(RunState(state, reason, now, config_hash, steps)))


def read_state(folder: Path) -> RunState:
    """Read how a run stands; "running" where nobody is at work any more reads as interrupted."""
    try:
        written = read_json(folder / STATUS)
        check(written, {"state": str}, STATUS)
        values = asdict(RunState(State.NOT_STARTED)) | written  # an older one may lack something
        check(values, _STATUS, STATUS)
        values["state"] = State(values["state"])
        state = RunState(**{name: values[name] for name in RunState.__dataclass_fields__ if name in values})
    except (OSError, ValueError):
        return RunState(State.NOT_STARTED)
    if state.state is State.RUNNING and not is_locked(folder):
        reason = "its process ended without a word"
        return RunState(State.INTERRUPTED, reason, state.since, state.config_hash, state.steps)
    return state


def is_locked(folder: Path) -> bool:
    """Whether a process is at work in `folder`. For an instant this holds the lock itself, where nobody does."""
    try:
        with open_regular(folder / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
