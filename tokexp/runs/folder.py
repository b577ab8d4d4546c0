"""The folder of one run while it is being worked on: whose it is, how it stands, where its log goes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import torch
import yaml
from safetensors.torch import save_file

from tokexp.config import InputError, RunConfig, to_dict
from tokexp.runs.files import (
    BEST_WEIGHTS,
    CHECKPOINTS,
    CONFIG,
    CONTENT,
    END_WEIGHTS,
    LEFT,
    LOCK,
    LOG,
    READABILITY,
    RESULT,
    SAMPLES,
    SEGMENTS,
    STATUS,
    TEXT,
    write_lines,
)
from tokexp.runs.result import has_result
from tokexp.runs.state import write_state
from tokexp.system.files import replacing, write_json, write_text
from tokexp.training.loop import DivergedError

Weights = dict[str, torch.Tensor]


@contextmanager
def locked_folder(path: Path, cfg: RunConfig, digest: str) -> Iterator[RunFolder]:
    """A run's folder, locked for as long as the context lasts, with `status.json` kept true.

    `digest`: the hash of the settings, which a finished run in the folder must share.
    Raises InputError where another process is at work in it. Whatever ends the context is written
    to `status.json` and `run.log`.
    """
    with _lock(path, cfg, digest) as lock:
        folder = RunFolder(path, digest, lock)
        folder.write_config(cfg)
        handler = logging.FileHandler(path / LOG, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        handler.addFilter(lambda record: record.name.startswith("tokexp"))
        logging.getLogger().addHandler(handler)
        try:
            folder.set_state("running")
            yield folder
            folder.set_state("done")
        except BaseException as error:
            folder.note_end(error)
            raise
        finally:
            logging.getLogger().removeHandler(handler)
            handler.close()


def _lock(path: Path, cfg: RunConfig, digest: str) -> TextIO:
    try:
        path.mkdir(parents=True, exist_ok=True)
        _refuse_what_is_not_ours(path, cfg, digest)
        lock = (path / LOCK).open("a")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another hydra.run.dir") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InputError(f"{path}: another process is at work on this run; wait for it, or stop it") from None
    return lock


def _refuse_what_is_not_ours(path: Path, cfg: RunConfig, digest: str) -> None:
    there = [file.name for file in path.iterdir() if not file.name.startswith(".")]
    if there and STATUS not in there:
        raise InputError(
            f"{path}: holds {', '.join(sorted(there)[:3])}, which no run left; choose another hydra.run.dir"
        )
    if (path / RESULT).exists() and not has_result(path, digest) and not cfg.rerun:
        raise InputError(f"{path}: holds a finished run of other settings; choose another hydra.run.dir, or rerun=true")


class RunFolder:
    """A run's folder, while this process holds its lock."""

    def __init__(self, path: Path, digest: str, lock: TextIO) -> None:
        self.path = path
        self._digest = digest
        self._lock = lock
        self._steps = 0

    def note_end(self, error: BaseException) -> None:
        """Write down what ended the run before it was done, unless the folder is gone."""
        if not self._is_there():
            return
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        state = "diverged" if isinstance(error, DivergedError) else "interrupted" if stopped else "failed"
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

    def set_state(self, state: str, reason: str = "", steps: int = 0) -> None:
        self._steps = steps or self._steps
        write_state(self.path, state, reason, config_hash=self._digest, steps=self._steps)

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    def remove_checkpoints(self) -> None:
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_config(self, cfg: RunConfig) -> None:
        """The settings, resolved; once more where the tokenizer has decided some."""
        write_text(self.path / CONFIG, yaml.safe_dump(to_dict(cfg), sort_keys=False, allow_unicode=True))

    def save_weights(self, end: Weights, best: Weights, keep: str) -> None:
        """Every key of the model's state, tied ones too, as float32; `keep`: all, best or none of the two."""
        if keep == "all":
            _save(self.path / END_WEIGHTS, end)
        if keep in ("all", "best"):
            _save(self.path / BEST_WEIGHTS, best)

    def write_measured(
        self,
        *,
        content: list[dict[str, Any]],
        samples: list[dict[str, Any]],
        segments: list[dict[str, Any]],
        readability: list[dict[str, Any]],
        text: dict[str, Any],
    ) -> None:
        """What was measured of the model beside its scores; `text`: what belongs to the held-out text."""
        files = {CONTENT: content, SAMPLES: samples, SEGMENTS: segments, READABILITY: readability}
        for name, rows in files.items():
            write_lines(self.path / name, rows)
        write_json(self.path / TEXT, text)


def _save(path: Path, weights: Weights) -> None:
    tensors = {key: value.detach().float().cpu().clone().contiguous() for key, value in weights.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)
