"""Writes files so that a reader, or the next run, never meets a half-written one, nor several of which some are old.

What is being written lies in a temporary folder beside its place. A process that is killed leaves it there, and the
next that writes the same removes it: beside each such folder is a file that its process holds by a lock, which ends
with the process, on whatever machine that is.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tokexp.config import InputError

MARK = ".part"  # .NAME.xxxxxxxx.part: a process that writes NAME holds this file by a lock
ROOM = ".files"  # .NAME.xxxxxxxx.files: and in this folder it writes
READY = ".ready"  # in a folder: new files of it, whole, that are to be moved in
LOCK = ".lock"  # in such a folder: who reads shares it, who moves has it alone


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path of the name of `target`: what is written there becomes `target` on success, else goes."""
    with _temporary(target) as temporary:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)  # safetensors writes 0600
        os.replace(temporary, target)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder, which becomes `target`, where nothing or an empty folder is, on success, else goes."""
    with _temporary(target) as temporary:
        temporary.mkdir()
        yield temporary
        os.rename(temporary, target)


@contextmanager
def replacing_together(folder: Path) -> Iterator[Path]:
    """A temporary folder: on success its files replace those of their names in `folder`, all of them or none.

    One rename decides: it makes the temporary folder `folder`/.ready. Then its files are moved out of it one by one,
    after a kill by the next `settle`. No rename replaces a whole folder on every system, and `folder` may hold more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock, _temporary(folder / READY) as temporary:
        temporary.mkdir()
        yield temporary
        fcntl.flock(lock, fcntl.LOCK_EX)
        _move_in(folder)
        os.rename(temporary, folder / READY)
        _move_in(folder)


@contextmanager
def reading_together(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Hold off `replacing_together` while files of `folder` are read; yields what says where the one of a name is.

    Nothing is written, so that what nobody may write, or nobody ever wrote so, can be read too.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            lock = stack.enter_context((folder / LOCK).open("rb"))
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield lambda name: next(
            (path for path in (folder / READY / name, folder / name) if path.exists()), folder / name
        )


def settle(folder: Path) -> None:
    """Finish what a killed `replacing_together` had decided, and remove what it had not."""
    if (folder / READY).exists():
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _move_in(folder)
    remove_litter(folder)


def _move_in(folder: Path) -> None:
    ready = folder / READY
    if ready.exists():
        for path in sorted(ready.iterdir()):
            os.replace(path, folder / path.name)
        ready.rmdir()


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A path of the name of `target` in a temporary folder beside it, which goes at the end, and after a kill later.

    A folder, since what libraries make on their way to a file is to go with it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_litter(target.parent, target.name)
    handle, mark = _hold_new_mark(target)
    room = mark.with_suffix(ROOM)
    try:
        room.mkdir()
        yield room / target.name
    finally:
        shutil.rmtree(room, ignore_errors=True)
        mark.unlink(missing_ok=True)  # last: by it the folder is found
        os.close(handle)


def _hold_new_mark(target: Path) -> tuple[int, Path]:
    """Make a file that this process holds for as long as it lives, or has it open."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=MARK, dir=target.parent)
        with suppress(OSError):  # where the file system has no locks nobody removes what is not his own
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):
            return handle, Path(name)
        os.close(handle)  # another process took it for litter before it was held


def remove_litter(folder: Path, name: str = "") -> None:
    """Remove from `folder` what processes that are no more had begun to write, there or for the file `name` alone."""
    with suppress(OSError):  # it is not there, or not ours
        for mark in folder.glob(f".{glob.escape(name)}.*{MARK}" if name else f".*{MARK}"):
            _remove_if_left(mark)


def _remove_if_left(mark: Path) -> None:
    with suppress(OSError), mark.open("r+b") as file:  # NFS locks no file that is open for reading alone
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where it is held
        shutil.rmtree(mark.with_suffix(ROOM), ignore_errors=True)
        mark.unlink()


def room_for(folder: Path, n_bytes: float, what: str) -> None:
    """Raise InputError where the disk of `folder` has not so many bytes left."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise InputError(
            f"{folder}: the disk has {free / 1e9:.1f} GB left, expected {n_bytes / 1e9:.1f} GB for {what}; "
            "make room, or let data/ be a link to a larger disk"
        )


def keep_only(folder: Path, written: Container[Path]) -> None:
    """Remove the files in `folder` that are not among `written`, and what killed processes left there."""
    remove_litter(folder)
    for path in folder.glob("*.*"):
        if path not in written and path.suffix not in (MARK, ROOM):
            path.unlink()


def write_text(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(target: Path, value: Any) -> None:
    write_text(target, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


_UMASK = _read_umask()


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
