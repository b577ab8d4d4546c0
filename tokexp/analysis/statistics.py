"""Is a difference between two cells real? Two intervals: over seeds, and over the held-out text.

A cell is all runs that differ in the seed alone. What the held-out text is made of says how the second is had: of
documents (`documents.py`), or of one text in blocks, here. A difference is called resolved where both intervals
exclude zero, and still would if all the differences of a report were judged together (Holm): other
seeds might turn it round, and so might another text. Not good for saying how another corpus would
come out, nor a larger model.

The text's 64 blocks are no 64 texts: neighbours are of one scene, and what suits a tokenizer goes on for
pages. In our studies the differences of neighbouring blocks correlate by 0.6, at which a test that took them
for independent would reject a third of what is true, at 5 %. So stretches of eight adjacent blocks are what
is drawn and counted: such a test rejects 8 % there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from tokexp.scoring.blocks import BLOCKS

LEVEL = 0.05
DRAWS = 10_000  # of the bootstrap
STRETCHES = 8  # of adjacent blocks
MOST_SEEDS = 1000  # beyond which "how many would do" is not an answer
K = TypeVar("K", bound=Hashable)  # what names a contestant


class Interval(NamedTuple):
    """At 95 %, where nothing else is said."""

    low: float
    high: float

    @property
    def has_zero(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Estimate:
    """A mean and half the width of its 95 % interval; None where one seed has none."""

    value: float
    half: float | None

    @classmethod
    def of(cls, value: float, half: float) -> Self:
        """`half`: NaN where there is none."""
        return cls(float(value), None if math.isnan(half) else float(half))


@dataclass(frozen=True)
class SeedScores:
    """What the seeds of one contestant came to, at one point of their training."""

    bpb: np.ndarray  # (seeds,) bits per byte
    nats: np.ndarray  # (seeds, units) of each document of the held-out text, or of each of 64 blocks


class OverText(NamedTuple):
    """How far a difference is that of a held-out text."""

    interval: Interval | None  # None where the text cannot say
    p: float


class Text(Protocol):
    """A held-out text, of whose kind there might have been another."""

    def compare(self, nats: Mapping[K, np.ndarray], pairs: Sequence[tuple[K, K]]) -> list[OverText]:
        """The differences of pairs, the second's bits less the first's. `nats`: (units,) of each contestant."""


@dataclass(frozen=True)
class Difference:
    """Of the second cell's bits per byte over the first's: positive where the first is better."""

    mean: float
    over_seeds: Interval | None  # None where a cell has one seed
    over_text: Interval | None  # None where it has too few documents
    p: float  # the larger of the two tests' p-values, corrected by Holm; 1 where a cell has one seed
    p_text: float  # of the text alone, not corrected
    text_suffices: bool  # whether it would be resolved with seeds enough, the others as they are
    seeds: int | None  # that each cell would need, as far as these few can tell; None for one seed, or above 1,000

    @property
    def resolved(self) -> bool:
        return self.p < LEVEL

    @property
    def verdict(self) -> Verdict:
        """Resolved or not, and if not what would do."""
        if self.resolved:
            return Verdict(Reason.RESOLVED)
        if self.over_text is None:
            return Verdict(Reason.FEW_DOCUMENTS)
        if self.over_seeds is None:
            return Verdict(Reason.ONE_SEED)
        if self.p_text >= LEVEL:
            return Verdict(Reason.TEXT)
        if not self.text_suffices:
            return Verdict(Reason.SHORT_TEXT)
        return Verdict(Reason.TOO_MANY_SEEDS) if self.seeds is None else Verdict(Reason.SEEDS, self.seeds)


class Reason(Enum):
    """Why a difference is resolved, or is not."""

    RESOLVED = auto()
    FEW_DOCUMENTS = auto()  # of which the text has too few for an interval
    TEXT = auto()  # it does not tell the averages of these seeds apart
    SHORT_TEXT = auto()  # it is too short for so many comparisons
    ONE_SEED = auto()  # which cannot tell
    TOO_MANY_SEEDS = auto()  # over a thousand would be needed
    SEEDS = auto()  # more of them would do


@dataclass(frozen=True)
class Verdict:
    reason: Reason
    seeds: int | None = None  # of each cell, that would do

    @property
    def resolved(self) -> bool:
        return self.reason is Reason.RESOLVED


def compare_all(
    cells: Mapping[K, SeedScores], text: Text, pairs: Sequence[tuple[K, K]] | None = None
) -> dict[tuple[K, K], Difference]:
    """Compare pairs of cells, scored on the same `text`, and correct for their being read together.

    `pairs`: all, in the order of the cells, where it is None. A pair's p-value is the larger of Welch's over the
    seeds and that over the text, since both must reject (Berger 1982); Holm's (1979) correction multiplies the
    smallest by the number of pairs, the next by one less, and so on, never decreasing.
    """
    pairs = list(itertools.combinations(cells, 2)) if pairs is None else pairs
    over_text = text.compare({name: cell.nats.mean(axis=0) for name, cell in cells.items()}, pairs)
    by_text = [over.p for over in over_text]
    p = [max(_seeds_p(cells[a], cells[b]), text) for (a, b), text in zip(pairs, by_text, strict=True)]
    corrected, with_seeds_enough = holm(p), holm_of_each(by_text, p)
    differences = {}
    for i, (first, second) in enumerate(pairs):
        a, b = cells[first].bpb, cells[second].bpb
        several = min(len(a), len(b)) > 1
        differences[first, second] = Difference(
            mean=float(b.mean() - a.mean()),
            over_seeds=welch_interval(b, a) if several else None,
            over_text=over_text[i].interval,
            p=corrected[i],
            p_text=by_text[i],
            text_suffices=with_seeds_enough[i] < LEVEL,
            seeds=seeds_needed(b, a, LEVEL / len(pairs)) if several else None,
        )
    return differences


def holm(p: list[float]) -> list[float]:
    """P-values corrected by Holm's step-down method, in their order."""
    corrected, least = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        least = max(least, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = least
    return corrected


def holm_of_each(alone: list[float], p: list[float]) -> list[float]:
    """What Holm's method would make of each of `alone` in the place of its counterpart in `p`, which is no smaller."""
    ordered = np.sort(p)
    least = np.maximum.accumulate([0.0, *np.minimum(1.0, (len(p) - np.arange(len(p))) * ordered)])
    ranks = np.searchsorted(ordered, alone)
    return [max(float(least[rank]), min(1.0, (len(p) - rank) * one)) for rank, one in zip(ranks, alone, strict=True)]


def _seeds_p(first: SeedScores, second: SeedScores) -> float:
    return welch_p(second.bpb, first.bpb) if min(len(first.bpb), len(second.bpb)) > 1 else 1.0


def _welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """mean(a) - mean(b), its standard error, and Satterthwaite's degrees of freedom (Welch 1947)."""
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    error = float(np.sqrt(parts.sum()))
    freedom = parts.sum() ** 2 / (parts**2 / np.array([len(a) - 1, len(b) - 1])).sum() if error else math.inf
    return float(a.mean() - b.mean()), error, float(freedom)


def welch_interval(a: np.ndarray, b: np.ndarray, level: float = LEVEL) -> Interval:
    """mean(a) - mean(b) at 1 - `level`, by Welch's t, which takes no equal variances for granted."""
    mean, error, freedom = _welch(a, b)
    half = float(stdtrit(freedom, 1 - level / 2)) * error if error else 0.0
    return Interval(mean - half, mean + half)


def welch_p(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p-value of Welch's t."""
    mean, error, freedom = _welch(a, b)
    if not error:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(mean) / error))


