"""The same runs under other terms: at equal steps, bytes, FLOPs or seconds, and at each one's best checkpoint.

Nothing is trained again: each run's curve is read where the terms say. A point before the end of a run's
schedule is no fair one, since the learning rate had not come down; it is shown with the share of the
schedule that it had, and is not ranked. Runs with a budget of that kind, or with a constant rate, are.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Unknown
from tokexp.analysis.chance.verdicts import Difference, Reason, SeedScores, compare_all
from tokexp.analysis.comparison import Comparison, by_cell, computed_once
from tokexp.analysis.curves import curves_by_run

# What may be held equal, and the column of curves.csv that counts it.
AXES = {"steps": "step", "bytes": "bytes_seen", "FLOPs": "flops", "seconds": "seconds"}
SAME = 0.01  # runs that end within this share of each other end at the same point
Pair = tuple[Cell, Cell]
PLACE = ["machine", "device", "threads", "workers"]  # of which all must be equal where seconds are compared


@dataclass(frozen=True)
class Point:
    """A cell under a view: total bits per byte."""

    seeds: np.ndarray  # of each run
    share: float  # of its schedule that each run had at least; 1 is all
    ranked: bool

    @property
    def bpb(self) -> float:
        """The mean over the seeds."""
        return float(self.seeds.mean())


@dataclass(frozen=True)
class View:
    """What the runs come to under one kind of terms; cells that differ in their budget alone are one here."""

    axis: str | None  # of AXES; None: each at its best checkpoint, the choice paid for
    at: float | None  # the value of the axis
    place: str  # where seconds are compared: of which machine and threads; "" where all runs had the same
    points: dict[Cell, Point]
    on_test: bool = False  # of best checkpoints: chosen on the validation part and scored on another

    @cached_property
    def ranking(self) -> list[Cell]:
        """The cells that may be ranked, best first; none where there is only one."""
        fair = {cell: point.bpb for cell, point in self.points.items() if point.ranked}
        return sorted(fair, key=lambda cell: fair[cell]) if len(fair) > 1 else []

    @cached_property
    def ranked(self) -> frozenset[Cell]:
        """The cells of `ranking`, to look one up."""
        return frozenset(self.ranking)


@computed_once
def views(comparison: Comparison) -> list[View]:
    """Read the runs under every kind of terms that they can be read under."""
    by_axis = [view for axis in AXES if (view := _equal(comparison, axis))]
    points: dict[Cell, Point] = {}
    for cell, runs in by_cell(comparison.runs):  # of a cell with several budgets, the best
        chosen = runs.best_test_bpb if comparison.on_test else runs.best_val_bpb_crossfit
        point, key = Point(chosen.to_numpy(float), 1.0, True), cell.without_budget()
        if not np.isnan(point.bpb) and (key not in points or point.bpb < points[key].bpb):
            points[key] = point
    return [*by_axis, *([View(None, None, "", points, comparison.on_test)] if points else [])]


@dataclass(frozen=True)
class _Variant:
    """The runs of a cell with one budget."""

    cell: Cell  # without its budget
    runs: pd.DataFrame
    ends: np.ndarray  # (runs,) how far along the axis each got


def _equal(comparison: Comparison, axis: str) -> View | None:
    column, runs, place = AXES[axis], comparison.runs, ""
    if axis == "seconds":
        runs, place = _of_one_place(runs)
    curves = curves_by_run(comparison)
    variants = sorted(
        (
            _Variant(cell.without_budget(), variant, np.array([curves[name][column].max() for name in variant["name"]]))
            for cell, variant in by_cell(runs)
        ),
        key=lambda variant: str(variant.cell),
    )
    at = _meeting_point(variants)
    points = {}
    for cell, options in itertools.groupby(variants, key=lambda variant: variant.cell):
        reaching = [option for option in options if option.ends.min() >= at * (1 - SAME)]
        if reaching:
            nearest = min(reaching, key=lambda option: option.ends.max())
            bpb = np.array([_read(curves[name], column, at) for name in nearest.runs["name"]])
            reached = float(nearest.ends.max())
            share = 1.0 if reached <= at * (1 + SAME) else at / reached
            if not np.isnan(bpb.mean()):
                points[cell] = Point(bpb, share, share == 1.0 or _constant(nearest.runs))
    return View(axis, at, place, points) if points else None


def _of_one_place(runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The runs of the place (machine, device, ...) that has most cells, and what it is where there are several."""
    differing = [name for name in PLACE if runs[name].nunique(dropna=False) > 1]
    rows = runs[differing].astype(object).itertuples(index=False, name=None)
    places = pd.Series(
        [", ".join(f"{name}={value}" for name, value in zip(differing, row, strict=True)) for row in rows]
        if differing else [""] * len(runs),
        runs.index,
    )  # fmt: skip
    without_budget = runs.cell.map(Cell.without_budget)
    most = str(without_budget.groupby(places).nunique().idxmax())
    return runs[places == most], most


