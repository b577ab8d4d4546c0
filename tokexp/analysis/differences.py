"""Which of two cells is better, by how much, and whether that is real; and whether cells are ahead of baselines."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import BaselineName, Comparison, baseline_of, computed_once
from tokexp.analysis.statistics import Difference, SeedScores, compare_all
from tokexp.runs.study import block_nats
from tokexp.scoring.blocks import crossfit

END, BEST = "end", "best, cross-fitted"


@computed_once
def differences(comparison: Comparison) -> dict[tuple[Cell, Cell], Difference]:
    """Compare every pair of cells whose models have one size; the better one first.

    That a larger model is better is no question here, and each question more makes an answer harder (Holm).
    """
    scores = {
        cell: SeedScores(comparison.runs_of(cell).bpb.to_numpy(), comparison.end_nats(cell))
        for cell in comparison.cells
    }
    pairs = [(one, other) for one, other in itertools.combinations(scores, 2) if one.size == other.size]
    return compare_all(scores, comparison.scored_bytes, pairs)


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

    A baseline is the same for every seed, so that Welch's t is that of one sample; over the text the two are paired,
    block by block. Corrected for being read together, each point by itself. A cell that was best at its end has one
    point; a family whose best baseline is known only as a whole is left out.
    """
    best = comparison.best_baselines
    best = best[~np.isnan(block_nats(best)).any(axis=1)].sort_values("family", ascending=False)  # static, adaptive
    # Two seeds that do not differ add nothing to the variance, nor to its degrees of freedom.
    marks: dict[Cell | BaselineName, SeedScores] = {
        baseline_of(row): _scores([nats] * 2, comparison.scored_bytes)
        for row, nats in zip(best.itertuples(), block_nats(best), strict=True)
    }
    evaluated = {name: block_nats(rows) for name, rows in comparison.study.blocks.groupby("name")}
    ends, chosen = {}, {}
    for cell in sorted(comparison.cells):
        nats = [evaluated[name] for name in comparison.runs_of(cell)["name"]]
        ends[cell] = _scores([rows[-1] for rows in nats], comparison.scored_bytes)
        paid_for = _scores([crossfit(rows) for rows in nats], comparison.scored_bytes)
        if not np.array_equal(paid_for.blocks, ends[cell].blocks):
            chosen[cell] = paid_for
    leads = []
    for at, scores in ((END, ends), (BEST, chosen)):
        pairs = [(cell, baseline) for cell in scores for baseline in marks]
        compared = compare_all({**scores, **marks}, comparison.scored_bytes, pairs)
        leads += [Lead(cell, at, baseline, compared[cell, baseline]) for cell, baseline in pairs]  # type: ignore[arg-type]
    return sorted(leads, key=lambda lead: comparison.cells.index(lead.cell))


def _scores(nats: list[np.ndarray], n_bytes: int) -> SeedScores:
    """Of the nats of each block, (64,), of each seed."""
    blocks = np.array(nats)
    return SeedScores(blocks.sum(axis=1) / (np.log(2) * n_bytes), blocks)
