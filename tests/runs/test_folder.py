"""A run's folder at work: one process at a time."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from tokexp.config import InputError, RunConfig
from tokexp.runs.folder import locked_folder


def test_who_only_looks_keeps_no_run_from_its_folder(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with locked_folder(tmp_path, RunConfig(), "hash") as folder:
            folder.check()


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    locked = [locked_folder(tmp_path, RunConfig(), "hash") for _ in range(2)]
    with locked[0], pytest.raises(InputError, match="another process is at work"), locked[1]:
        pass
