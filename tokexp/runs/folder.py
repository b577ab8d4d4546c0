"""The folder of one run while it is being worked on: whose it is, how it stands, where its log goes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import torch
import yaml
from safetensors.torch import save_file

from tokexp.config import InputError, RunConfig, to_dict
from tokexp.runs.files import (
    BEST_WEIGHTS,
    CHECKPOINTS,
    CONFIG,
    END_WEIGHTS,
    LEFT,
    LOCK,
    LOG,
    RESULT,
    STATUS,
)
from tokexp.runs.progress import AFTER_TRAINING, Phases
from tokexp.runs.result import has_result
from tokexp.runs.state import State, is_locked, read_state, write_state
from tokexp.system.files import remove_litter, replacing, write_text
from tokexp.training.loop import DivergedError

Weights = dict[str, torch.Tensor]


@contextmanager
def locked_folder(path: Path, cfg: RunConfig, config_hash: str) -> Iterator[RunFolder]:
    """Lock a run's folder for as long as the context lasts, and keep its `status.json` true.

    A finished run in the folder must have the same `config_hash`. Raises InputError where another process is at
    work in it. Whatever ends the context is written to `status.json` and `run.log`.
    """
    with _lock(path, cfg, config_hash) as lock:
        before = read_state(path)
        spent = before.seconds if before.config_hash == config_hash and not cfg.rerun else {}
        kept = {phase: seconds for phase, seconds in spent.items() if phase not in AFTER_TRAINING}  # done over again
        folder = RunFolder(path, config_hash, lock, kept)
        folder.set_state(State.RUNNING)  # before any other file: by it the next start knows whose folder this is
        for place in (path, folder.checkpoints):
            remove_litter(place)
        try:
            folder.write_config(cfg)
            with _logging_to(path / LOG):
                yield folder
            folder.set_state(State.DONE)
        except BaseException as error:
            folder.note_end(error)
            raise


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Write what tokexp has to say to the file `path` too, as long as the context lasts."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.addFilter(lambda record: record.name.startswith("tokexp"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def tidy_done(path: Path, config_hash: str) -> None:
    """Do for a finished run what is left where its process was killed after the result: its state, its checkpoints."""
    before = read_state(path)
    if before.state is State.DONE:  # the process may have been killed as it cleared up behind that
        remove_litter(path)
    if before.state is State.DONE or is_locked(path):
        return
    with contextlib.suppress(OSError), (path / LOCK).open("r+") as lock:  # what nobody may write stays as it is
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = RunFolder(path, config_hash, lock, before.seconds)
        remove_litter(path)
        folder.remove_checkpoints()
        folder.set_state(State.DONE, steps=before.steps)


def _lock(path: Path, cfg: RunConfig, config_hash: str) -> TextIO:
    try:
        path.mkdir(parents=True, exist_ok=True)
        _refuse_what_is_not_ours(path, cfg, config_hash)
        lock = (path / LOCK).open("a")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another hydra.run.dir") from error
    for _ in range(20):  # about a second: who only looks, as `is_locked`, holds the lock for an instant
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            time.sleep(0.05)
    lock.close()
    raise InputError(f"{path}: another process is at work on this run; wait for it, or stop it")


def _refuse_what_is_not_ours(path: Path, cfg: RunConfig, config_hash: str) -> None:
    for file in path.iterdir():
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise InputError(f"{file}: got a FIFO, device or socket, expected a regular file; remove it")
    there = [file.name for file in path.iterdir() if not file.name.startswith(".")]
    if there and STATUS not in there:
        raise InputError(
            f"{path}: holds {', '.join(sorted(there)[:3])}, which no run wrote; choose another hydra.run.dir"
        )
    if (path / RESULT).exists() and not has_result(path, config_hash) and not cfg.rerun:
        raise InputError(f"{path}: holds a finished run of other settings; choose another hydra.run.dir, or rerun=true")


class RunFolder:
    """A run's folder, while this process holds its lock."""

    def __init__(self, path: Path, config_hash: str, lock: TextIO, seconds: Mapping[str, float] | None = None) -> None:
        """`seconds`: that earlier processes have spent in each phase of the run."""
        self.path = path
        self.phases = Phases(path.name, self._set_phase, seconds)
        self._config_hash = config_hash
        self._lock = lock
        self._steps = 0

    def note_end(self, error: BaseException) -> None:
        """Write down what ended the run before it was done, unless the folder is gone."""
        if not self._is_there():
            return
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        state = State.DIVERGED if isinstance(error, DivergedError) else State.INTERRUPTED if stopped else State.FAILED
        with contextlib.suppress(OSError):  # where the disk is full, what happened matters more than this
            with (self.path / LOG).open("a", encoding="utf-8") as file:
                file.writelines(traceback.format_exception(error))
            self.set_state(state, f"{type(error).__name__}: {error}")

    def check(self) -> None:
        """Raise FileNotFoundError where the folder was deleted since, rather than go on in a new one of its name."""
        if not self._is_there():
            raise FileNotFoundError(errno.ENOENT, "deleted while a run was at work in it", str(self.path))

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._lock.fileno()), (self.path / LOCK).stat())
        except OSError:
            return False

    def clear(self) -> None:
        """Remove what an earlier try left, so that the folder never mixes two."""
        for name in LEFT:
            (self.path / name).unlink(missing_ok=True)
        self.remove_checkpoints()

    def set_state(self, state: State, reason: str = "", steps: int = 0) -> None:
        self._steps = steps or self._steps
        self._write_state(state, reason)

    def _set_phase(self, phase: str) -> None:
        if self._is_there():
            self._write_state(State.RUNNING, phase=phase)

    def _write_state(self, state: State, reason: str = "", phase: str = "") -> None:
        write_state(
            self.path, state, reason,
            config_hash=self._config_hash, steps=self._steps, phase=phase, seconds=self.phases.seconds,
        )  # fmt: skip

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    def remove_checkpoints(self) -> None:
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_config(self, cfg: RunConfig) -> None:
        """Write the settings, resolved; once more where the tokenizer has decided some."""
        write_text(self.path / CONFIG, yaml.safe_dump(to_dict(cfg), sort_keys=False, allow_unicode=True))

    def save_weights(self, end: Weights, best: Weights, keep: str) -> None:
        """Write every key of the model's state, tied ones too, as float32; `keep`: all, best or none of the two."""
        if keep == "all":
            _save(self.path / END_WEIGHTS, end)
        if keep in ("all", "best"):
            _save(self.path / BEST_WEIGHTS, best)


def _save(path: Path, weights: Weights) -> None:
    tensors = {key: value.detach().float().cpu().clone().contiguous() for key, value in weights.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)
