"""Tells where a result comes from: the commit of this checkout, and the versions of what computed it."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tokexp.system.places import ROOT

PACKAGES = ("tokexp", "torch", "numpy", "regex", "safetensors", "tokenizers", "sentencepiece", "pyppmd", "zstandard")


def provenance() -> dict[str, Any]:
    """The commit and the versions, under the names that a run's result has."""
    commit, dirty = git_state()
    return {"git_commit": commit, "git_dirty": dirty, "versions": versions()}


@lru_cache(maxsize=1)
def git_state() -> tuple[str | None, bool | None]:
    """The commit of this checkout and whether tracked files differ from it; (None, None) without git.

    The answer is the first one of this process, which it asks before its first run: what is committed while it
    trains is not what it runs. Reports are left out: a run writes them, they do not change it.
    """
    status = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)reports")
    commit = _git("rev-parse", "HEAD")
    return (commit, bool(status)) if commit is not None else (None, None)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The name of the processor, as the machine tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def workers() -> int:
    """How many runs share this machine, as their launcher says; one where none says so."""
    return int(os.environ.get("TOKEXP_WORKERS", "1"))


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of those of `packages` that are installed; by default of all that makes figures."""
    installed = {"python": platform.python_version()}
    for package in packages or PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
