"""Further held-out texts, which rank nothing: who is ahead on each, and whether that is another than on the ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate, Unknown
from tokexp.analysis.chance.verdicts import Difference, SeedScores, compare_all
from tokexp.analysis.comparison import Comparison, computed_once
from tokexp.analysis.differences import differences
from tokexp.analysis.texts.units import units_of_runs

PARTS = ("val", "test")  # of the corpus itself
Pair = tuple[Cell, Cell]  # of one size: the best on the text that ranks, and another


@dataclass(frozen=True)
class OnText:
    """What the cells of a comparison came to on one text."""

    name: str
    ranks: bool
    n_bytes: int
    totals: dict[Cell, Estimate]  # bits per byte
    differences: dict[Pair, Difference]  # positive where the first is ahead


@dataclass(frozen=True)
class TurnOnText:
    """Two cells whose order on a further text is not that of the text that ranks."""

    text: str
    ahead: Cell  # on this text
    behind: Cell
    resolved: bool


@computed_once
def on_texts(comparison: Comparison) -> list[OnText]:
    """The text that ranks, then the further ones by name; none where there are no further ones."""
    texts = comparison.study.texts
    rows = texts[texts["name"].isin(comparison.runs["name"])]
    further = sorted(set(rows.text) - {*PARTS})
    if not further:
        return []
    pairs = [(size.cells[0], other) for size in comparison.sizes for other in size.cells[1:]]
    known = differences(comparison)
    ranking = OnText(
        comparison.scored_on,
        True,
        comparison.scored_bytes,
        {cell: comparison.total(cell) for cell in comparison.cells},
        {pair: known[pair] for pair in pairs},
    )
    return [ranking, *(_on_text(comparison, name, rows[rows.text == name], pairs) for name in further)]


def _on_text(comparison: Comparison, name: str, rows: pd.DataFrame, pairs: list[Pair]) -> OnText:
    bpb = rows.set_index("name").bpb.astype(float)
    seeds = {
        cell: bpb[[run for run in comparison.runs_of(cell)["name"] if run in bpb.index]].to_numpy()
        for cell in comparison.cells
    }
    seeds = {cell: values for cell, values in seeds.items() if len(values)}
    units = units_of_runs(comparison.study, comparison.runs, name)
    scores = {
        cell: SeedScores(
            values,
            units.nats.loc[list(comparison.runs_of(cell)["name"])].to_numpy() if units else np.zeros((1, 0)),
            cell.size,
        )
        for cell, values in seeds.items()
    }
    both = [pair for pair in pairs if pair[0] in scores and pair[1] in scores]
    compared = compare_all(scores, units.text if units else Unknown(), both)
    return OnText(name, False, int(rows.bytes.iloc[0]), {cell: _mean(each) for cell, each in seeds.items()}, compared)


def _mean(values: np.ndarray) -> Estimate:
    """Over the seeds, by Student's t."""
    n = len(values)
    half = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return Estimate.of(values.mean(), half)


def turns(texts: list[OnText]) -> list[TurnOnText]:
    """Where the best on the text that ranks is behind another."""
    return [
        TurnOnText(text.name, other, best, difference.resolved)
        for text in texts
        if not text.ranks
        for (best, other), difference in text.differences.items()
        if difference.mean < 0
    ]
