"""Which size of vocabulary is best for a tokenizer and a model, as far as this text and these seeds can say.

One cubic over log2 of the size is fitted to all sizes that were tried, by least squares, and where it is lowest is the
optimum. A cubic, since bits fall steeply from a small vocabulary and rise slowly towards a large one: in simulations a
parabola's interval missed such an optimum in a quarter of the cases, or in nearly all. Two things are asked of the
curve. Does it fit, or do the sizes lie off it by more than seeds explain (the test of lack of fit, Fisher 1922)? And
which size would have come out with other seeds and another text, both at once? Where it does not fit, or too many sizes
may be the best, no optimum is given. What is given is not a law: it holds for this budget and these models.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from tokexp.analysis.chance.statistics import LEVEL, STRETCHES, Interval
from tokexp.analysis.comparison import Comparison, computed_once
from tokexp.analysis.texts.units import Units
from tokexp.scoring.units import DOCUMENTS

DEGREE = 3
FEWEST = DEGREE + 2  # sizes: the curve goes through one less, whatever they are
STEPS = 400  # in which a curve is looked at, between the least and the greatest size
DRAWS = 2000
MOST_PLAUSIBLE = 0.5  # of the sizes that were tried: where more may be the best, nothing is said of the optimum


class Says(Enum):
    """What is known of an optimum."""

    OPTIMUM = auto()
    ONE_SEED = auto()  # which says nothing of others
    NO_PARTS = auto()  # the text is known only as a whole
    MISFIT = auto()  # the sizes lie on no such curve
    SPREAD = auto()  # too many sizes may be the best
    EDGE = auto()  # it may lie beyond what was tried


@dataclass(frozen=True)
class Drawn:
    """What came out with other seeds and other texts, drawn together."""

    best: dict[int, float]  # of each size that was tried: the share of the draws in which it is the best
    interval: Interval  # of where the curve is lowest

    @property
    def plausible(self) -> list[int]:
        """The fewest sizes of which one is the best in 95 % of the draws."""
        likely = sorted(self.best, key=lambda v: -self.best[v])
        before = np.cumsum([0.0, *(self.best[v] for v in likely[:-1])])
        return sorted(v for v, share in zip(likely, before, strict=True) if share < 1 - LEVEL)


@dataclass(frozen=True)
class Optimum:
    """The vocabularies that a tokenizer was trained with, for one size of model, and which would be best."""

    arm: str
    size: str
    tried: list[int]
    best: int  # of those
    best_bpb: float
    curve: np.ndarray  # (4,) the cubic over log2 of the size, the highest power first
    lowest: float  # where that is lowest, within what was tried
    misfit: float | None  # the p-value of its lack of fit; None for one seed
    drawn: Drawn | None  # None for one seed, and where the text is known only as a whole

    @property
    def says(self) -> Says:
        if self.misfit is None:
            return Says.ONE_SEED
        if self.drawn is None:
            return Says.NO_PARTS
        if self.misfit < LEVEL:
            return Says.MISFIT
        if len(self.drawn.plausible) > MOST_PLAUSIBLE * len(self.tried):
            return Says.SPREAD
        low, high = self.drawn.interval
        return Says.OPTIMUM if self.tried[0] < low and high < self.tried[-1] else Says.EDGE


@computed_once
def optima(comparison: Comparison) -> list[Optimum]:
    """Find the best size of vocabulary for each tokenizer and size of model that has several."""
    return [
        optimum
        for (arm, size), runs in comparison.runs.groupby(["arm", "size"])
        if (optimum := _optimum(comparison.units, str(arm), str(size), runs))
    ]


def _optimum(units: Units | None, arm: str, size: str, runs: pd.DataFrame) -> Optimum | None:
    """None for too few vocabularies, and where other settings differ too."""
    tried = sorted(set(runs.vocab_size.tolist()))
    if len(tried) < FEWEST or runs.duplicated(["vocab_size", "seed"]).any():
        return None
    seeds = [runs.bpb[runs.vocab_size == v].to_numpy() for v in tried]
    means = np.array([bpb.mean() for bpb in seeds])
    curve = fitted(np.array(tried), means)
    several = min(map(len, seeds)) > 1
    return Optimum(
        arm,
        size,
        tried,
        tried[means.argmin()],
        float(means.min()),
        curve,
        float(lowest(curve, np.array(tried))),
        lack_of_fit(np.array(tried), seeds) if several else None,
        _drawn(units, tried, seeds, runs) if several and units else None,
    )


def fitted(sizes: np.ndarray, bpb: np.ndarray) -> np.ndarray:
    """(4, ...): the cubic over log2 of the size, by least squares; `bpb`: (..., sizes)."""
    coefficients: np.ndarray = np.linalg.pinv(_powers(sizes)) @ bpb.T
    return coefficients


def _powers(sizes: np.ndarray) -> np.ndarray:
    return np.vander(np.log2(sizes), DEGREE + 1)


def lowest(curve: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Where a `curve` (4, ...) is lowest between the least and the greatest of `sizes`: (...,)."""
    places = np.geomspace(sizes.min(), sizes.max(), STEPS + 1)
    place: np.ndarray = places[(_powers(places) @ curve).argmin(axis=0)]
    return place


