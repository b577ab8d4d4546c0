"""Every kind of value: as people read it, as machines do, and by what it is sorted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tokexp.analysis.cells import Cell, Setting
from tokexp.analysis.chance.statistics import Estimate, Interval
from tokexp.analysis.chance.verdicts import Reason, Verdict
from tokexp.analysis.comparison import BaselineName
from tokexp.analysis.correlation import Correlation
from tokexp.analysis.readability import Reading
from tokexp.analysis.views import Point
from tokexp.rendering.tables.columns import (
    Absent,
    Column,
    Distance,
    HumanBand,
    MeasureAndDistance,
    Number,
    Percentiles,
    Table,
    line_of,
    numbers_of,
    sort_key,
    table,
    verdict_line,
)
from tokexp.rendering.text import Emphasis, Strong, markdown

NAN = math.nan
CELL = Cell("bpe", "nano", False, (Setting("tokenizer.vocab_size", "300", 300),), False)
READING = Reading(0.5, Interval(0.25, 0.75), -1.25)
UNREAD = Reading(NAN, Interval(NAN, NAN), NAN)

# value, form, as people read it, as machines do, by what it is sorted
VALUES: list[tuple[Any, str, str, dict[str, Any], float | None]] = [
    (CELL, "", "bpe vocab_size=300", {"": "bpe vocab_size=300"}, None),
    (BaselineName("PPMd", "adaptive"), "", "*PPMd (adaptive)*", {"": "PPMd (adaptive)"}, None),
    (Verdict(Reason.RESOLVED), "", "resolved", {"": "resolved", "_seeds": None}, None),
    (Verdict(Reason.ON_THIS_TEXT), "", "resolved on this text", {"": "resolved", "_seeds": None}, None),
    (Absent("no way to know"), ",", "no way to know", {"": None}, None),
    (None, ".3f", "", {"": None}, None),
    ("text", "", "text", {"": "text"}, None),
    (1234, ",", "1,234", {"": 1234}, 1234),
    (0.12345, ".1%", "12.3%", {"": 0.12345}, 0.12345),
    (NAN, ".3f", "", {"": NAN}, None),
    (Estimate(2.0, 0.125), ".3f", "2.000 ± 0.125", {"": 2.0, "_half": 0.125}, 2.0),
    (Estimate(2.0, None), ".3f", "2.000", {"": 2.0, "_half": None}, 2.0),
    (Estimate(NAN, None), ".3f", "", {"": NAN, "_half": None}, None),
    (Interval(-1.0, 2.0), ".1f", "-1.0 to 2.0", {"_low": -1.0, "_high": 2.0}, -1.0),
    (Point(np.array([1.0, 3.0]), 1.0, True), ".3f", "2.000", {"": 2.0, "_schedule": 1.0}, 2.0),
    (Point(np.array([3.0]), 0.5, False), ".3f", "(3.000 at 50% of its schedule)", {"": 3.0, "_schedule": 0.5}, 3.0),
    (READING, "", "0.500 (0.250 to 0.750), -1.2 sd", {"": 0.5, "_low": 0.25, "_high": 0.75, "_distance": -1.25}, 0.5),
    (UNREAD, "", "nothing to count", {"": NAN, "_low": NAN, "_high": NAN, "_distance": NAN}, None),
    (MeasureAndDistance(READING), "", "50.0% (-1.2 sd)",
     {"": 0.5, "_low": 0.25, "_high": 0.75, "_distance": -1.25}, 0.5),
    (MeasureAndDistance(UNREAD), "", "", {"": NAN, "_low": NAN, "_high": NAN, "_distance": NAN}, None),
    (Correlation("nano", "vocabulary", 4, -0.5, Interval(-1.0, 0.25)), "", "-0.50 (-1.00 to +0.25)",
     {"": -0.5, "_low": -1.0, "_high": 0.25}, -0.5),
    (Percentiles(1.0, 2.0, 5.0), "", "1 / 2 / 5", {"_p10": 1.0, "_p50": 2.0, "_p90": 5.0}, 1.0),
    (HumanBand(0.5, 0.125), "", "0.500 ± 0.125 sd", {"": 0.5, "_sd": 0.125}, 0.5),
    (Distance(Estimate(3.0, 0.5)), "", "3.00 ± 0.50 sd", {"": 3.0, "_half": 0.5}, 3.0),
    (Number(0.5, ".2f", " sd, by chance"), ",", "0.50 sd, by chance", {"": 0.5}, 0.5),
    ([256, 1024], ",", "256, 1,024", {"": "256 1024"}, None),
]  # fmt: skip


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@pytest.mark.parametrize(("value", "form", "text", "numbers", "key"), VALUES, ids=lambda value: type(value).__name__)
def test_every_kind_of_value(value: Any, form: str, text: str, numbers: dict[str, Any], key: float | None) -> None:
    assert markdown(line_of(value, form)) == text
    assert same(numbers_of(value), numbers), numbers_of(value)
    assert sort_key(value) == key


def test_numbers_for_machines_are_numbers() -> None:
    """No sign of an interval, no asterisk, no unit: these are for people."""
    for value, *_ in VALUES:
        for number in numbers_of(value).values():
            assert not isinstance(number, str) or not set(number) & set("±*%")


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (Verdict(Reason.ONE_SEED), "one seed is an anecdote; add seed=0,1,2"),
        (Verdict(Reason.SEEDS, 12), "about 12 seeds a cell would settle it"),
        (Verdict(Reason.TOO_MANY_SEEDS), "a thousand seeds would not settle it"),
        (Verdict(Reason.TEXT), "only more text would settle it"),
    ],
)
def test_what_is_not_resolved_says_what_would_do(verdict: Verdict, why: str) -> None:
    assert verdict_line(verdict) == [Strong("not resolved"), f": {why}"]
    assert numbers_of(verdict) == {"": "not resolved", "_seeds": verdict.seeds}


def test_figures_are_told_from_text() -> None:
    assert Column("a", [1, Estimate(1.0, 0.1), None, NAN]).is_figures
    assert not Column("a", [1, "2"]).is_figures
    assert not Column("a", [CELL]).is_figures
    assert not Column("a", [Verdict(Reason.RESOLVED)]).is_figures


def test_a_table_by_rows() -> None:
    made = table(Column("run", [CELL, BaselineName("a", "static")]), Column("n", [1.0, None], ".1f"))
    assert len(made) == 2
    assert made.rows() == [[["bpe vocab_size=300"], ["1.0"]], [[Emphasis("a (static)")], [""]]]
    assert len(Table()) == 0
    assert Table().rows() == []
    assert Column(CELL, []).machine_name == "bpe vocab_size=300"
    assert Column("heading, %", [], name="share").machine_name == "share"
