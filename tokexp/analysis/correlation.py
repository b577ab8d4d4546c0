"""Does something that is known without training tell how a tokenizer will do? Correlations and power laws over cells.

A correlation over the cells of one sweep says nothing of cause, and little of other tokenizers; its interval is
wide where the cells are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statistics import Interval

PREDICTORS = {
    "bytes per token": "bytes_per_token",
    "tokens per word": "fertility",
    "Rényi efficiency": "renyi_efficiency",
    "unigram entropy, bits": "unigram_entropy",
    "vocabulary": "vocab_size",
}
FEWEST = 4  # cells
DRAWS = 2000


@dataclass(frozen=True)
class PowerLaw:
    """y = factor * x ** exponent, fitted to the logarithms by least squares; `error`: the exponent's standard one."""

    factor: float
    exponent: float
    error: float

    def at(self, x: np.ndarray) -> np.ndarray:
        return self.factor * x**self.exponent


def power_law(x: np.ndarray, y: np.ndarray) -> PowerLaw | None:
    """None for fewer than three different x, of which two parameters and an error cannot be had."""
    if len(np.unique(x)) < 3:
        return None
    log_x, log_y = np.log(x), np.log(y)
    spread = ((log_x - log_x.mean()) ** 2).sum()
    exponent = float(((log_x - log_x.mean()) * log_y).sum() / spread)
    factor = float(np.exp(log_y.mean() - exponent * log_x.mean()))
    residual = log_y - np.log(factor) - exponent * log_x
    return PowerLaw(factor, exponent, float(np.sqrt((residual**2).sum() / (len(x) - 2) / spread)))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis, equal values sharing the mean of theirs."""
    above = (values[..., :, None] > values[..., None, :]).sum(axis=-1)
    level = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    return above + (level - 1) / 2


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlation (Spearman 1904) along the last axis, from -1 to 1; NaN where one of them is constant."""
    a, b = (r - r.mean(axis=-1, keepdims=True) for r in (ranks(x), ranks(y)))
    with np.errstate(invalid="ignore"):
        correlation: np.ndarray = (a * b).sum(axis=-1) / np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return correlation


def spearman_interval(x: np.ndarray, y: np.ndarray) -> Interval:
    """95 % of Spearman's correlation, by bootstrap over the points (Efron 1979); rough for fewer than ten."""
    drawn = np.random.default_rng(0).integers(0, len(x), (DRAWS, len(x)))
    low, high = np.nanquantile(spearman(x[drawn], y[drawn]), [0.025, 0.975])
    return Interval(float(low), float(high))


@dataclass(frozen=True)
class Correlation:
    """How something that is known without training goes with total bits per byte, over the cells of one size."""

    size: str
    predictor: str  # a key of PREDICTORS
    cells: int
    value: float  # Spearman's rank correlation
    interval: Interval


def correlations(comparison: Comparison) -> list[Correlation]:
    """Correlate every predictor, within each size of model that has cells enough."""
    rows = []
    for size in sorted(comparison.sizes, key=lambda size: size.name):
        means = comparison.means.loc[size.cells]
        for predictor, column in PREDICTORS.items() if len(means) >= FEWEST else ():
            x, y = means[column].to_numpy(), means.bpb.to_numpy()
            value = float(spearman(x, y))
            if not np.isnan(value):
                rows.append(Correlation(size.name, predictor, len(means), value, spearman_interval(x, y)))
    return rows