def lack_of_fit(sizes: np.ndarray, seeds: list[np.ndarray]) -> float:
    """The p-value of the means' lying off their curve by more than the seeds explain, by Fisher's F.

    With one variance for all sizes, and as many seeds for each; `seeds`: bits per byte of each size's.
    """
    means = np.array([bpb.mean() for bpb in seeds])
    off = means - _powers(sizes) @ fitted(sizes, means)
    squares = sum(len(bpb) * one**2 for bpb, one in zip(seeds, off, strict=True))
    within, freedom = _within(seeds)
    more = len(sizes) - DEGREE - 1
    return float(fdtrc(more, freedom, squares / more / (within / freedom))) if within else float(squares < 1e-12)


def _within(seeds: list[np.ndarray]) -> tuple[float, int]:
    """The sum of squares of the seeds around the mean of their size, and its degrees of freedom."""
    return sum(float(((bpb - bpb.mean()) ** 2).sum()) for bpb in seeds), sum(len(bpb) - 1 for bpb in seeds)


def _drawn(units: Units, tried: list[int], seeds: list[np.ndarray], runs: pd.DataFrame) -> Drawn:
    names = [list(runs["name"][runs.vocab_size == v]) for v in tried]
    nats = np.array([units.nats.loc[some].to_numpy().mean(axis=0) for some in names])
    n_bytes = units.n_bytes
    if units.kind != DOCUMENTS:  # neighbouring blocks are alike: stretches of them are what is drawn
        nats, n_bytes = (each.reshape(*each.shape[:-1], STRETCHES, -1).sum(axis=-1) for each in (nats, n_bytes))
    bpb = draws(seeds, nats, n_bytes)
    shares = np.bincount(bpb.argmin(axis=1), minlength=len(tried)) / len(bpb)
    places = lowest(fitted(np.array(tried), bpb), np.array(tried))
    low, high = np.quantile(places, [LEVEL / 2, 1 - LEVEL / 2])
    return Drawn(dict(zip(tried, shares.tolist(), strict=True)), Interval(float(low), float(high)))


def draws(seeds: list[np.ndarray], nats: np.ndarray, n_bytes: np.ndarray) -> np.ndarray:
    """(draws, sizes): bits per byte with other seeds and another text, both at once.

    `seeds`: bits per byte of each size's; `nats`: (sizes, parts) of the text, means over the seeds; `n_bytes`:
    (parts,). A text has as many parts, drawn with replacement, the same for all sizes. Means over seeds are drawn from
    the normal, since a bootstrap over three is too narrow. Both spreads are known from few, and so are drawn too (by
    chi-square): what comes out is t, in place of the normal.
    """
    rng, (n_sizes, parts) = np.random.default_rng(0), nats.shape
    means = np.array([bpb.mean() for bpb in seeds])
    times = rng.multinomial(parts, np.full(parts, 1 / parts), DRAWS).astype(float)
    texts = times @ nats.T / (times @ n_bytes)[:, None] - nats.sum(axis=1) / n_bytes.sum()
    texts *= np.sqrt(parts / rng.chisquare(parts - 1, (DRAWS, 1))) / np.log(2)
    within, freedom = _within(seeds)
    errors = np.sqrt(within / rng.chisquare(freedom, (DRAWS, 1)) / np.array([len(bpb) for bpb in seeds]))
    drawn: np.ndarray = means + texts + errors * rng.standard_normal((DRAWS, n_sizes))
    return drawn
