"""Which size of vocabulary is best for a tokenizer and a model: from the vertex of a parabola through three sizes.

An optimum between sizes that were tried, for this text, this budget and these models; not a law. With two
intervals, as every figure that might be chance: other seeds, and other texts of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.documents import drawn_documents
from tokexp.analysis.statistics import STRETCHES, Interval, bootstrap_interval, resampled_texts
from tokexp.analysis.texts.units import Units
from tokexp.scoring.units import DOCUMENTS

FEWEST = 4  # sizes of vocabulary
DRAWS = 2000


@dataclass(frozen=True)
class Optimum:
    """The vocabularies that a tokenizer was trained with, for one size of model, and which would be best."""

    arm: str
    size: str
    tried: list[int]
    best: int  # of those
    best_bpb: float
    vertex: float | None  # None where the best is at the edge of what was tried
    over_seeds: Interval | None
    over_text: Interval | None


def optima(comparison: Comparison) -> list[Optimum]:
    """Find the best size of vocabulary for each tokenizer and size of model that has several."""
    return [
        optimum
        for (arm, size), runs in comparison.runs.groupby(["arm", "size"])
        if (optimum := _optimum(comparison, str(arm), str(size), runs))
    ]


def _optimum(comparison: Comparison, arm: str, size: str, runs: pd.DataFrame) -> Optimum | None:
    """None for too few vocabularies, and where other settings differ too."""
    seeds = {v: runs.bpb[runs.vocab_size == v].to_numpy() for v in sorted(set(runs.vocab_size.tolist()))}
    if len(seeds) < FEWEST or runs.duplicated(["vocab_size", "seed"]).any():
        return None
    means = {v: float(bpb.mean()) for v, bpb in seeds.items()}
    best = min(means, key=lambda v: means[v])
    inside = min(means) < best < max(means)
    return Optimum(
        arm,
        size,
        list(means),
        best,
        means[best],
        vertex(means) if inside else None,
        over_seeds(seeds) if inside and min(map(len, seeds.values())) > 1 else None,
        _over_units(comparison.units, runs) if inside and comparison.units else None,
    )


def vertex(bpb: dict[int, float]) -> float:
    """Where a parabola over log V through the lowest point and its two neighbours is lowest; at an edge, the edge."""
    sizes = sorted(bpb)
    i = min(range(len(sizes)), key=lambda i: bpb[sizes[i]])
    if i in (0, len(sizes) - 1):
        return float(sizes[i])
    near = sizes[i - 1 : i + 2]
    curve, slope, _ = np.polyfit(np.log(near), [bpb[v] for v in near], 2)
    return float(np.exp(-slope / (2 * curve))) if curve > 0 else float(sizes[i])


def _over_units(units: Units, runs: pd.DataFrame) -> Interval:
    """Of the vertex, over the units of the text at the end, a mean over the seeds."""
    names = {v: list(runs["name"][runs.vocab_size == v]) for v in runs.vocab_size.tolist()}
    nats = {v: units.nats.loc[some].to_numpy().mean(axis=0) for v, some in names.items()}
    return over_text(nats, units.n_bytes if units.kind == DOCUMENTS else None)


def over_seeds(seeds: dict[int, np.ndarray]) -> Interval:
    """Of the vertex at 95 %: it is found again in draws of the means, by t and one variance for all vocabularies.

    A bootstrap over three seeds would be too narrow.
    """
    freedom = sum(len(bpb) - 1 for bpb in seeds.values())
    spread = np.sqrt(sum(((bpb - bpb.mean()) ** 2).sum() for bpb in seeds.values()) / freedom)
    rng = np.random.default_rng(0)
    drawn = [
        vertex({v: bpb.mean() + spread / np.sqrt(len(bpb)) * rng.standard_t(freedom) for v, bpb in seeds.items()})
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(low), float(high))


def over_text(nats: dict[int, np.ndarray], documents: np.ndarray | None = None) -> Interval:
    """Of the vertex at 95 %: it is found again in texts made of stretches of this one, or drawn of its documents.

    `documents`: the bytes of each, since texts of others have other lengths; of blocks None.
    """
    if documents is None:
        texts, n = resampled_texts()[:DRAWS], STRETCHES
    else:
        n = len(documents)
        times = drawn_documents(n)[:DRAWS].astype(float)
        texts = times / (times @ documents)[:, None]
    drawn = {v: texts @ each for v, each in nats.items()}
    vertices = [vertex({v: float(each[i]) for v, each in drawn.items()}) for i in range(DRAWS)]
    return bootstrap_interval(np.array(vertices), n)
