"""Where a run's rows go: `metrics.jsonl` always, Weights & Biases as its mirror.

`wandb` is imported only where its mode asks for it; a run never waits for a key or for a network.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tokexp.config import InputError, RunConfig, to_dict
from tokexp.files import write_text

log = logging.getLogger(__name__)

# What a row's figures are called in W&B; other figures are not mirrored.
WANDB_NAMES = {
    "loss": "train/batch_loss",
    "grad_norm": "train/grad_norm",
    "lr": "train/lr",
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_bpb": "val/bpb",
    "val_bpb_naive": "val/bpb_naive",
    "tokens_per_second": "speed/tokens_per_second",
    "tokens_seen": "tokens_seen",
    "bytes_seen": "bytes_seen",
    "flops": "flops",
    "seconds": "seconds",
}


class Tracker:
    """Receives finished rows. Use as a context manager: what was begun is always ended."""

    def __init__(self, folder: Path, name: str, cfg: RunConfig, rows: Sequence[dict[str, Any]] = ()) -> None:
        """`rows`: what an interrupted run had logged up to where it goes on; later ones are cut off."""
        self._path, self._rows = folder / "metrics.jsonl", rows
        self._wandb = _start_wandb(folder, name, cfg)

    def __enter__(self) -> Self:
        write_text(self._path, "".join(json.dumps(row) + "\n" for row in self._rows))
        self._file = self._path.open("a", encoding="utf-8")
        for row in self._rows:  # each run in W&B is whole: it cannot append to one that was left offline
            self._mirror(row)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._wandb is not None:
            self._wandb.finish(exit_code=0 if kind is None else 1)

    def log(self, row: dict[str, Any]) -> None:
        """A row of `train`: written whole to metrics.jsonl, its figures to W&B."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self._mirror(row)

    def _mirror(self, row: dict[str, Any]) -> None:
        if self._wandb is not None:
            named = {WANDB_NAMES[key]: value for key, value in row.items() if key in WANDB_NAMES}
            self._wandb.log({**named, "step": row["step"]}, step=row["step"])

    def finish(self, result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        """The finished run's figures, as W&B's summary, and its samples, rows with the same keys, as a table."""
        if self._wandb is None:
            return
        import wandb

        self._wandb.summary.update(result)
        table = wandb.Table(columns=[*samples[0]], data=[list(row.values()) for row in samples])
        self._wandb.log({"samples": table})


def _start_wandb(folder: Path, name: str, cfg: RunConfig) -> Any:
    """A W&B run, or None. Order: `tracking.mode` unless auto, WANDB_MODE, what this machine allows."""
    mode = cfg.tracking.mode
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE", "auto")
        if mode not in ("auto", "online", "offline", "disabled"):
            raise InputError(f"WANDB_MODE: got {mode!r}, expected online, offline or disabled")
    if mode == "disabled":
        return None
    try:
        import wandb
    except ImportError:
        log.info("wandb is not installed: metrics.jsonl has everything")
        return None
    if mode != "offline":
        has_key = wandb.login(prompt=False)
        if mode == "online" and not has_key:
            raise InputError("tracking.mode: got online, but W&B has no key; run `wandb login`, or use offline")
        mode = "online" if has_key else "offline"
    try:
        return _init_wandb(wandb, folder, name, cfg, mode)
    except (wandb.errors.CommError, wandb.errors.UsageError, TimeoutError) as error:
        reason = str(error).splitlines()[0]
        if mode == "offline":  # then it is not the network
            raise InputError(f"W&B refuses the settings: {reason}") from error
        log.warning("W&B cannot be reached (%s): going on offline", reason)
        return _init_wandb(wandb, folder, name, cfg, "offline")


def _init_wandb(wandb: Any, folder: Path, name: str, cfg: RunConfig, mode: str) -> Any:
    settings = wandb.Settings(console="off", silent=True, x_disable_stats=True, init_timeout=20)
    run = wandb.init(
        project=cfg.tracking.project,
        entity=cfg.tracking.entity,
        name=name,
        group=cfg.sweep,
        config=to_dict(cfg),
        dir=folder,
        mode=mode,
        reinit="finish_previous",
        settings=settings,
    )
    run.define_metric("*", step_metric="bytes_seen")
    run.define_metric("val/bpb", summary="min")
    if mode == "offline":
        log.info("W&B is offline; to upload: wandb sync %s", Path(run.dir).parent)
    return run
