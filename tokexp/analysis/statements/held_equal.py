"""What was the same for all runs of a comparison, and what was not."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from tokexp.analysis.cells import Cell, varied
from tokexp.analysis.comparison import Comparison, by_cell
from tokexp.runs.identity import RESULTS_VERSION
from tokexp.training.budget import WARMUP_SHARE


@dataclass(frozen=True)
class Unequal:
    """Something that comes with the choice of a tokenizer: the least and the most in any one size of model."""

    name: str  # a key of UNEQUAL
    least: float
    most: float


@dataclass(frozen=True)
class HeldEqual:
    """What was the same for all runs, and what was not."""

    same: dict[str, object]  # columns of results.csv, and of the warm-up: the value that all runs have
    varied: list[str]  # settings that differ, besides the tokenizer's own
    seeds: list[int]
    equal: str | None  # what budget was equal; None where budgets differ
    read_least: Cell | None  # that read the least text; None where there is one cell
    read_more: list[tuple[Cell, float]]  # the cells that read more, and how many times as much
    unequal: list[Unequal]
    older_versions: list[int]  # of the code's figures, before today's, that some of the runs are of


# Columns that runs share where a comparison is fair.
SHARED = ("budget", "size", "n_layer", "n_embd", "block_size", "batch_size", "precision", "seed")


def held_equal(comparison: Comparison) -> HeldEqual:
    runs = comparison.runs
    settings = [json.loads(row) for row in runs.settings]
    across = {name for name in varied(settings) if not name.startswith("tokenizer.")}
    for arm in set(runs.arm):  # between arms a tokenizer's settings differ by intent
        across |= varied([row for row, other in zip(settings, runs.arm, strict=True) if other == arm])
    read = {cell: float(rows.bytes_seen.mean()) for cell, rows in by_cell(runs)}
    least = min(read, key=lambda cell: read[cell])
    return HeldEqual(
        same={column: runs[column].iloc[0] for column in SHARED if runs[column].nunique() == 1} | _warmup(settings),
        varied=sorted(across),
        seeds=sorted(set(runs.seed.tolist())),
        equal=_budget(settings[0]) if runs.budget.nunique() == 1 else None,
        read_least=least if len(read) > 1 else None,
        read_more=[(cell, n / read[least]) for cell, n in read.items() if n / read[least] >= 1.05],
        unequal=_unequal(runs),
        older_versions=sorted({int(version) for version in runs.results_version} - {RESULTS_VERSION}),
    )


def _warmup(settings: list[dict[str, object]]) -> dict[str, object]:
    """The warm-up that all runs have: a share of each, or so many steps; nothing where they differ."""
    asked = {row.get("train.warmup_steps") for row in settings}
    if len(asked) > 1:
        return {}
    return {"warmup_share": WARMUP_SHARE} if asked == {None} else {"warmup_steps": asked.pop()}


def _budget(settings: dict[str, object]) -> str | None:
    """What a run's budget counts, such as "bytes"."""
    given = [name for name, value in settings.items() if name.startswith("budget.") and value is not None]
    return given[0].removeprefix("budget.") if given else None


def _unequal(runs: pd.DataFrame) -> list[Unequal]:
    figures = {
        "parameters": runs.params_total,
        "FLOPs": runs.flops,
        "steps": runs.steps,
        "bytes of text in a step": runs.bytes_seen / runs.steps,
        "characters in a full context": runs.block_size * runs.chars_per_token,
    }
    unequal = []
    for name, values in figures.items():
        ends = [(float(same.min()), float(same.max())) for _, same in values.groupby(runs["size"])]
        low, high = max(ends, key=lambda end: end[1] / end[0])
        if high > 1.02 * low:
            unequal.append(Unequal(name, low, high))
    return unequal
