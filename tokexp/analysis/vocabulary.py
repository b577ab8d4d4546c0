"""Which size of vocabulary is best for a tokenizer and a model: from the vertex of a parabola through three sizes.

An optimum between sizes that were tried, for this text, this budget and these models; not a law. With two
intervals, as every figure that might be chance: other seeds, and other texts of the same kind.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tokexp.analysis.statistics import Interval, of_drawn, texts_drawn
from tokexp.runs.study import Study, block_nats

FEWEST = 4  # sizes of vocabulary
DRAWS = 2000


def optimum_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """A row a tokenizer and size of model that was trained with several vocabularies, else nothing."""
    rows = []
    for (arm, size), own in runs.groupby(["arm", "size"]):
        seeds = {v: own.val_bpb[own.vocab_size == v].to_numpy() for v in sorted(set(own.vocab_size.tolist()))}
        if len(seeds) < FEWEST or own.duplicated(["vocab_size", "seed"]).any():  # then other settings differ too
            continue
        several = min(map(len, seeds.values())) > 1
        means = {v: float(bpb.mean()) for v, bpb in seeds.items()}
        best = min(means, key=lambda v: means[v])
        inside = min(means) < best < max(means)
        rows.append(
            {
                "run": f"{arm} {size}",
                "vocabularies tried": ", ".join(f"{v:,}" for v in means),
                "the best of them": f"{best:,} ({means[best]:.3f} bits per byte)",
                "optimum": f"{vertex(means):,.0f}" if inside else "at the edge of what was tried, so not known",
                "95 %, over the seeds": _written(over_seeds(seeds)) if inside and several else "",
                "95 %, over the text": _written(over_text(ends_of(study, own))) if inside else "",
            }
        )
    return pd.DataFrame(rows)


def vertex(bpb: dict[int, float]) -> float:
    """Where a parabola over log V through the lowest point and its two neighbours is lowest; at an edge, the edge."""
    sizes = sorted(bpb)
    i = min(range(len(sizes)), key=lambda i: bpb[sizes[i]])
    if i in (0, len(sizes) - 1):
        return float(sizes[i])
    near = sizes[i - 1 : i + 2]
    curve, slope, _ = np.polyfit(np.log(near), [bpb[v] for v in near], 2)
    return float(np.exp(-slope / (2 * curve))) if curve > 0 else float(sizes[i])


def ends_of(study: Study, runs: pd.DataFrame) -> dict[int, np.ndarray]:
    """The nats of each block at the end, (64,), a mean over the seeds, by the size of the vocabulary."""
    names = {v: list(runs["name"][runs.vocab_size == v]) for v in runs.vocab_size.tolist()}
    return {v: block_nats(study.ends.loc[own]).mean(axis=0) for v, own in names.items()}


def _written(interval: Interval) -> str:
    return "{:,.0f} to {:,.0f}".format(*interval)


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
    return float(low), float(high)


def over_text(blocks: dict[int, np.ndarray]) -> Interval:
    """Of the vertex at 95 %: it is found again in texts made of stretches of this one."""
    texts = texts_drawn()[:DRAWS]
    drawn = {v: texts @ nats for v, nats in blocks.items()}
    return of_drawn(np.array([vertex({v: float(nats[i]) for v, nats in drawn.items()}) for i in range(DRAWS)]))
