"""What chance does to a figure, and to a difference of two: intervals, p-values and their correction.

A source of chance is a variance with its degrees of freedom (`Chance`); independent ones add up. Which sources a
difference has is said elsewhere: the seeds (`seeds.py`), documents (`documents.py`), and here a held-out text
that is one text, in 64 blocks.

The blocks of a text are no 64 texts: neighbours are of one scene, and what suits a tokenizer goes on for
pages. In our studies the differences of neighbouring blocks correlate by 0.6, at which a test that took them
for independent would reject a third of what is true, at 5 %. So stretches of eight adjacent blocks are what
is drawn and counted: such a test rejects 8 % there. They say how passages of this text vary, and nothing of another
text, whatever their number.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from tokexp.scoring.blocks import BLOCKS

LEVEL = 0.05
DRAWS = 10_000  # of the bootstrap
STRETCHES = 8  # of adjacent blocks
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
class Chance:
    """What chance does to a mean or to a difference of means: its variance, and how well that is known."""

    variance: float
    freedom: float  # degrees of freedom of the variance; infinite where it is known

    @classmethod
    def together(cls, *sources: Chance) -> Chance:
        """Of independent sources: variances v add up, with (sum v)^2 / sum(v^2 / freedom) (Satterthwaite 1946)."""
        variance = sum(source.variance for source in sources)
        unsure = sum(source.variance**2 / source.freedom for source in sources)
        return cls(variance, variance**2 / unsure if unsure else math.inf)

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    def interval(self, mean: float, level: float = LEVEL) -> Interval:
        """Of the true mean, at 1 - `level`, by t."""
        half = float(stdtrit(self.freedom, 1 - level / 2)) * self.error if self.variance else 0.0
        return Interval(mean - half, mean + half)

    def p(self, mean: float) -> float:
        """Two-sided p-value of the true mean's being zero; below `level` just where the interval excludes zero."""
        if not self.variance:
            return 1.0 if mean == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(mean) / self.error))


def holm(p: list[float]) -> list[float]:
    """P-values corrected by Holm's (1979) step-down method, in their order.

    The smallest is multiplied by the number of them, the next by one less, and so on, never decreasing.
    """
    corrected, least = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        least = max(least, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = least
    return corrected


def holm_level(p: list[float]) -> float:
    """The level that each of `p` is judged at in the end: Holm's method rejects just those that are below it.

    It is 5 % over the number of those that are not rejected. So an interval at this level excludes zero just where
    Holm's method rejects; those that do not exclude it are right all together in 95 % of cases (Guilbaud 2008).
    """
    rejected = sum(corrected < LEVEL for corrected in holm(p))
    return LEVEL / max(1, len(p) - rejected)


class Text(Protocol):
    """A held-out text."""

    such_texts: ClassVar[
        bool
    ]  # whether it tells what other texts of its kind would say, rather than other passages of it

    def chances(self, nats: Mapping[K, np.ndarray], pairs: Sequence[tuple[K, K]]) -> list[Chance | None]:
        """Of the differences of pairs in bits per byte; None where the text cannot say.

        `nats`: (units,) of each contestant.
        """


@dataclass(frozen=True)
class Blocks:
    """A single text, in 64 blocks of equal length."""

    n_bytes: int
    such_texts: ClassVar[bool] = False

    def chances(self, nats: Mapping[K, np.ndarray], pairs: Sequence[tuple[K, K]]) -> list[Chance | None]:
        """By the spread of eight stretches' paired differences."""
        bpb = {
            name: _bits_per_byte(each, self.n_bytes).reshape(STRETCHES, -1).mean(axis=1) for name, each in nats.items()
        }
        return [Chance(float((bpb[b] - bpb[a]).var(ddof=1)) / STRETCHES, STRETCHES - 1) for a, b in pairs]


class Unknown:
    """A text whose units are not known, or too few."""

    such_texts: ClassVar[bool] = False

    def chances(self, nats: Mapping[K, np.ndarray], pairs: Sequence[tuple[K, K]]) -> list[Chance | None]:
        return [None for _ in pairs]


def _bits_per_byte(block_nats: np.ndarray, n_bytes: int) -> np.ndarray:
    """Of each block, (blocks,) like its nats."""
    return block_nats * len(block_nats) / (math.log(2) * n_bytes)


def text_interval(block_nats: np.ndarray, n_bytes: int) -> Interval:
    """The 95 % interval over the text of bits per byte, or of a difference of them, from the nats of 64 blocks.

    Percentiles over `resampled_texts`, spread as far as t at eight stretches is wider than the normal, since a
    bootstrap over few is too narrow (Hesterberg 2015).
    """
    tail = float(ndtr(math.sqrt(STRETCHES / (STRETCHES - 1)) * stdtrit(STRETCHES - 1, LEVEL / 2)))
    low, high = np.quantile(resampled_texts() @ _bits_per_byte(block_nats, n_bytes), [tail, 1 - tail])
    return Interval(float(low), float(high))


@lru_cache(maxsize=1)
def resampled_texts() -> np.ndarray:
    """(draws, 64): texts made of eight stretches of the held-out one, as the share of each block in them.

    The circular block bootstrap (Politis and Romano 1992): a stretch begins at any block, and after the last
    one comes the first. The draws are the same each time, so that a report is.
    """
    starts = np.random.default_rng(0).integers(0, BLOCKS, size=(DRAWS, STRETCHES, 1))
    chosen = (starts + np.arange(BLOCKS // STRETCHES)).reshape(DRAWS, -1) % BLOCKS + BLOCKS * np.arange(DRAWS)[:, None]
    return np.bincount(chosen.ravel(), minlength=DRAWS * BLOCKS).reshape(DRAWS, BLOCKS) / BLOCKS