def _meeting_point(variants: list[_Variant]) -> float:
    """The value at which most cells have runs that all end; the smallest of those, so that others reach it."""

    def met(at: float) -> int:
        return len({variant.cell for variant in variants if (abs(variant.ends - at) <= SAME * at).all()})

    return min((float(variant.ends.min()) for variant in variants), key=lambda end: (-met(end), end))


def _read(curve: pd.DataFrame, column: str, at: float) -> float:
    """Total bits per byte at `at`, on a straight line between evaluations; NaN before the first one."""
    if at >= curve[column].iloc[-1]:
        return float(curve.val_bpb.iloc[-1])
    return float(np.interp(at, curve[column], curve.val_bpb, left=np.nan))


def _constant(runs: pd.DataFrame) -> bool:
    return all(json.loads(settings).get("train.schedule") == "constant" for settings in runs.settings)


@dataclass(frozen=True)
class Turn:
    """Two cells whose order depends on the view."""

    one: Cell
    other: Cell
    ahead: list[View]  # under which the first is ahead
    behind: list[View]
    one_seed: bool  # where any order is one


@dataclass(frozen=True)
class Agreement:
    """What the views say of the order of the cells whose models have one size."""

    pairs: int
    ranked: list[tuple[View, int]]  # of how many pairs a view ranks both
    turns: list[Turn]

    @property
    def telling(self) -> list[View]:
        """The views that rank at least half of the pairs."""
        return [view for view, n in self.ranked if 2 * n >= self.pairs > 0]

    @property
    def silent(self) -> list[View]:
        """The other views."""
        return [view for view, n in self.ranked if not 2 * n >= self.pairs > 0]


@computed_once
def agreement(comparison: Comparison) -> Agreement:
    """Ask every pair of cells for its order in every view.

    Two cells have an order in a view where their difference is resolved there, among all pairs that it ranks; one seed
    each has any order. Curves are of the whole text, so that the seeds alone are a source of chance.
    """
    cells = sorted({cell.without_budget() for cell in comparison.cells})
    pairs = [pair for pair in itertools.combinations(cells, 2) if pair[0].size == pair[1].size]
    by_view = [(view, _differences(view, pairs)) for view in views(comparison)]
    turns = [turn for pair in pairs if (turn := _turn(by_view, pair))]
    return Agreement(len(pairs), [(view, len(differences)) for view, differences in by_view], turns)


def _differences(view: View, pairs: list[Pair]) -> dict[Pair, Difference]:
    """Of the pairs that a view ranks."""
    scores = {cell: SeedScores(view.points[cell].seeds, np.zeros((1, 0)), cell.size) for cell in view.ranking}
    return compare_all(scores, Unknown(), [pair for pair in pairs if view.ranked.issuperset(pair)])


def _turn(by_view: list[tuple[View, dict[Pair, Difference]]], pair: Pair) -> Turn | None:
    """How the order of two cells depends on the view; None where it does not."""
    ahead: list[View] = []
    behind: list[View] = []
    one_seed = False
    for view, differences in by_view:
        difference = differences.get(pair)
        if difference is None:
            continue
        single = difference.verdict.reason is Reason.ONE_SEED
        if single or difference.resolved:
            one_seed |= single
            (ahead if difference.mean > 0 else behind).append(view)
    return Turn(*pair, ahead, behind, one_seed) if ahead and behind else None
