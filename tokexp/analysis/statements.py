"""What a report says before its tables, as facts: who leads, is that real, under which terms, and what was equal."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from tokexp.analysis.cells import Cell, varied
from tokexp.analysis.comparison import Comparison, Size, by_cell
from tokexp.analysis.differences import END, Lead, differences, leads
from tokexp.analysis.statistics import Difference, Estimate
from tokexp.analysis.views import Agreement, agreement
from tokexp.config import WARMUP_SHARE


@dataclass(frozen=True)
class Leader:
    """The best cell of a size."""

    size: str | None  # None where all models have one
    cell: Cell
    total: Estimate
    second: tuple[Cell, Difference] | None  # the next one, and by how much it is behind
    restoration: float  # bits per byte of the total that bring back what the tokenizer loses
    lossless: tuple[Cell, Estimate] | None  # where it loses text: the best that does not


@dataclass(frozen=True)
class Answer:
    """What a study says to its question."""

    leaders: list[Leader]  # of each size, the smallest first
    against_baselines: list[list[Lead]]  # of the largest size's leader, and of its best that loses no text
    agreement: Agreement


@dataclass(frozen=True)
class SizeLead:
    """How far the best cell of a size is ahead of each other one."""

    size: str
    cell: Cell
    ahead_of: list[tuple[Cell, Difference]]  # the nearest first


@dataclass(frozen=True)
class Ranking:
    """The answer, and what its leads are worth."""

    answer: Answer
    best_per_token: Cell | None  # that has the lowest loss per token, where it is not the best
    leads: list[SizeLead]
    tuned: list[str]  # what was chosen by looking at held-out text


def answer(comparison: Comparison) -> Answer:
    sizes = comparison.sizes
    leaders = [_leader(comparison, size, size.name if len(sizes) > 1 else None) for size in sizes]
    best = best_of(comparison, sizes[-1])
    against = [[lead for lead in leads(comparison) if (lead.cell, lead.at) == (cell, END)] for cell in best]
    return Answer(leaders, against, agreement(comparison))


def best_of(comparison: Comparison, size: Size) -> list[Cell]:
    """The best cell of a size, and where it loses text the best that does not."""
    best = size.cells[0]
    lossless = [cell for cell in size.cells if not comparison.loses_text(cell)]
    return [best, lossless[0]] if comparison.loses_text(best) and lossless else [best]


def _leader(comparison: Comparison, size: Size, name: str | None) -> Leader:
    best, *others = size.cells
    second = (others[0], differences(comparison)[best, others[0]]) if others else None
    lossless = best_of(comparison, size)[1:]
    return Leader(
        name,
        best,
        comparison.total(best),
        second,
        comparison.mean("val_bpb_restoration")[best],
        (lossless[0], comparison.total(lossless[0])) if lossless else None,
    )


def ranking(comparison: Comparison) -> Ranking:
    losses = comparison.mean("val_loss")
    per_token = min(losses, key=lambda cell: losses[cell])
    return Ranking(
        answer(comparison),
        per_token if per_token != comparison.cells[0] else None,
        [lead for size in comparison.sizes if (lead := size_lead(comparison, size.name, size.cells))],
        sorted({name for names in comparison.runs.tuned for name in names.split("; ") if name}),
    )


def size_lead(comparison: Comparison, size: str, cells: list[Cell]) -> SizeLead | None:
    """How far the first of `cells`, which are of one size and best first, is ahead; None where it is alone."""
    best, *others = cells
    by_pair = differences(comparison)
    return SizeLead(size, best, [(cell, by_pair[best, cell]) for cell in others]) if others else None


def leads_of_best(comparison: Comparison) -> list[SizeLead]:
    """The leads of each size's best cell and, where it loses text, of the best that loses none."""
    leads = []
    for size in comparison.sizes:
        lossless = [cell for cell in size.cells if not comparison.loses_text(cell)]
        for cells in (size.cells, lossless) if comparison.loses_text(size.cells[0]) else (size.cells,):
            if cells and (lead := size_lead(comparison, size.name, cells)):
                leads.append(lead)
    return leads


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
        "characters in a full context": runs.block_size * runs.chars_per_token,
    }
    unequal = []
    for name, values in figures.items():
        ends = [(float(same.min()), float(same.max())) for _, same in values.groupby(runs["size"])]
        low, high = max(ends, key=lambda end: end[1] / end[0])
        if high > 1.02 * low:
            unequal.append(Unequal(name, low, high))
    return unequal
