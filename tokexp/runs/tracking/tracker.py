"""Write a run's rows to `metrics.jsonl`, and to Weights & Biases as its mirror."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from tokexp.config import RunConfig, to_dict
from tokexp.runs.files import BEST_WEIGHTS, METRICS, TOKENIZER, metrics_lines, metrics_row
from tokexp.runs.tracking.connection import start_run
from tokexp.runs.tracking.mirror import Mirror
from tokexp.system.files import write_text
from tokexp.training.record import Row

KILLED = 255  # the exit code of a run that was stopped, as W&B's own hooks have it; it failed with 1


class Tracker:
    """Receives finished rows, within its context and after `begin`: what was begun is always ended."""

    def __init__(self, folder: Path, name: str, config_hash: str, cfg: RunConfig) -> None:
        self._folder, self._name, self._config_hash, self._cfg = folder, name, config_hash, cfg
        self._artifacts = [(f"tokenizer-{cfg.arm}", "tokenizer", folder / TOKENIZER)]
        if cfg.tracking.weights:
            self._artifacts.append((f"weights-{name}", "model", folder / BEST_WEIGHTS))
        self._mirror = Mirror(None)
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Begin in W&B. Raises InputError for what it refuses, while all of an earlier try is there."""
        cfg, prefix = self._cfg, self._config_hash[:8]
        begun = None if cfg.rerun else _find_id_online(self._folder, prefix)
        self._mirror = Mirror(start_run(
            self._folder, cfg.tracking, prefix, begun,
            name=self._name, group=cfg.sweep, job_type="train", config=to_dict(cfg),
        ))  # fmt: skip
        return self

    def begin(self, rows: Sequence[Row] = ()) -> None:
        """Begin metrics.jsonl with what an interrupted run had logged up to where it goes on, and no more."""
        path = self._folder / METRICS
        write_text(path, metrics_lines(list(rows)))
        self._file = path.open("a", encoding="utf-8")
        for row in rows:
            self._mirror.log(metrics_row(row))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        self._mirror.end(0 if kind is None else KILLED if stopped else 1)

    def log(self, row: Row) -> None:
        """Write a row whole to metrics.jsonl, its figures to W&B."""
        assert self._file is not None, "after begin"
        self._file.write(metrics_lines([row]))
        self._file.flush()
        self._mirror.log(metrics_row(row))

    def finish(self, result: dict[str, Any], samples: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> None:
        """Send W&B the finished run's figures, tables by name, its tokenizer and, if asked for, weights."""
        self._mirror.conclude(result, {"samples": samples, **tables}, self._artifacts)


def _find_id_online(folder: Path, prefix: str) -> str | None:
    """Find the id in W&B, which begins with `prefix`, of the run that an earlier try began in `folder`."""
    begun = sorted(folder.glob(f"wandb/run-*-{prefix}*"))  # run-TIME-ID, and -1 where that was taken
    return begun[-1].name.split("-")[2] if begun else None
