"""Does something that is known without training tell how a tokenizer will do? Correlations and power laws over cells.

A correlation over the cells of one sweep says nothing of cause, and little of other tokenizers; its interval is
wide where the cells are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.chance.statistics import Interval
from tokexp.analysis.comparison import Comparison

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
    predictor: str
    cells: int
    value: float  # Spearman's rank correlation
    interval: Interval


def correlations(comparison: Comparison) -> list[Correlation]:
    """Correlate bytes per token, within each size of model, and Renyi efficiency, within each vocabulary as well.

    Tokens per word and the size of the vocabulary order tokenizers nearly as bytes per token does: they would be the
    same test again. The Renyi efficiency is over the log of the vocabulary, and says nothing across vocabularies.
    """
    rows = []
    for size in sorted(comparison.sizes, key=lambda size: size.name):
        means = comparison.means.loc[size.cells]
        groups = [("bytes per token", "bytes_per_token", means)]
        for vocabulary, alike in means.groupby("vocab_size"):
            name = f"Rényi efficiency, of {vocabulary:,.0f} tokens"
            groups.append((name, "renyi_efficiency", alike))
        rows += [row for name, column, cells in groups if (row := _correlation(size.name, name, cells, column))]
    return rows


def _correlation(size: str, predictor: str, means: pd.DataFrame, column: str) -> Correlation | None:
    """None for too few cells, and where all have the same."""
    x, y = means[column].to_numpy(), means.bpb.to_numpy()
    value = float(spearman(x, y)) if len(means) >= FEWEST else np.nan
    return None if np.isnan(value) else Correlation(size, predictor, len(means), value, spearman_interval(x, y))
