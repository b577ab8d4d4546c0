"""How far do bits per byte go by chance from seed to seed?

Two or three seeds tell little of a variance. All contestants of one size tell of it together, where theirs are equal:
then it is pooled, and serves one with a single seed too. Bartlett's (1937) test says whether they are; of those that
were tried in simulations it alone keeps its level with two or three seeds (Levene's rejects 5 to 20 %, Brown and
Forsythe's nothing). It sees little with so few, so it rejects at 25 %, as is advised before pooling (Bancroft 1964);
then each pair has the variances of its own two (Welch 1947).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import chdtrc

from tokexp.analysis.chance.statistics import Chance, K

UNEQUAL = 0.25  # p-value of Bartlett's test below which variances are not pooled


@dataclass(frozen=True)
class Seeds:
    """The seeds of contestants of one size: how many each has, and the variance of one seed's bits per byte."""

    counts: Mapping[Any, int]
    variances: Mapping[Any, float]  # of those with several
    equal: bool  # whether one variance serves all

    @classmethod
    def of(cls, bpb: Mapping[K, np.ndarray]) -> Seeds:
        """`bpb`: (seeds,) of each contestant."""
        several = {name: values for name, values in bpb.items() if len(values) > 1}
        variances = {name: float(values.var(ddof=1)) for name, values in several.items()}
        equal = bartlett([len(values) for values in several.values()], list(variances.values())) > UNEQUAL
        return cls({name: len(values) for name, values in bpb.items()}, variances, equal)

    @cached_property
    def pooled(self) -> float:
        """The variance of all those that have one, each by its degrees of freedom."""
        freedom = {name: self.counts[name] - 1 for name in self.variances}
        return sum(freedom[name] * variance for name, variance in self.variances.items()) / sum(freedom.values())

    def chance(self, names: Sequence[Any], seeds: float | None = None) -> Chance | None:
        """Of the difference of two means, or of one mean; None where no seeds tell.

        `seeds`: as if each contestant had so many, and variances stayed as they are.
        """
        counts = self.counts if seeds is None else dict.fromkeys(self.counts, seeds)
        if self.equal and self.variances:
            freedom = sum(count - 1 for count in counts.values())
            return Chance(self.pooled * sum(1 / counts[name] for name in names), freedom)
        if self.variances.keys() >= set(names):
            return Chance.together(*(Chance(self.variances[name] / counts[name], counts[name] - 1) for name in names))
        return None


def bartlett(counts: Sequence[int], variances: Sequence[float]) -> float:
    """The p-value of variances of so many seeds each being equal; 1 where there are fewer than two."""
    if len(variances) < 2 or max(variances) == 0:
        return 1.0
    if min(variances) == 0:
        return 0.0
    freedom, v = np.array(counts) - 1, np.array(variances)
    total = freedom.sum()
    spread = total * np.log((freedom * v).sum() / total) - (freedom * np.log(v)).sum()
    correction = 1 + ((1 / freedom).sum() - 1 / total) / (3 * (len(v) - 1))
    return float(chdtrc(len(v) - 1, max(0.0, spread / correction)))
