"""`python -m tokexp.COMMAND` as a test types it: a process of its own, but without the seconds that imports take.

They are forked from one process that has imported the libraries and done nothing else. Where processes of its own,
signals or imports are what a test is about, Python is started as a shell would.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tokexp.rendering.figures import gallery
from tokexp.rendering.first_screen import PICTURE

HEAVY = [
    "tokexp.sweep.with_hydra.sweeper",
    "tokexp.report",
    "tokexp.sample",
    "tokexp.export",
    "wandb",
    "hydra.main",
    "scipy.special",
]

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(HEAVY)


def tokexp(
    command: str, *arguments: str, cwd: Path, every_picture: bool = False, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without the pinned data unless `env` names them.

    `every_picture`: a report draws all that it has, and not the ranking alone, which takes a third of the time.
    """
    env = {**os.environ, "TOKEXP_DATA": str(cwd / "nothing"), **env}
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in ("out", "err")]
        process = processes.Process(target=_become, args=(command, arguments, cwd, env, every_picture, *outputs))
        process.start()
        process.join(300)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"tokexp.{command} {arguments}: no end in 300 s")
        out, err = (path.read_text(encoding="utf-8") if path.exists() else "" for path in outputs)
        return subprocess.CompletedProcess([command, *arguments], process.exitcode, out, err)


def tokexp_afresh(command: str, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a new Python."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tokexp.{command}", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TOKEXP_DATA": str(cwd / "nothing"), **env},
    )


def run_here(module: Any, monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of a command's `main`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["tokexp", *map(str, words)])
    code: int = module.main()
    return code


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """`python -m tokexp.run` at work, in a new Python; what it says is to be read from its standard error."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tokexp.run", *arguments], cwd=cwd, stderr=subprocess.PIPE, text=True
    )


def wait_for(line: str, process: subprocess.Popen[str]) -> None:
    """Until it has said a line with `line` in it."""
    assert process.stderr is not None
    for got in process.stderr:
        if line in got:
            return
    raise AssertionError(f"ended before {line!r}")


def _become(
    command: str, arguments: tuple[str, ...], cwd: Path, env: dict[str, str], every_picture: bool, out: Path, err: Path
) -> None:
    """In the forked process: all that `python -W ignore -m tokexp.COMMAND` in `cwd` would differ by."""
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path.insert(0, str(cwd))
    sys.argv = [command, *arguments]
    warnings.simplefilter("ignore")
    if not every_picture:
        others = [replace(picture, plot=lambda comparison: None) for picture in gallery.PICTURES]
        gallery.PICTURES[:] = [
            one if one.name == PICTURE else other for one, other in zip(gallery.PICTURES, others, strict=True)
        ]
        gallery.panels = lambda comparison, part: iter(())
    sys.modules.pop(f"tokexp.{command}", None)  # it is to be run, not imported
    runpy.run_module(f"tokexp.{command}", run_name="__main__", alter_sys=True)
