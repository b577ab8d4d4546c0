"""The same runs under other terms: at equal steps, bytes, FLOPs or seconds, and at each one's best checkpoint.

Nothing is trained again: each run's curve is read where the terms say. A point before the end of a run's
schedule is no fair one, since the learning rate had not come down; it is shown with the share of the
schedule that it had, and is not ranked. Runs with a budget of that kind, or with a constant rate, are.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.once import once
from tokexp.analysis.statistics import LEVEL, welch_p
from tokexp.analysis.tables import cells, records
from tokexp.runs.study import Study

# What may be held equal: the column of curves.csv, and how a value of it is written.
AXES = {
    "steps": ("step", "{:,.0f} steps"),
    "bytes": ("bytes_seen", "{:,.0f} bytes read"),
    "FLOPs": ("flops", "{:.3g} FLOPs"),
    "seconds": ("seconds", "{:.3g} s of training"),
}
SAME = 0.01  # runs that end within this share of each other end at the same point
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
    name: str  # such as "equal bytes"
    terms: str  # such as "1,024,000 bytes read"
    points: dict[str, Point]

    @property
    def ranking(self) -> list[str]:
        """The cells that may be ranked, best first; none where there is only one."""
        fair = {name: point.bpb for name, point in self.points.items() if point.ranked}
        return sorted(fair, key=lambda name: fair[name]) if len(fair) > 1 else []


@once
def views(study: Study, runs: pd.DataFrame) -> list[View]:
    """Every view of `runs`, which were scored on the same bytes."""
    # The budget apart, since it is what the views are about.
    runs = runs.assign(cell=cells(runs, but="budget."), variant=cells(runs))
    found = [view for axis in AXES if (view := _equal(study, runs, axis))]
    best = runs.groupby("variant").best_val_bpb_crossfit
    points = {str(cell): Point(bpb.to_numpy(), 1.0, True) for cell, bpb in best}
    return [*found, View("each at its best checkpoint", "cross-fitted", points)]


def _equal(study: Study, runs: pd.DataFrame, axis: str) -> View | None:
    column, form = AXES[axis]
    terms = ""
    if axis == "seconds":
        differing = [name for name in PLACE if runs[name].nunique(dropna=False) > 1]
        place = pd.Series([", ".join(f"{name}={row[name]}" for name in differing) for row in records(runs)], runs.index)
        most = runs.cell.groupby(place).nunique().idxmax()
        runs = runs[place == most]
        terms = f", only those with {most}" if differing else ""
    curves = study.curves[study.curves.name.isin(runs["name"])]
    ends = curves.groupby("name")[column].max()
    variants = [
        (str(cell), variant, ends[list(variant["name"])].to_numpy())
        for (cell, _), variant in runs.groupby(["cell", "variant"])
    ]
    at = _meeting_point(variants)
    points = {}
    for cell, options in itertools.groupby(variants, key=lambda v: v[0]):
        reaching = [option for option in options if option[2].min() >= at * (1 - SAME)]
        if reaching:
            _, nearest, reached = min(reaching, key=lambda option: option[2].max())
            bpb = [_read(curves[curves.name == name], column, at) for name in nearest["name"]]
            share = 1.0 if reached.max() <= at * (1 + SAME) else at / float(reached.max())
            points[cell] = Point(np.array(bpb), share, share == 1.0 or _constant(nearest))
    points = {cell: point for cell, point in points.items() if not np.isnan(point.bpb)}
    return View(f"equal {axis}", form.format(at) + terms, points) if points else None


def _meeting_point(variants: list[tuple[str, pd.DataFrame, np.ndarray]]) -> float:
    """The value at which most cells have runs that all end; the smallest of those, so that others reach it."""

    def met(at: float) -> int:
        return len({cell for cell, _, ends in variants if (abs(ends - at) <= SAME * at).all()})

    return min((float(ends.min()) for _, _, ends in variants), key=lambda end: (-met(end), end))


def _read(curve: pd.DataFrame, column: str, at: float) -> float:
    """Total bits per byte at `at`, on a straight line between evaluations; NaN before the first one."""
    if at >= curve[column].iloc[-1]:
        return float(curve.val_bpb.iloc[-1])
    return float(np.interp(at, curve[column], curve.val_bpb, left=np.nan))


def _constant(runs: pd.DataFrame) -> bool:
    return all(json.loads(settings).get("train.schedule") == "constant" for settings in runs.settings)


@dataclass(frozen=True)
class Agreement:
    """What the views say of the order of the cells whose models have one size."""

    pairs: int
    ranked: dict[str, int]  # by view: of how many pairs it has both
    turned: list[str]  # a line for each pair whose order depends on the view

    @property
    def telling(self) -> list[str]:
        """The views that have at least half of the pairs."""
        return [name for name, n in self.ranked.items() if 2 * n >= self.pairs > 0]


def agreement(study: Study, runs: pd.DataFrame) -> Agreement:
    """Two cells have an order in a view where Welch's t tells them apart there; one seed each has any order."""
    found = views(study, runs)
    size = dict(zip(cells(runs, but="budget."), runs["size"], strict=True))
    pairs = [pair for pair in itertools.combinations(sorted(size), 2) if size[pair[0]] == size[pair[1]]]
    ranked = {view.name: sum(set(pair) <= set(view.ranking) for pair in pairs) for view in found}
    turned = [line for pair in pairs if (line := _turned(found, *pair))]
    return Agreement(len(pairs), ranked, turned)


def _turned(found: list[View], one: str, other: str) -> str:
    """How the order of two cells depends on the view; empty where it does not."""
    before: dict[bool, list[str]] = {True: [], False: []}
    alone = False
    for view in found:
        if {one, other} <= set(view.ranking):
            first, second = view.points[one].seeds, view.points[other].seeds
            alone = min(len(first), len(second)) < 2
            if alone or welch_p(second, first) < LEVEL:
                before[bool(first.mean() < second.mean())].append(view.name)
    if not (before[True] and before[False]):
        return ""
    line = f"{one} is before {other} {under(before[True])}, but after it {under(before[False])}"
    return line + (" (of one seed)" if alone else "")


def under(names: list[str]) -> str:
    """The names of views in a sentence."""
    *most, last = [name if name.startswith("each") else f"at {name}" for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def view_table(found: list[View]) -> pd.DataFrame:
    """A row a cell, a column a view, each with the terms in its heading."""
    names = sorted({name for view in found for name in view.points}, key=lambda name: _place(found, name))
    rows: dict[str, list[str]] = {"run": names}
    for view in found:
        heading = f"{view.name} ({view.terms})" if view.terms else view.name
        rows[heading] = [_written(view.points.get(name)) for name in names]
    return pd.DataFrame(rows)


def _place(found: list[View], name: str) -> float:
    return min(view.points[name].bpb for view in found if name in view.points)


def _written(point: Point | None) -> str:
    if point is None:
        return ""
    return f"{point.bpb:.3f}" if point.share == 1.0 else f"({point.bpb:.3f} at {point.share:.0%} of its schedule)"
