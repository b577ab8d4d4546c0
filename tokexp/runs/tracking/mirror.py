"""Send the rows of a run, its summary, its tables and its files to Weights & Biases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokexp.runs.tracking.connection import finish_run, harmless

Table = list[dict[str, Any]]  # rows with the same keys

# What a row's figures are called in W&B; other figures are not mirrored.
WANDB_NAMES = {
    "loss": "train/batch_loss",
    "grad_norm": "train/grad_norm",
    "lr": "train/lr",
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_bpb": "val/bpb",
    "val_bpb_naive": "val/bpb_naive",
    "val_bpb_restoration": "val/bpb_restoration",
    "tokens_per_second": "speed/tokens_per_second",
    "peak_memory": "speed/peak_memory",
    "tokens_seen": "tokens_seen",
    "bytes_seen": "bytes_seen",
    "flops": "flops",
    "seconds": "seconds",
}


class Mirror:
    """A run in W&B, or none: what fails there is logged, once, and then no more is sent."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._failed = run is None
        self._least = math.inf

    def log(self, row: Mapping[str, Any]) -> None:
        """Send the figures of a row of metrics.jsonl, unless the run there, gone on with, has that step already."""
        self._least = min(row.get("val_bpb", math.inf), self._least)
        if self._failed or row["step"] < self._run.starting_step:
            return
        named = {WANDB_NAMES[key]: value for key, value in row.items() if key in WANDB_NAMES}
        self._failed = True
        with harmless("logging"):
            self._run.log({**named, "step": row["step"]}, step=row["step"])
            self._failed = False

    def conclude(
        self, summary: dict[str, Any], tables: Mapping[str, Table], artifacts: Sequence[tuple[str, str, Path]] = ()
    ) -> None:
        """Send the figures of the summary, tables by name, and files: each as its name, its kind and its path."""
        if self._failed:
            return
        import wandb

        with harmless("the summary"):  # what fails first is the network, and each more try would wait for it
            self._run.summary.update({**_ranked(summary), **summary})
            self._run.log({name: to_table(rows) for name, rows in tables.items() if rows})
            for name, kind, path in artifacts:
                if path.is_file():
                    artifact = wandb.Artifact(name, type=kind)
                    artifact.add_file(str(path), policy="immutable")  # read where it lies, offline when it is synced
                    self._run.log_artifact(artifact)

    def end(self, exit_code: int) -> None:
        if not self._failed and self._least < math.inf:
            with harmless("the summary"):  # going on with a run, W&B forgets the least of before
                self._run.summary.update({"val/bpb": {"min": self._least}})
        finish_run(self._run, exit_code)


def _ranked(result: Mapping[str, Any]) -> dict[str, Any]:
    """Name the figure that ranks, and its two parts, as the summary of a run in W&B has them."""
    on = result.get("scored_on", "val")
    parts = {name: f"{on}_{name}" for name in ("bpb", "bpb_naive", "bpb_restoration")}
    return {name: result[column] for name, column in parts.items() if column in result}


def to_table(rows: Table) -> Any:
    import wandb

    return wandb.Table(columns=[*rows[0]], data=[list(row.values()) for row in rows])
