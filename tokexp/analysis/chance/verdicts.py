"""Is a difference between two cells real? One test, which carries both sources of chance.

Other seeds might turn it round, and so might other text. A cell is all runs that differ in the seed alone, so the
difference d of two means has a variance over seeds (`seeds.py`) and one over the text, paired: over its documents
(`documents.py`) or, of one text, over stretches of it (`statistics.py`). They add up, and t is d over
the root of the sum. (What a seed does to one passage alone is in both, so the sum errs to the large side.) Interval,
p-value and verdict come from this one t, and all differences of a report are judged together (Holm).

Not good for saying how another corpus would come out, nor a larger model.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any

import numpy as np

from tokexp.analysis.chance.seeds import Seeds
from tokexp.analysis.chance.statistics import LEVEL, Chance, Interval, K, Text, holm, holm_level

MOST_SEEDS = 1000  # beyond which "how many would do" is not an answer


@dataclass(frozen=True)
class SeedScores:
    """What the seeds of one contestant came to, at one point of their training."""

    bpb: np.ndarray  # (seeds,) bits per byte
    nats: np.ndarray  # (seeds, units) of each document of the held-out text, or of each of 64 blocks
    size: str | None = ""  # those of one size tell of a variance over seeds together; None: it is the same for any seed


class Reason(Enum):
    """Why a difference is resolved, or is not."""

    RESOLVED = auto()  # and would be on other such texts
    ON_THIS_TEXT = auto()  # resolved; but the text has too few documents to say anything of others
    ONE_SEED = auto()  # which cannot tell
    SEEDS = auto()  # more of them would do
    TOO_MANY_SEEDS = auto()  # over a thousand would be needed
    TEXT = auto()  # it is too short: no number of seeds would do


@dataclass(frozen=True)
class Verdict:
    reason: Reason
    seeds: int | None = None  # of each cell, that would do, as far as these few can tell

    @property
    def resolved(self) -> bool:
        return self.reason in (Reason.RESOLVED, Reason.ON_THIS_TEXT)


@dataclass(frozen=True)
class Difference:
    """Of the second cell's bits per byte over the first's: positive where the first is better."""

    mean: float
    over_seeds: Chance | None  # None where no cell of the size has several
    over_text: Chance | None  # None where the text cannot say
    interval: Interval | None  # at 95 %, corrected: it excludes zero just where resolved; None where no seeds tell
    p: float  # corrected by Holm; 1 where no seeds tell
    verdict: Verdict

    @property
    def resolved(self) -> bool:
        return self.verdict.resolved

    @property
    def seeds_share(self) -> float:
        """Which part of the variance is that over the seeds."""
        seeds, text = (chance.variance if chance else 0.0 for chance in (self.over_seeds, self.over_text))
        return seeds / (seeds + text) if seeds else 0.0


def compare_all(
    cells: Mapping[K, SeedScores], text: Text, pairs: Sequence[tuple[K, K]] | None = None
) -> dict[tuple[K, K], Difference]:
    """Compare pairs of cells, scored on the same `text`, and correct for their being read together.

    `pairs`: all, in the order of the cells, where it is None.
    """
    pairs = list(itertools.combinations(cells, 2)) if pairs is None else pairs
    sizes = dict.fromkeys(cell.size for cell in cells.values() if cell.size is not None)
    seeds = {size: Seeds.of({name: cell.bpb for name, cell in cells.items() if cell.size == size}) for size in sizes}
    over_text = text.chances({name: cell.nats.mean(axis=0) for name, cell in cells.items()}, pairs)
    tests = [
        _Test(
            float(cells[second].bpb.mean() - cells[first].bpb.mean()),
            [(each, names) for size, each in seeds.items()
             if (names := [name for name in (first, second) if cells[name].size == size])],
            of_text,
        )
        for (first, second), of_text in zip(pairs, over_text, strict=True)
    ]  # fmt: skip
    p = [test.chance.p(test.mean) if test.chance else 1.0 for test in tests]
    level = holm_level(p)
    judged = zip(pairs, tests, holm(p), strict=True)
    return {pair: _difference(test, corrected, level, such_texts=text.such_texts) for pair, test, corrected in judged}


@dataclass(frozen=True)
class _Test:
    """Whether a difference of two means is zero."""

    mean: float
    seeds: list[tuple[Seeds, list[Any]]]  # of each size that the two have, and which of them have it
    over_text: Chance | None

    @cached_property
    def over_seeds(self) -> Chance | None:
        """None where no seeds tell."""
        return self.with_seeds(None)

    @cached_property
    def chance(self) -> Chance | None:
        """Of both sources; None where no seeds tell."""
        return self.over_seeds and Chance.together(*filter(None, (self.over_seeds, self.over_text)))

    def with_seeds(self, n: float | None) -> Chance | None:
        """Over the seeds, as if each cell had so many."""
        sources = [seeds.chance(names, n) for seeds, names in self.seeds]
        return None if None in sources else Chance.together(*filter(None, sources))

    def p(self, n: float) -> float:
        """As if each cell had so many seeds, and variances stayed as they are."""
        return Chance.together(*filter(None, (self.with_seeds(n), self.over_text))).p(self.mean)


def _difference(test: _Test, p: float, level: float, *, such_texts: bool) -> Difference:
    interval = test.chance.interval(test.mean, level) if test.chance else None
    if p < LEVEL:
        verdict = Verdict(Reason.RESOLVED if such_texts else Reason.ON_THIS_TEXT)
    else:
        verdict = _unresolved(test, level) if test.chance else Verdict(Reason.ONE_SEED)
    return Difference(test.mean, test.over_seeds, test.over_text, interval, p, verdict)


def _unresolved(test: _Test, level: float) -> Verdict:
    """What would do, as a first guess from variances that are themselves uncertain."""
    if test.p(math.inf) >= level:
        return Verdict(Reason.TEXT)
    numbers = range(2, MOST_SEEDS + 1)
    enough = bisect_left(numbers, True, key=lambda n: test.p(n) < level)
    return Verdict(Reason.SEEDS, numbers[enough]) if enough < len(numbers) else Verdict(Reason.TOO_MANY_SEEDS)
