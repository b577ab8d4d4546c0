"""Which of two cells is better, by how much, and whether that is real; and whether cells are ahead of baselines."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.verdicts import Difference, SeedScores, compare_all
from tokexp.analysis.comparison import BaselineName, Comparison, baseline_of, computed_once
from tokexp.runs.study import block_nats
from tokexp.scoring.blocks import crossfit
from tokexp.scoring.units import BLOCKS_OF_TEXT

END, BEST = "end", "best, cross-fitted"


@computed_once
def differences(comparison: Comparison) -> dict[tuple[Cell, Cell], Difference]:
    """Compare every pair of cells whose models have one size; the better one first.

    That a larger model is better is no question here, and each question more makes an answer harder (Holm).
    """
    scores = {
        cell: SeedScores(comparison.runs_of(cell).bpb.to_numpy(), comparison.end_nats(cell), cell.size)
        for cell in comparison.cells
    }
    pairs = [(one, other) for one, other in itertools.combinations(scores, 2) if one.size == other.size]
    return compare_all(scores, comparison.text, pairs)


@dataclass(frozen=True)
class Lead:
    """A cell against a baseline."""

    cell: Cell
    at: str  # END | BEST
    baseline: BaselineName
    difference: Difference  # of the baseline's bits per byte over the cell's: positive where the cell is ahead


@computed_once
def leads(comparison: Comparison) -> list[Lead]:
    """Hold every cell, the best first, against the best baseline of each family, at the end and at its best checkpoint.

    A baseline is the same for every seed, so that only the cell's seeds are a source of chance; over the text the two
    are paired, unit by unit. Corrected for being read together, each point by itself. A cell that was best at its end
    has one point; a family whose best baseline is known only as a whole is left out.
    """
    known = comparison.baseline_nats
    best = comparison.best_baselines.sort_values("family", ascending=False)  # static, adaptive
    marks: dict[Cell | BaselineName, SeedScores] = {
        baseline_of(row): _scores([known[str(row.baseline)]], comparison.scored_bytes, None)
        for row in best.itertuples()
        if str(row.baseline) in known
    }
    if not marks:
        return []
    ends = {
        cell: _scores([*comparison.end_nats(cell)], comparison.scored_bytes, cell.size)
        for cell in sorted(comparison.cells)
    }
    leads = []
    for at, scores in ((END, ends), (BEST, _best_checkpoints(comparison, ends))):
        pairs = [(cell, baseline) for cell in scores for baseline in marks]
        compared = compare_all({**scores, **marks}, comparison.text, pairs)
        leads += [Lead(cell, at, baseline, compared[cell, baseline]) for cell, baseline in pairs]  # type: ignore[arg-type]
    return sorted(leads, key=lambda lead: comparison.cells.index(lead.cell))


def _best_checkpoints(comparison: Comparison, ends: dict[Cell, SeedScores]) -> dict[Cell, SeedScores]:
    """The cells whose best checkpoint is not their end, there, the choice paid for.

    None where evaluations did not read all of the text that ranks, by the blocks of which a choice is paid for.
    """
    if not comparison.evaluates_all or comparison.unit_kind != BLOCKS_OF_TEXT:
        return {}
    evaluated = {name: block_nats(rows) for name, rows in comparison.study.blocks.groupby("name")}
    chosen = {}
    for cell, end in ends.items():
        nats = [crossfit(evaluated[name]) for name in comparison.runs_of(cell)["name"]]
        if not np.array_equal(nats, end.nats):
            chosen[cell] = _scores(nats, comparison.scored_bytes, cell.size)
    return chosen


def _scores(nats: list[np.ndarray], n_bytes: int, size: str | None) -> SeedScores:
    """Of the nats of each unit, (units,), of each seed."""
    units = np.array(nats)
    return SeedScores(units.sum(axis=1) / (np.log(2) * n_bytes), units, size)
