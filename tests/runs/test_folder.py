"""A run's folder at work: one process at a time."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from tokexp.config import InputError, RunConfig
from tokexp.runs import folder as folder_module
from tokexp.runs.folder import RunFolder, locked_folder, tidy_done
from tokexp.runs.state import State, read_state, write_state


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


class Killed(BaseException):
    """Stands for an end that leaves nothing but what is there."""


@pytest.mark.parametrize("at", ["write_state", "write_text"])
def test_a_run_killed_within_its_first_writes_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, at, killed)
        patch.setattr(RunFolder, "note_end", lambda *_: None)
        with pytest.raises(Killed), locked_folder(tmp_path, RunConfig(), "hash"):
            pass
    (tmp_path / ".status.json.abcd1234.part").touch()
    with locked_folder(tmp_path, RunConfig(), "hash"):
        assert {path.name for path in tmp_path.iterdir()} == {".lock", "status.json", "config.yaml", "run.log"}


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine: true")
    with pytest.raises(InputError, match=r"holds config\.yaml, which no run wrote"):
        locked_folder(tmp_path, RunConfig(), "hash").__enter__()
    assert (tmp_path / "config.yaml").read_text() == "mine: true"


def test_litter_among_the_checkpoints_goes_at_the_start(tmp_path: Path) -> None:
    room = tmp_path / "checkpoints/.000000003.safetensors.abcd1234.files"
    room.mkdir(parents=True)
    room.with_suffix(".part").touch()
    (room / ".tmpXyz").write_text("weights")
    write_state(tmp_path, State.RUNNING, config_hash="hash")
    with locked_folder(tmp_path, RunConfig(), "hash"):
        assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_run_killed_after_its_result_is_tidied(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/000000003.safetensors").write_text("weights")
    write_state(tmp_path, State.RUNNING, config_hash="hash", steps=9)
    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tidy_done(tmp_path, "hash")
        assert (tmp_path / "checkpoints").exists(), "a process is at work"
    tidy_done(tmp_path, "hash")
    assert not (tmp_path / "checkpoints").exists()
    assert (read_state(tmp_path).state, read_state(tmp_path).steps) == (State.DONE, 9)


@pytest.mark.parametrize("name", [".lock", "run.log", "status.json"])
def test_a_fifo_in_a_folder_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="got a FIFO, device or socket, expected a regular file"):
        locked_folder(tmp_path, RunConfig(), "hash").__enter__()


def test_litter_beside_a_finished_run_goes_too(tmp_path: Path) -> None:
    with locked_folder(tmp_path, RunConfig(), "hash"):
        pass
    (tmp_path / ".status.json.abcd1234.part").touch()
    tidy_done(tmp_path, "hash")
    assert not list(tmp_path.glob("*.part"))
    assert read_state(tmp_path).state is State.DONE
