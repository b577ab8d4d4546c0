"""A sweep at work as one table."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path

import pytest
from rich.console import Console

from tokexp.runs.progress import LIVE
from tokexp.runs.state import State, write_state
from tokexp.sweep import live
from tokexp.sweep.live import SweepTable, live_table


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two runs that are done and three that are to be."""
    states = {"a": State.DONE, "b": State.DONE, "c": State.INTERRUPTED, "d": State.NOT_STARTED, "e": State.NOT_STARTED}
    for name, state in states.items():
        write_state(tmp_path / "mine" / name, state, config_hash="h", steps=40, seconds={"training": 9.0})
    (tmp_path / "mine/sweep.json").write_text(json.dumps({"sweep": "mine", "runs": list(states)}))
    return tmp_path / "mine"


def terminal(height: int = 30) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, height=height, color_system=None, _environ={})


def drawn(sweep: Path, height: int) -> str:
    console = terminal(height)
    with console.capture() as shown:
        console.print(SweepTable(sweep, console)())
    return shown.get()


def test_what_is_at_work_comes_first_and_what_does_not_fit_is_counted(sweep: Path) -> None:
    whole = [line.split() for line in drawn(sweep, 30).splitlines()]
    assert whole[0][:3] == ["run", "at", "step"]
    assert [line[0] for line in whole[1:6]] == ["c", "d", "e", "a", "b"]
    assert whole[4] == ["a", "done", "0", "of", "40"]
    assert "2 of 5 done, 1 interrupted, 2 not started" in " ".join(whole[-1])
    short = drawn(sweep, 9)
    assert "and 3 more" in short


def test_what_has_ended_is_read_once(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is begun again."""
    table, read = SweepTable(sweep, terminal()), []
    standing = live.standing
    monkeypatch.setattr(live, "standing", lambda folder: read.append(folder.name) or standing(folder))
    table()
    assert read == ["a", "b", "c", "d", "e"]
    read.clear()
    write_state(sweep / "b", State.RUNNING, config_hash="h")
    table()
    assert read == ["b", "c", "d", "e"]


def test_a_terminal_shows_the_table_and_warnings(sweep: Path) -> None:
    console = terminal()
    with live_table(sweep, console):
        assert LIVE in os.environ, "so that runs draw no bars of their own"
    assert LIVE not in os.environ
    assert isinstance(console.file, io.StringIO)
    assert "2 of 5 done" in console.file.getvalue()


def test_elsewhere_nothing_is_shown(sweep: Path) -> None:
    console = Console(file=io.StringIO())
    with live_table(sweep, console):
        logging.getLogger(__name__).info("a line")
        assert LIVE not in os.environ
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""
