"""How samples read beside human text: the measures of `tokexp/scoring/readability.py`, summed up by cell.

A measure alone is not good or bad: a model that writes more real words than people do is copying or
playing safe. What counts is the distance from the human band, in human standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tokexp.analysis.once import once
from tokexp.analysis.tables import by_cell, cells, records
from tokexp.runs.study import Study
from tokexp.scoring.samples.readability import MEASURES, Band, band, distance

FEWEST = 5  # passages that people wrote, to hold samples against
DRAWS = 2000
CHANCE_DRAWS = 200


@dataclass(frozen=True)
class Reading:
    """One measure of one cell at one temperature."""

    mean: float
    low: float  # 95 %, over seeds and samples
    high: float
    distance: float  # of the mean from the human one, in human standard deviations


def passages(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """The measures of passages of the held-out text on which `runs` were scored, as long as their samples."""
    rows = study.readability[study.readability.val_sha256 == runs.val_sha256.iloc[0]]
    chars = rows.chars[rows.name.isin(runs["name"])].max()
    return rows[(rows.name == "") & (rows.chars == chars)]


def human_band(study: Study, runs: pd.DataFrame) -> Band:
    rows = passages(study, runs)
    return band(records(rows), rows.chars.max())


def temperatures(study: Study, runs: pd.DataFrame) -> list[float]:
    """Those at which the samples of `runs` were read, the lowest first.

    None where there are no samples, or too little held-out text to say how people's passages differ.
    """
    if len(passages(study, runs)) < FEWEST:
        return []
    return sorted(study.readability.temperature[study.readability.name.isin(runs["name"])].dropna().unique())


@once
def readings(study: Study, runs: pd.DataFrame, temperature: float) -> dict[str, dict[str, Reading]]:
    """By cell, best total first, and by measure."""
    human = human_band(study, runs)
    rows = study.readability[study.readability.temperature == temperature]
    rows = rows.merge(runs.assign(cell=cells(runs))[["name", "cell"]], on="name")
    found = {}
    for cell in by_cell(runs).cell:
        own = rows[rows.cell == cell]
        if len(own):
            found[cell] = {measure: _reading(own, measure, human[measure]) for measure in MEASURES}
    return found


def _reading(rows: pd.DataFrame, measure: str, human: tuple[float, float]) -> Reading:
    """Bootstrap over the seeds, and over the samples within each (Davison and Hinkley 1997)."""
    by_seed = [group[measure].dropna().to_numpy() for _, group in rows.groupby("name")]
    by_seed = [values for values in by_seed if len(values)]
    if not by_seed:
        return Reading(*[float("nan")] * 4)
    rng = np.random.default_rng(0)
    drawn = np.stack([values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1) for values in by_seed])
    seeds = rng.integers(0, len(by_seed), (DRAWS, len(by_seed)))
    low, high = np.quantile(np.take_along_axis(drawn.T, seeds, axis=1).mean(axis=1), [0.025, 0.975])
    mean = float(np.mean([values.mean() for values in by_seed]))
    return Reading(mean, float(low), float(high), distance(mean, human))


def typical_distances(study: Study, runs: pd.DataFrame, temperature: float) -> dict[str, np.ndarray]:
    """By cell, for each of its seeds: the median over the measures of how far from human text, either way."""
    human = human_band(study, runs)
    rows = study.readability[study.readability.temperature == temperature]
    means = rows.groupby("name")[list(MEASURES)].mean()
    found: dict[str, list[float]] = {}
    for cell, name in zip(cells(runs), runs["name"], strict=True):
        if name in means.index:
            found.setdefault(cell, []).append(_typical(means.loc[name], human))
    return {cell: np.array(values) for cell, values in found.items()}


def by_chance(study: Study, runs: pd.DataFrame, samples: int) -> float:
    """What that would be if people had written the samples: the mean of as many passages, drawn again and again."""
    human, rows, rng = human_band(study, runs), passages(study, runs)[list(MEASURES)], np.random.default_rng(0)
    drawn = [_typical(rows.iloc[rng.integers(0, len(rows), samples)].mean(), human) for _ in range(CHANCE_DRAWS)]
    return float(np.median(drawn))


def _typical(means: pd.Series, human: Band) -> float:
    far = [abs(distance(means[measure], human[measure])) for measure in MEASURES]
    return float(np.nanmedian(far)) if not np.isnan(far).all() else float("nan")


def readability_table(study: Study, runs: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """A row a measure, a column a cell: the mean, its 95 % half width, and the distance from human text."""
    human = human_band(study, runs)
    found = readings(study, runs, temperature)
    table = pd.DataFrame({"measure": [name.replace("_", " ") for name in MEASURES]})
    table["human text"] = [f"{human[name][0]:.3f} ± {human[name][1]:.3f} sd" for name in MEASURES]
    for cell, measures in found.items():
        table[cell] = [_written(measures[name]) for name in MEASURES]
    typical = {cell: _shown(far) for cell, far in typical_distances(study, runs, temperature).items()}
    names = study.readability.name[study.readability.temperature == temperature]
    samples = int(names[names.isin(runs["name"])].value_counts().median())  # of a run
    chance = f"{by_chance(study, runs, samples):.2f} sd, by chance"
    last = {"measure": "median distance from human text, of a run", "human text": chance, **typical}
    return pd.concat([table, pd.DataFrame([last])], ignore_index=True)


def _shown(far: np.ndarray) -> str:
    """A mean over the seeds and its 95 % interval's half width."""
    if len(far) < 2:
        return f"{far.mean():.2f} sd"
    return f"{far.mean():.2f} ± {stdtrit(len(far) - 1, 0.975) * far.std(ddof=1) / np.sqrt(len(far)):.2f} sd"


def _written(reading: Reading) -> str:
    if np.isnan(reading.mean):
        return "nothing to count"
    return f"{reading.mean:.3f} ({reading.low:.3f} to {reading.high:.3f}), {reading.distance:+.1f} sd"
