"""The folder of one run while it is being worked on: whose it is, how it stands, where its log goes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import shutil
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
import yaml
from safetensors.torch import save_file

from tokexp.config import InputError, RunConfig, to_dict
from tokexp.runs.result import has_result
from tokexp.runs.state import LOCK, STATUS, write_state
from tokexp.system.files import replacing, write_json, write_text
from tokexp.training.loop import DivergedError

# What a run leaves once it has begun to train, beside tokenizer.json.
LEFT = (
    "result.json", "metrics.jsonl", "content.jsonl", "samples.jsonl", "readability.jsonl", "corpus.json",
    "segments.jsonl", "model.safetensors", "best.safetensors",
)  # fmt: skip


log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"  # the folder of them in a run's


def whole_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's `metrics.jsonl`, up to one that a sudden end has cut short; none where there is no file.

    Raises InputError where it is there and cannot be read: a run that took it for empty would begin anew.
    """
    path, rows = folder / "metrics.jsonl", []
    try:
        with path.open("rb") as file:
            for line in file:
                rows.append(json.loads(line))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable, and start again") from error
    except ValueError:
        log.warning("%s: read up to line %d, which is damaged", path, len(rows) + 1)
    return rows


class RunFolder:
    """A run's folder, locked for as long as the context lasts, with `status.json` kept true.

    Raises InputError where another process is at work in it. Whatever ends the context is written
    to `status.json` and `run.log`.
    """

    def __init__(self, path: Path, cfg: RunConfig, digest: str) -> None:
        """`digest`: the hash of the settings, which a finished run in the folder must share."""
        self.path = path
        self._cfg = cfg
        self._digest = digest
        self._steps = 0

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_what_is_not_ours()
            self._lock = (self.path / LOCK).open("a")
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); choose another hydra.run.dir"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(f"{self.path}: another process is at work on this run; wait for it, or stop it") from None
        self.write_config(self._cfg)
        self._log = logging.FileHandler(self.path / "run.log", encoding="utf-8")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._log.addFilter(lambda record: record.name.startswith("tokexp"))
        logging.getLogger().addHandler(self._log)
        self.set_state("running")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.set_state("done")
        elif self._is_there():
            stopped = issubclass(kind, KeyboardInterrupt | SystemExit)
            state = "diverged" if issubclass(kind, DivergedError) else "interrupted" if stopped else "failed"
            with contextlib.suppress(OSError):  # where the disk is full, what happened matters more than this
                with (self.path / "run.log").open("a", encoding="utf-8") as file:
                    file.writelines(traceback.format_exception(error))
                self.set_state(state, f"{kind.__name__}: {error}")
        logging.getLogger().removeHandler(self._log)
        self._log.close()
        self._lock.close()

    def check(self) -> None:
        """Raise FileNotFoundError where the folder was deleted since, rather than go on in a new one of its name."""
        if not self._is_there():
            raise FileNotFoundError(errno.ENOENT, "deleted while a run was at work in it", str(self.path))

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._lock.fileno()), (self.path / LOCK).stat())
        except OSError:
            return False

    def _refuse_what_is_not_ours(self) -> None:
        there = [path.name for path in self.path.iterdir() if not path.name.startswith(".")]
        if there and STATUS not in there:
            raise InputError(
                f"{self.path}: holds {', '.join(sorted(there)[:3])}, which no run left; choose another hydra.run.dir"
            )
        if (self.path / "result.json").exists() and not has_result(self.path, self._digest) and not self._cfg.rerun:
            raise InputError(
                f"{self.path}: holds a finished run of other settings; choose another hydra.run.dir, or rerun=true"
            )

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
        write_text(self.path / "config.yaml", yaml.safe_dump(to_dict(cfg), sort_keys=False, allow_unicode=True))

    def save_weights(self, name: str, state: dict[str, torch.Tensor]) -> None:
        """Every key of the model's state, tied ones too, as float32 safetensors."""
        tensors = {key: value.detach().float().cpu().clone().contiguous() for key, value in state.items()}
        with replacing(self.path / name) as temporary:
            save_file(tensors, temporary)

    def write_json(self, name: str, value: Any) -> None:
        write_json(self.path / name, value)

    def write_lines(self, name: str, rows: list[dict]) -> None:
        write_text(
            self.path / name, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        )
