"""Builds folders once for all who need them: the runs of a sweep, and processes that want one at the same time.

A folder is named by the hash of what it was built from. It is built under a temporary name and moved
into place whole; a lock makes a second process wait instead of building it again. A folder that does not
match its checksums is built anew.
"""

from __future__ import annotations

import ast
import atexit
import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.system import places
from tokexp.system.files import new_folder, remove_litter, write_json
from tokexp.system.places import ROOT

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"
BEGUN = ".begun"  # a folder that is being filled, and goes on where it was left
FORGOTTEN = 14 * 24 * 3600  # seconds
LONG = 64 << 20  # bytes of a file that is told by its length alone: to read gigabytes for each run would take minutes


def cached(what: dict[str, Any], build: Callable[[Path], None], *, resumable: bool = False) -> Path:
    """The folder for `what`, plain values that decide its content; `build` fills an empty one.

    `resumable`: where a process was ended in it, `build` is given what it left and goes on from there; an error removes
    that. Raises InputError where the disk is full.

    Where the cache cannot be written the folder is a temporary one, built each time and removed as the process ends.
    """
    folder = place_of(what)
    name = folder.name
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f"{name}.lock").open("a")
    except OSError as error:
        log.warning("%s cannot be written (%s): nothing is kept for the next run", folder.parent, error.strerror)
        unkept = Path(tempfile.mkdtemp(prefix="tokexp-"))
        atexit.register(shutil.rmtree, unkept, ignore_errors=True)
        build(unkept)
        return unkept
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists() and not _intact(folder):
            log.warning("%s is damaged: building it again", folder)
            shutil.rmtree(folder)
        if not folder.exists():
            remove_litter(folder.parent)
            with _begun_folder(folder) if resumable else new_folder(folder) as temporary, errors_of_the_disk(folder):
                build(temporary)
                write_json(temporary / CHECKSUMS, _checksums(temporary))
    return folder


def place_of(what: dict[str, Any]) -> Path:
    """Where the folder for `what` is, once it is there."""
    return places.CACHE / "cache" / hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]


@contextmanager
def _begun_folder(target: Path) -> Iterator[Path]:
    """A folder that an earlier process may have begun to fill, which becomes `target`; an error removes it."""
    begun = target.with_suffix(BEGUN)
    _remove_forgotten(target.parent)
    begun.mkdir(exist_ok=True)
    try:
        yield begun
        os.rename(begun, target)
    except Exception:  # not what ends a process, after which the next one goes on
        shutil.rmtree(begun, ignore_errors=True)
        raise


def _remove_forgotten(cache: Path) -> None:
    """Remove what was begun and not looked at for weeks."""
    for begun in cache.glob(f"*{BEGUN}"):
        with suppress(OSError):
            if time.time() - begun.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(begun)


@contextmanager
def errors_of_the_disk(folder: Path) -> Iterator[None]:
    """Make what is raised where nothing more can be written one InputError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.ENOSPC, errno.EDQUOT):  # NumPy gives it no number
            raise
        free = shutil.disk_usage(folder.parent).free / 1e9
        what = error.strerror or str(error)
        raise InputError(
            f"{folder.parent}: cannot be written ({what}; {free:.1f} GB are free); make room, or let data/ be a link "
            "to a larger disk"
        ) from error


def _checksums(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.name == CHECKSUMS:
            continue
        if (size := path.stat().st_size) > LONG:
            digests[path.name] = f"{size} bytes"
            continue
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _intact(folder: Path) -> bool:
    try:
        recorded = json.loads((folder / CHECKSUMS).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(recorded == _checksums(folder))


def source_hash(*modules: str) -> str:
    """SHA-256 over the source of `modules` of this package and of all modules of it that they import, however far.

    A key that holds it does not take for new what an older version of the code built. Nothing is imported.
    """
    package = _package(ROOT)
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in package and name not in reached:
            reached.add(name)
            waiting += _imports(package[name])
    digest = hashlib.sha256()
    for name in sorted(reached):
        digest.update(f"{name}\n".encode() + package[name])
    return digest.hexdigest()


@lru_cache(maxsize=4)
def _package(root: Path) -> dict[str, bytes]:
    """The source of each module by its name, as it is when a process first asks.

    What is edited later, while the process works, is not what it runs.
    """
    paths = (root / "tokexp").rglob("*.py")
    names = {".".join(path.relative_to(root).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path.read_bytes() for name, path in names.items()}


@lru_cache(maxsize=256)
def _imports(source: bytes) -> tuple[str, ...]:
    """The modules that a file may import, within functions too: names that it takes from one may be modules."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return tuple(names)
