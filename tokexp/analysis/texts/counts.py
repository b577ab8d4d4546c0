"""Is a network ahead of counting its own tokens? Held against Kneser-Ney over the tokens of its tokenizer.

A network that is not has not learned yet what a table of n-grams finds in seconds, or has been trained for too long.
Networks that are not are ranked by how far each is from its best, which another budget may turn round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.verdicts import Difference, SeedScores, compare_all
from tokexp.analysis.comparison import Comparison, computed_once

WORSE = 0.01  # by which an end is behind the best checkpoint, beyond the noise of evaluations


@dataclass(frozen=True)
class OwnCounts:
    """The counts of a cell's tokens, and the cell against them."""

    order: int  # of Kneser-Ney, the best on the validation part
    bpb: float  # restoration included
    lead: Difference  # of the counts' bits per byte over the cell's: positive where the cell is ahead
    overfit: bool  # whether the cell's end is behind its best checkpoint

    @property
    def beaten(self) -> bool:
        """Whether the network is ahead, beyond chance."""
        return self.lead.mean > 0 and self.lead.resolved


@computed_once
def own_counts(comparison: Comparison) -> dict[Cell, OwnCounts]:
    """Hold every cell, the best first, against the counts of its own tokens; corrected for being read together.

    Counts are the same for every seed. A cell is left out whose runs have none, as older ones.
    """
    rows = comparison.study.counts
    by_tokenizer = dict(list(rows[rows.val_sha256 == comparison.scored_sha256].groupby("tokenizer_sha256")))
    scores: dict[Any, SeedScores] = {}
    counts: dict[Cell, tuple[str, int, float]] = {}
    for cell in comparison.cells:
        runs, nats = comparison.runs_of(cell), comparison.end_nats(cell)
        (digest, *others) = set(runs.tokenizer_sha256)
        counted = by_tokenizer.get(digest)
        if others or counted is None or nats.shape[1] not in (0, len(counted)):
            continue
        bpb = float(counted.bpb.iloc[0])
        counts[cell] = digest, int(counted.order.iloc[0]), bpb
        scores[cell] = SeedScores(runs.bpb.to_numpy(), nats, cell.size)
        units = counted.sort_values("unit").nats.to_numpy(float)
        scores[digest] = SeedScores(np.array([bpb]), units[None, : nats.shape[1]], None)
    leads = compare_all(scores, comparison.text, [(cell, digest) for cell, (digest, _, _) in counts.items()])
    ends, best = comparison.mean("val_bpb"), comparison.mean("best_val_bpb")
    return {
        cell: OwnCounts(order, bpb, leads[cell, digest], ends[cell] > (1 + WORSE) * best[cell])
        for cell, (digest, order, bpb) in counts.items()
    }
