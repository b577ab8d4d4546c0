"""Simulated studies whose true differences are known, and how often a procedure calls them resolved.

Seeds go up and down, and so do the units of the held-out text, for each arm by itself: a difference of measured means
is chance of both kinds, and what was put in. `python tests/simulated.py` prints the tables of docs/method.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tokexp.analysis.chance.documents import Documents, over_documents
from tokexp.analysis.chance.statistics import LEVEL, Blocks, Chance, Text, holm
from tokexp.analysis.chance.verdicts import SeedScores, compare_all

EQUAL, UNEQUAL = np.full(8, 0.012), np.geomspace(0.007, 0.022, 8)  # standard deviations over seeds, as at size micro
Cells = dict[tuple[str, int], SeedScores]
Pairs = list[tuple[tuple[str, int], tuple[str, int]]]
Procedure = Callable[[Cells, Text, Pairs], list[float]]  # p-values


def document_chance(nats: np.ndarray, n_bytes: np.ndarray) -> tuple[float, Chance]:
    """A figure or difference over documents, in bits per byte, with its chance: (documents,) each."""
    over = over_documents(nats[None], n_bytes)
    return float(over.mean[0]), over.chances[0]


@dataclass(frozen=True)
class World:
    """What studies are drawn from."""

    seeds: int = 3
    spreads: Sequence[float] = tuple(EQUAL)  # over seeds, of each arm of a size
    sizes: int = 1
    text_error: float = 0.02  # of a difference, about as at size micro
    documents: int | None = None  # None: one text, in blocks
    lengths: float = 1.2  # of documents: the spread of their logarithms; like those of Linux's documentation
    alike: float = 0.0  # correlation of neighbouring blocks
    gap: float = 0.0  # bits per byte by which the second half of the arms is worse

    def draw(self, rng: np.random.Generator) -> tuple[Cells, Text]:
        units = self.documents or 64
        n_bytes = np.exp(rng.normal(9, self.lengths, units)) if self.documents else np.full(units, 1000.0)
        weights = n_bytes / n_bytes.sum()
        cells: Cells = {}
        for size, (i, spread) in itertools.product(range(self.sizes), enumerate(self.spreads)):
            passages = self._passages(rng, units) * self.text_error / math.sqrt(2 * (weights**2).sum())
            seeds = 2 + self.gap * (i >= len(self.spreads) / 2) + rng.normal(0, spread, self.seeds)
            nats = (seeds[:, None] + passages) * n_bytes * math.log(2)
            cells[str(size), i] = SeedScores(nats.sum(axis=1) / n_bytes.sum() / math.log(2), nats, str(size))
        return cells, Documents(n_bytes) if self.documents else Blocks(round(n_bytes.sum()))

    def _passages(self, rng: np.random.Generator, units: int) -> np.ndarray:
        """(units,) of variance 1."""
        values = rng.normal(0, 1, units)
        for i in range(1, units if self.alike else 0):
            values[i] = self.alike * values[i - 1] + math.sqrt(1 - self.alike**2) * values[i]
        return values


def one_test(cells: Cells, text: Text, pairs: Pairs) -> list[float]:
    """P-values by what reports do."""
    differences = compare_all(cells, text, pairs).values()
    return [Chance.together(*filter(None, (one.over_seeds, one.over_text))).p(one.mean) for one in differences]


def both_must_reject(cells: Cells, text: Text, pairs: Pairs) -> list[float]:
    """P-values by what they did before: the larger of Welch's t over the seeds and of t over the text."""
    over_text = text.chances({name: cell.nats.mean(axis=0) for name, cell in cells.items()}, pairs)
    p = []
    for (first, second), of_text in zip(pairs, over_text, strict=True):
        a, b = cells[first].bpb, cells[second].bpb
        welch = Chance.together(*(Chance(bpb.var(ddof=1) / len(bpb), len(bpb) - 1) for bpb in (a, b)))
        p.append(max(chance.p(b.mean() - a.mean()) for chance in (welch, of_text) if chance))
    return p


@dataclass(frozen=True)
class Rates:
    """Shares of pairs and of studies."""

    alone: float  # of pairs of equal arms, resolved if each had been the only one
    worst: float  # and of the pair that is most often
    family: float  # of studies in which a pair of equal arms is resolved
    found: float  # of pairs of unequal arms, resolved; NaN where there are none


def rates(world: World, rounds: int, procedure: Procedure = one_test) -> Rates:
    """How often pairs are resolved in so many studies."""
    rng = np.random.default_rng(0)
    p, corrected = [], []
    for _ in range(rounds):
        cells, text = world.draw(rng)
        pairs = [(a, b) for a, b in itertools.combinations(cells, 2) if a[0] == b[0]]
        p.append(procedure(cells, text, pairs))
        corrected.append(holm(p[-1]))
    half = len(world.spreads) / 2
    unequal = np.array([world.gap > 0 and (a[1] < half) != (b[1] < half) for a, b in pairs])
    alone, resolved = (np.array(each) < LEVEL for each in (p, corrected))
    by_pair = alone[:, ~unequal].mean(axis=0)
    found = resolved[:, unequal].mean() if unequal.any() else math.nan
    return Rates(by_pair.mean(), by_pair.max(), resolved[:, ~unequal].any(axis=1).mean(), float(found))


LEVELS = {
    "2 seeds": World(seeds=2),
    "3 seeds": World(seeds=3),
    "5 seeds": World(seeds=5),
    "2 arms": World(spreads=tuple(EQUAL[:2])),
    "16 arms of two sizes": World(sizes=2),
    "2 seeds, unequal spreads": World(seeds=2, spreads=tuple(UNEQUAL)),
    "3 seeds, unequal spreads": World(seeds=3, spreads=tuple(UNEQUAL)),
    "5 seeds, unequal spreads": World(seeds=5, spreads=tuple(UNEQUAL)),
    "unequal spreads, text error 0.005": World(spreads=tuple(UNEQUAL), text_error=0.005),
    "9 documents": World(documents=9),
    "9 documents of one length": World(documents=9, lengths=0.1),
    "30 documents": World(documents=30),
    "180 documents": World(documents=180),
    "neighbouring blocks correlate by 0.6": World(alike=0.6),
}
GAPS = 0.02, 0.05, 0.1


def level_rows(rounds: int) -> Iterator[str]:
    yield "\n| 3 seeds of 8 arms, text error 0.02, but | a pair | the worst pair | any of a report |\n|---|---|---|---|"
    for what, world in LEVELS.items():
        one = rates(world, rounds if len(world.spreads) > 2 else 10 * rounds)  # a pair tells less than 28
        yield f"| {what} | {one.alone:.1%} | {one.worst:.1%} | {one.family:.1%} |"


def power_rows(rounds: int) -> Iterator[str]:
    yield "\n| true difference | text error | one test | both must reject |\n|---|---|---|---|"
    for error, gap in itertools.product((0.01, 0.02), GAPS):
        world = World(text_error=error, gap=gap)
        now, before = (rates(world, rounds, procedure).found for procedure in (one_test, both_must_reject))
        yield f"| {gap} | {error} | {now:.0%} | {before:.0%} |"


if __name__ == "__main__":
    for row in itertools.chain(power_rows(400), level_rows(2000)):
        print(row, flush=True)
