"""Which size of vocabulary is best for a tokenizer and a model: from the vertex of a parabola through three sizes.

An optimum between sizes that were tried, for this text, this budget and these models; not a law.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tokexp.analysis.store import Study

FEWEST = 4  # sizes of vocabulary
DRAWS = 2000


def optimum_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """A row a tokenizer and size of model that was trained with several vocabularies, else nothing."""
    rows = []
    for (arm, size), own in runs.groupby(["arm", "size"]):
        seeds = {v: own.val_bpb[own.vocab_size == v].to_numpy() for v in sorted(set(own.vocab_size.tolist()))}
        if len(seeds) < FEWEST or own.duplicated(["vocab_size", "seed"]).any():  # then other settings differ too
            continue
        means = {v: float(bpb.mean()) for v, bpb in seeds.items()}
        best = min(means, key=lambda v: means[v])
        low, high = interval(seeds)
        at_edge = best in (min(means), max(means))
        rows.append(
            {
                "run": f"{arm} {size}",
                "vocabularies tried": ", ".join(f"{v:,}" for v in sorted(means)),
                "the best of them": f"{best:,} ({means[best]:.3f} bits per byte)",
                "optimum": "at the edge, so not known" if at_edge else f"{vertex(means):,.0f}",
                "95 %, over the seeds": f"{low:,.0f} to {high:,.0f}" if min(map(len, seeds.values())) > 1 else "",
                "twice that costs": "" if at_edge else _more(means, 2 * vertex(means), means[best]),
                "half of it": "" if at_edge else _more(means, vertex(means) / 2, means[best]),
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


def interval(seeds: dict[int, np.ndarray]) -> tuple[float, float]:
    """Of the vertex at 95 %, by bootstrap over the seeds of each vocabulary."""
    rng = np.random.default_rng(0)
    drawn = [vertex({v: float(rng.choice(bpb, len(bpb)).mean()) for v, bpb in seeds.items()}) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _more(bpb: dict[int, float], at: float, least: float) -> str:
    """Bits per byte above the least, on straight lines over log V; nothing beyond what was tried."""
    sizes = sorted(bpb)
    if not sizes[0] <= at <= sizes[-1]:
        return ""
    return f"{np.interp(np.log(at), np.log(sizes), [bpb[v] for v in sizes]) - least:+.3f}"
