"""A table before it is Markdown, HTML, LaTeX or CSV: columns of values, and how each kind of value is written.

For people a value is a line of text, with its interval beside it. For machines it is numbers, each in a column
of its own: `NAME`, and beside it `NAME_half`, `NAME_low`, `NAME_high` and so on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate, Interval
from tokexp.analysis.chance.verdicts import Reason, Verdict
from tokexp.analysis.comparison import BaselineName
from tokexp.analysis.correlation import Correlation
from tokexp.analysis.readability import Reading
from tokexp.analysis.views import Point
from tokexp.rendering.text import Emphasis, Line, Strong

RESOLVED = {Reason.RESOLVED: "resolved", Reason.ON_THIS_TEXT: "resolved on this text"}
UNRESOLVED = {
    Reason.ONE_SEED: "one seed is an anecdote; add seed=0,1,2",
    Reason.SEEDS: "about {seeds} seeds a cell would settle it",
    Reason.TOO_MANY_SEEDS: "a thousand seeds would not settle it",
    Reason.TEXT: "only more text would settle it",
}


@dataclass(frozen=True)
class Percentiles:
    """The tenth, the fiftieth and the ninetieth."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True)
class HumanBand:
    """A measure of passages that people wrote: mean and standard deviation."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Number:
    """A number in a column of several kinds of figures, with a form of its own; `after` says what of."""

    value: float
    form: str
    after: str = ""


@dataclass(frozen=True)
class Distance:
    """A typical distance from human text, in its standard deviations, over the seeds."""

    estimate: Estimate


@dataclass(frozen=True)
class MeasureAndDistance:
    """A share, and how far it is from human text."""

    reading: Reading


@dataclass(frozen=True)
class Absent:
    """Why there is no number; machines find nothing."""

    why: str


Value = (
    Absent | Cell | BaselineName | Verdict | Estimate | Interval | Point | Reading | Correlation | Percentiles
    | HumanBand | Number | Distance | MeasureAndDistance | list[int] | list[float] | int | float | str | None
)  # fmt: skip
NUMERIC = (
    Estimate, Interval, Point, Reading, Correlation, Percentiles, HumanBand, Number, Distance, MeasureAndDistance,
    list, int, float, type(None),
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    heading: str | Cell
    values: list[Any]  # of kind Value
    form: str = ""  # of its numbers, as Python's format has it
    name: str = ""  # for machines; made of the heading where empty

    @property
    def machine_name(self) -> str:
        return self.name or str(self.heading)

    @property
    def is_figures(self) -> bool:
        """Whether its values are numbers, which stand at the right and are sorted as such."""
        return all(isinstance(value, NUMERIC) for value in self.values)

    def lines(self) -> list[Line]:
        return [line_of(value, self.form) for value in self.values]


@dataclass(frozen=True)
class Table:
    columns: list[Column] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    def rows(self) -> list[list[Line]]:
        return [list(row) for row in zip(*(column.lines() for column in self.columns), strict=True)]


def table(*columns: Column) -> Table:
    return Table(list(columns))


def line_of(value: Value, form: str = "") -> Line:
    """A value as people read it; nothing where there is none."""
    match value:
        case BaselineName():
            return [Emphasis(str(value))]
        case Verdict():
            return verdict_line(value)
        case Cell() | str():
            return [str(value)]
        case Absent(why):
            return [why]
        case None:
            return [""]
        case _:
            return [_figure(value, form)]


def _figure(value: Any, form: str) -> str:
    match value:
        case Estimate(mean, None):
            return "" if math.isnan(mean) else format(mean, form)
        case Estimate(mean, half):
            return f"{mean:{form}} ± {half:{form}}"
        case Interval(low, high):
            return f"{low:{form}} to {high:{form}}"
        case Point():
            bpb = f"{value.bpb:{form}}"
            return bpb if value.share == 1.0 else f"({bpb} at {value.share:.0%} of its schedule)"
        case Reading(mean, interval, distance):
            return (
                "nothing to count"
                if math.isnan(mean)
                else f"{mean:.3f} ({_figure(interval, '.3f')}), {distance:+.1f} sd"
            )
        case MeasureAndDistance(reading):
            return "" if math.isnan(reading.mean) else f"{reading.mean:.1%} ({reading.distance:+.1f} sd)"
        case Correlation():
            return f"{value.value:+.2f} ({_figure(value.interval, '+.2f')})"
        case Percentiles(p10, p50, p90):
            return f"{p10:.0f} / {p50:.0f} / {p90:.0f}"
        case HumanBand(mean, deviation):
            return f"{mean:.3f} ± {deviation:.3f} sd"
        case Distance(estimate):
            return f"{_figure(estimate, '.2f')} sd"
        case Number(number, number_form, after):
            return f"{number:{number_form}}{after}"
        case list():
            return ", ".join(f"{item:{form}}" for item in value)
        case _:
            return "" if math.isnan(value) else format(value, form)


def verdict_line(verdict: Verdict) -> Line:
    if verdict.resolved:
        return [RESOLVED[verdict.reason]]
    return [Strong("not resolved"), f": {UNRESOLVED[verdict.reason].format(seeds=verdict.seeds)}"]


def numbers_of(value: Value) -> dict[str, Any]:
    """A value as machines read it: by the end of the column's name, "" for the value itself."""
    match value:
        case Cell() | BaselineName():
            return {"": str(value)}
        case Absent():
            return {"": None}
        case Verdict():
            return {"": "resolved" if value.resolved else "not resolved", "_seeds": value.seeds}
        case Estimate(mean, half):
            return {"": mean, "_half": half}
        case Interval(low, high):
            return {"_low": low, "_high": high}
        case Point():
            return {"": value.bpb, "_schedule": value.share}
        case Reading(mean, interval, distance) | MeasureAndDistance(Reading(mean, interval, distance)):
            return {"": mean, **numbers_of(interval), "_distance": distance}
        case Correlation():
            return {"": value.value, **numbers_of(value.interval)}
        case Percentiles(p10, p50, p90):
            return {"_p10": p10, "_p50": p50, "_p90": p90}
        case HumanBand(mean, deviation):
            return {"": mean, "_sd": deviation}
        case Distance(estimate):
            return numbers_of(estimate)
        case Number(number, _, _):
            return {"": number}
        case list():
            return {"": " ".join(map(str, value))}
        case _:
            return {"": value}


def sort_key(value: Value) -> float | None:
    """The number by which a table is sorted; None for text and for nothing."""
    if isinstance(value, NUMERIC) and not isinstance(value, list):
        first = next(iter(numbers_of(value).values()))
        return None if first is None or math.isnan(first) else float(first)
    return None