def seeds_needed(a: np.ndarray, b: np.ndarray, level: float) -> int | None:
    """Seeds in each cell with which Welch's interval would exclude zero, if means and variances stayed as seen.

    A first guess from few seeds, whose variances are themselves uncertain. None above 1,000.
    """
    mean = abs(float(a.mean() - b.mean()))
    each = float(a.var(ddof=1)), float(b.var(ddof=1))
    variance = sum(each)
    if not variance:
        return 2 if mean else None
    n = np.arange(2, MOST_SEEDS + 1)
    freedom = (n - 1) * variance**2 / (each[0] ** 2 + each[1] ** 2)
    enough = mean > stdtrit(freedom, 1 - level / 2) * np.sqrt(variance / n)
    return int(n[enough.argmax()]) if enough.any() else None


@dataclass(frozen=True)
class Blocks:
    """A single text, in 64 blocks of equal length."""

    n_bytes: int

    def compare(self, nats: Mapping[K, np.ndarray], pairs: Sequence[tuple[K, K]]) -> list[OverText]:
        texts = {name: _Text.of(each, self.n_bytes) for name, each in nats.items()}
        return [OverText(_text_interval(texts[a], texts[b]), _text_p(texts[a], texts[b])) for a, b in pairs]


class Unknown:
    """A text whose units are not known, or too few."""

    def compare(self, nats: Mapping[K, np.ndarray], pairs: Sequence[tuple[K, K]]) -> list[OverText]:
        return [OverText(None, 1.0) for _ in pairs]


