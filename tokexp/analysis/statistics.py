"""Is a difference between two cells real? Two intervals: over seeds, and over the held-out text.

A cell is all runs that differ in the seed alone. Both intervals must exclude zero for a difference to
be called resolved: other seeds might turn it round, and so might another text. Not good for saying
how another corpus would come out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

Interval = tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """The runs of a cell, at the end of their budget."""

    bpb: np.ndarray  # (seeds,) bits per byte
    blocks: np.ndarray  # (seeds, 64) nats of each block of the held-out text


@dataclass(frozen=True)
class Difference:
    """Of the second cell's bits per byte over the first's: positive where the first is better."""

    mean: float
    over_seeds: Interval | None  # None where a cell has one seed
    over_text: Interval

    @property
    def resolved(self) -> bool:
        return self.over_seeds is not None and all(
            low > 0 or high < 0 for low, high in (self.over_seeds, self.over_text)
        )


def compare(first: Cell, second: Cell, n_bytes: int, family: int) -> Difference:
    """Compare two cells, scored on the same `n_bytes`.

    `family`: how many such comparisons are read together; each interval is at 1 - 0.05 / family
    (Bonferroni), so that all of them hold together with 95 %.
    """
    confidence = 1 - 0.05 / family
    over_text = block_interval(first.blocks.mean(axis=0), second.blocks.mean(axis=0), n_bytes, confidence)
    several = min(len(first.bpb), len(second.bpb)) > 1
    over_seeds = welch_interval(second.bpb, first.bpb, confidence) if several else None
    return Difference(float(second.bpb.mean() - first.bpb.mean()), over_seeds, over_text)


def welch_interval(a: np.ndarray, b: np.ndarray, confidence: float) -> Interval:
    """mean(a) - mean(b), by Welch's t, which takes no equal variances for granted (Welch 1947)."""
    mean = float(a.mean() - b.mean())
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    if parts.sum() == 0:
        return mean, mean
    freedom = parts.sum() ** 2 / (parts**2 / np.array([len(a) - 1, len(b) - 1])).sum()
    half = float(stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(parts.sum()))
    return mean - half, mean + half


def block_interval(
    first: np.ndarray, second: np.ndarray, n_bytes: int, confidence: float, draws: int = 10_000
) -> Interval:
    """Bits per byte of second - first: paired bootstrap over the blocks of the text (Efron 1979).

    `first`, `second`: nats of each of the 64 blocks, which are equally many bytes. The draws are the
    same each time, so that a report is.
    """
    difference = (second - first) * len(first) / (math.log(2) * n_bytes)
    chosen = np.random.default_rng(0).integers(0, len(first), size=(draws, len(first)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(difference[chosen].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)
