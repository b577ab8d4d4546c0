"""How samples read, held against human text: the measures of `tokexp/scoring/samples/readability.py`, by cell.

A measure alone is not good or bad: a model that writes more real words than people do is copying or
playing safe. What counts is the distance from the human band, in human standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate, Interval
from tokexp.analysis.comparison import Comparison, computed_once
from tokexp.scoring.samples.readability import MEASURES, Band, band, distance

FEWEST = 5  # passages that people wrote, to hold samples against
DRAWS = 2000
CHANCE_DRAWS = 200
OF_PLAYS = ("dialogue", "speaker_names", "returning_speakers")  # measures that say nothing of other texts
PLAY = 0.5  # share of the paragraphs of people's passages that are dialogue, from which a text is a play


@dataclass(frozen=True)
class Reading:
    """One measure of one cell at one temperature; NaN where there was nothing to count."""

    mean: float
    interval: Interval  # over seeds and samples
    distance: float  # of the mean from the human one, in human standard deviations


def passages(comparison: Comparison) -> pd.DataFrame:
    """The measures of passages of the held-out text, as long as the samples of the runs."""
    rows = comparison.study.readability
    rows = rows[rows.val_sha256 == comparison.scored_sha256]
    chars = rows.chars[rows.name.isin(comparison.runs["name"])].max()
    return rows[(rows.name == "") & (rows.chars == chars)]


@computed_once
def human_band(comparison: Comparison) -> Band:
    """Mean and standard deviation of each measure over the passages that people wrote."""
    rows = passages(comparison)
    return band(({str(k): v for k, v in row.items()} for row in rows.to_dict("records")), rows.chars.max())


@computed_once
def measures(comparison: Comparison) -> list[str]:
    """The measures that mean something on this text: those of plays where it is one."""
    is_play = human_band(comparison)["dialogue"][0] >= PLAY  # False for NaN
    return [name for name in MEASURES if is_play or name not in OF_PLAYS]


@computed_once
def temperatures(comparison: Comparison) -> list[float]:
    """Those at which the samples were read, the lowest first.

    None where there are no samples, or too little held-out text to say how people's passages differ.
    """
    if len(passages(comparison)) < FEWEST:
        return []
    rows = comparison.study.readability
    return sorted(rows.temperature[rows.name.isin(comparison.runs["name"])].dropna().unique())


@computed_once
def readings(comparison: Comparison, temperature: float) -> dict[Cell, dict[str, Reading]]:
    """By cell, best total first, and by measure."""
    human, rows = human_band(comparison), comparison.study.readability
    rows = rows[rows.temperature == temperature].merge(comparison.runs[["name", "cell"]], on="name")
    by_cell = {cell: rows[rows.cell == cell] for cell in comparison.cells}
    return {
        cell: {measure: _reading(samples, measure, human[measure]) for measure in measures(comparison)}
        for cell, samples in by_cell.items()
        if len(samples)
    }


def _reading(samples: pd.DataFrame, measure: str, human: tuple[float, float]) -> Reading:
    """Bootstrap over the seeds, and over the samples within each (Davison and Hinkley 1997)."""
    by_seed = [values.dropna().to_numpy() for _, values in samples.groupby("name")[measure]]
    by_seed = [values for values in by_seed if len(values)]
    if not by_seed:
        return Reading(float("nan"), Interval(float("nan"), float("nan")), float("nan"))
    rng = np.random.default_rng(0)
    drawn = np.stack([values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1) for values in by_seed])
    seeds = rng.integers(0, len(by_seed), (DRAWS, len(by_seed)))
    low, high = np.quantile(np.take_along_axis(drawn.T, seeds, axis=1).mean(axis=1), [0.025, 0.975])
    mean = float(np.mean([values.mean() for values in by_seed]))
    return Reading(mean, Interval(float(low), float(high)), distance(mean, human))


@computed_once
def typical_distances(comparison: Comparison, temperature: float) -> dict[Cell, np.ndarray]:
    """By cell, for each of its seeds: the median over the measures of how far from human text, either way."""
    human, rows = human_band(comparison), comparison.study.readability
    means = rows[rows.temperature == temperature].groupby("name")[measures(comparison)].mean()
    distances: dict[Cell, list[float]] = {}
    for name, cell in comparison.cell_of.items():
        if name in means.index:
            distances.setdefault(cell, []).append(_typical(means.T[name], human))
    return {cell: np.array(values) for cell, values in distances.items()}


def lowest_temperature_distances(comparison: Comparison) -> dict[Cell, np.ndarray]:
    """`typical_distances` at the lowest temperature at which samples were read; none where there is none."""
    at = temperatures(comparison)
    return typical_distances(comparison, at[0]) if at else {}


def mean_distance(distances: np.ndarray) -> Estimate:
    """Of the seeds: their mean, and half the width of its 95 % interval (Student's t)."""
    n = len(distances)
    if n < 2:
        return Estimate(float(distances.mean()), None)
    return Estimate(float(distances.mean()), float(stdtrit(n - 1, 0.975) * distances.std(ddof=1) / np.sqrt(n)))


def samples_of_a_run(comparison: Comparison, temperature: float) -> int:
    """How many were read at a temperature: the median over the runs."""
    rows = comparison.study.readability
    names = rows.name[rows.temperature == temperature]
    return int(names[names.isin(comparison.runs["name"])].value_counts().median())


def distance_by_chance(comparison: Comparison, samples: int) -> float:
    """The typical distance of as many passages that people wrote, drawn again and again: what chance makes of it."""
    human, rng = human_band(comparison), np.random.default_rng(0)
    rows = passages(comparison)[measures(comparison)]
    drawn = [_typical(rows.iloc[rng.integers(0, len(rows), samples)].mean(), human) for _ in range(CHANCE_DRAWS)]
    return float(np.median(drawn))


def _typical(means: pd.Series, human: Band) -> float:
    far = [abs(distance(mean, human[str(measure)])) for measure, mean in means.items()]
    return float(np.nanmedian(far)) if not np.isnan(far).all() else float("nan")