@dataclass(frozen=True)
class _Text:
    """A cell's bits per byte over the text."""

    stretches: np.ndarray  # (8,)
    drawn: np.ndarray  # (draws,) the mean in each of the texts that were drawn

    @classmethod
    def of(cls, nats: np.ndarray, n_bytes: int) -> _Text:
        blocks = nats * len(nats) / (math.log(2) * n_bytes)
        return cls(blocks.reshape(STRETCHES, -1).mean(axis=1), resampled_texts() @ blocks)


def _text_interval(first: _Text, second: _Text) -> Interval:
    return bootstrap_interval(second.drawn - first.drawn)


def bootstrap_interval(figures: np.ndarray, n: int = STRETCHES) -> Interval:
    """The 95 % interval of a figure that was had from each of `resampled_texts`, (draws,), or from draws of `n` others.

    Percentiles, spread as far as t at eight stretches is wider than the normal, since a bootstrap over few
    is too narrow (Hesterberg 2015).
    """
    tail = float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, LEVEL / 2)))
    low, high = np.quantile(figures, [tail, 1 - tail])
    return Interval(float(low), float(high))


def text_interval(block_nats: np.ndarray, n_bytes: int) -> Interval:
    """The interval over the text of bits per byte, or of a difference of them, from the nats of 64 blocks."""
    return bootstrap_interval(resampled_texts() @ (block_nats * len(block_nats) / (math.log(2) * n_bytes)))


def _text_p(first: _Text, second: _Text) -> float:
    """Two-sided p-value of the mean difference by t over the stretches.

    The bootstrap itself has no p-value below one in its draws, too coarse for many comparisons.
    """
    difference = second.stretches - first.stretches
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    if not error:
        return 1.0 if difference.mean() == 0 else 0.0
    return float(2 * stdtr(len(difference) - 1, -abs(difference.mean()) / error))


@lru_cache(maxsize=1)
def resampled_texts() -> np.ndarray:
    """(draws, 64): texts made of eight stretches of the held-out one, as the share of each block in them.

    The circular block bootstrap (Politis and Romano 1992): a stretch begins at any block, and after the last
    one comes the first. The draws are the same each time, so that a report is.
    """
    starts = np.random.default_rng(0).integers(0, BLOCKS, size=(DRAWS, STRETCHES, 1))
    chosen = (starts + np.arange(BLOCKS // STRETCHES)).reshape(DRAWS, -1) % BLOCKS + BLOCKS * np.arange(DRAWS)[:, None]
    return np.bincount(chosen.ravel(), minlength=DRAWS * BLOCKS).reshape(DRAWS, BLOCKS) / BLOCKS
