"""Folders that are built once and shared: by the runs of a sweep, and by processes that want one at the same time.

A folder is named by the hash of what it was built from. It is built under a temporary name and moved
into place whole; a lock makes a second process wait instead of building it again. What does not match
its own checksums is built anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokexp import corpus
from tokexp.files import write_json

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"


def cached(what: dict[str, Any], build: Callable[[Path], None]) -> Path:
    """The folder for `what`, plain values that decide its content; `build` fills an empty one.

    Where the cache cannot be written the folder is a temporary one, built each time.
    """
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    folder = corpus.CACHE / "cache" / name
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f"{name}.lock").open("a")
    except OSError as error:
        log.warning("%s cannot be written (%s): nothing is kept for the next run", folder.parent, error.strerror)
        unkept = Path(tempfile.mkdtemp(prefix="tokexp-"))
        build(unkept)
        return unkept
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists() and not _intact(folder):
            log.warning("%s is damaged: building it again", folder)
            shutil.rmtree(folder)
        if not folder.exists():
            temporary = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder.parent))
            try:
                build(temporary)
                write_json(temporary / CHECKSUMS, _checksums(temporary))
                os.rename(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _checksums(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name != CHECKSUMS:
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _intact(folder: Path) -> bool:
    try:
        recorded = json.loads((folder / CHECKSUMS).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(recorded == _checksums(folder))


def source_hash(*modules: Path) -> str:
    """SHA-256 over source files, so that what an older version of the code built is not taken for new."""
    digest = hashlib.sha256()
    for path in sorted(modules):
        digest.update(path.read_bytes())
    return digest.hexdigest()
