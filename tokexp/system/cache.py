"""Folders that are built once and shared: by the runs of a sweep, and by processes that want one at the same time.

A folder is named by the hash of what it was built from. It is built under a temporary name and moved
into place whole; a lock makes a second process wait instead of building it again. What does not match
its own checksums is built anew.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokexp.system import places
from tokexp.system.files import write_json
from tokexp.system.places import ROOT

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"


def cached(what: dict[str, Any], build: Callable[[Path], None]) -> Path:
    """The folder for `what`, plain values that decide its content; `build` fills an empty one.

    Where the cache cannot be written the folder is a temporary one, built each time.
    """
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    folder = places.CACHE / "cache" / name
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


def source_hash(*modules: str) -> str:
    """SHA-256 over the source of `modules` of this package and of all of its modules that they import, however far.

    So what an older version of the code built is not taken for new, and nobody keeps lists of files.
    """
    digest = hashlib.sha256()
    for path in sorted(set().union(*(_sources(module) for module in modules))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _sources(module: str) -> frozenset[Path]:
    """The source files of a module and of those of this package that it imports."""
    sources: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _source(waiting.pop())
        if path is not None and path not in sources:
            sources.add(path)
            waiting += _imports(path)
    return frozenset(sources)


def _source(module: str) -> Path | None:
    """The file of a module of this package; None for one of another, and for a name that is no module."""
    path = ROOT.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if module.split(".")[0] == "tokexp" and file.is_file()), None)


def _imports(path: Path) -> list[str]:
    """The modules that a file may import, within functions too: names that it takes from one may be modules."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names
