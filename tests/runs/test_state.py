"""How a run stands, by its status and its lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tokexp.runs.state import RunState, State, is_locked, read_state, write_state


def test_states_by_hand(tmp_path: Path) -> None:
    assert read_state(tmp_path) == RunState(State.NOT_STARTED)
    assert not is_locked(tmp_path)
    assert not list(tmp_path.iterdir()), "who looks leaves nothing"
    write_state(tmp_path, State.RUNNING, config_hash="h", steps=9)
    assert read_state(tmp_path).state is State.INTERRUPTED, "nobody holds the lock"
    code = (
        "import fcntl, sys, time\nlock = open(sys.argv[1], 'a')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\ntime.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / ".lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert is_locked(tmp_path)
    assert read_state(tmp_path).state is State.RUNNING
    holder.kill()
    holder.communicate()
    assert not is_locked(tmp_path)
    (tmp_path / "status.json").write_text("{")
    assert read_state(tmp_path).state is State.NOT_STARTED
