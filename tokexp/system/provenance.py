"""Records where a result comes from: the commit of this checkout and the versions of what computed it."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tokexp.system.places import ROOT

PACKAGES = ("tokexp", "torch", "numpy", "regex", "safetensors", "tokenizers", "sentencepiece", "pyppmd", "zstandard")


@dataclass(frozen=True)
class Provenance:
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]


def provenance() -> Provenance:
    """The commit as of this process's first question, and the versions of what makes figures."""
    return Provenance(*git_state(), versions())


@lru_cache(maxsize=1)
def git_state() -> tuple[str | None, bool | None]:
    """The commit of this checkout and whether tracked files differ from it; (None, None) without git.

    As it was when this process first asked, which is before its first run: what is committed while it trains is
    not what it runs. Reports are left out: a run writes them, they do not change it.
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


def cores() -> int:
    """Count the cores of the CPU that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The name of the processor, as the machine tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def workers() -> int:
    """The number of runs that share this machine, as what launched them says; one where nothing does."""
    return int(os.environ.get("TOKEXP_WORKERS", "1"))


def versions() -> dict[str, str]:
    """The versions of Python and of all `PACKAGES`, as far as they are installed, by name."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
