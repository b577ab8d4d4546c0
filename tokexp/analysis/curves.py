"""The evaluations along training: of each run, and of each cell over its seeds."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, computed_once


@dataclass(frozen=True)
class MeanCurve:
    """Columns of curves.csv over the seeds of a cell, a row an evaluation, at the steps that all of them have."""

    mean: pd.DataFrame
    low: pd.DataFrame  # the least
    high: pd.DataFrame  # and the most


@computed_once
def curves_by_run(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """The rows of curves.csv of each run, by its name."""
    by_name = dict(list(comparison.study.curves.groupby("name")))
    return {name: by_name[name] for name in comparison.runs["name"]}


@computed_once
def mean_curves(comparison: Comparison) -> dict[Cell, MeanCurve]:
    """By cell, best total first."""
    by_run = curves_by_run(comparison)
    return {cell: _over_seeds([by_run[name] for name in comparison.runs_of(cell)["name"]]) for cell in comparison.cells}


def _over_seeds(curves: list[pd.DataFrame]) -> MeanCurve:
    by_step = pd.concat(curves).groupby("step")
    everywhere = by_step.size() == len(curves)
    mean, low, high = (getattr(by_step, how)(numeric_only=True)[everywhere] for how in ("mean", "min", "max"))
    return MeanCurve(mean.reset_index(), low.reset_index(), high.reset_index())
