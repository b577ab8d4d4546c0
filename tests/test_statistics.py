"""Intervals: against a case worked by hand, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tokexp.analysis.statistics import Cell, block_interval, compare, welch_interval


def test_welch_by_hand() -> None:
    """Means 2 and 5, variances 1 and 4, three each: s = sqrt(5/3), 2.94 degrees of freedom, t = 3.2198."""
    a, b = np.array([4.0, 5.0, 6.0]) - 3, np.array([3.0, 5.0, 7.0])
    low, high = welch_interval(b, a, 0.95)
    freedom = (1 / 3 + 4 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2)
    assert freedom == pytest.approx(2.941, abs=1e-3)
    half = 3.2198 * math.sqrt(5 / 3)
    assert (low, high) == (pytest.approx(3 - half, abs=5e-3), pytest.approx(3 + half, abs=5e-3))


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    rounds = 1000
    welch = text = 0
    for _ in range(rounds):
        low, high = welch_interval(rng.normal(0.3, 1, 4), rng.normal(0, 2, 5), 0.95)
        welch += low <= 0.3 <= high
        first = rng.normal(100, 10, 64)
        low, high = block_interval(first, first + rng.normal(0.3, 1, 64), 64, 0.95, draws=400)
        text += low <= 0.3 / math.log(2) <= high
    error = 3 * math.sqrt(0.95 * 0.05 / rounds)
    assert abs(welch / rounds - 0.95) < error + 0.01, "Welch's t is an approximation"
    assert abs(text / rounds - 0.95) < error + 0.015, "a bootstrap over 64 blocks is a little narrow"


def cells(gap: float, spread: float) -> tuple[Cell, Cell]:
    rng = np.random.default_rng(1)
    first, second = 2 + rng.normal(0, spread, 4), 2 + gap + rng.normal(0, spread, 4)
    text = rng.normal(0, 0.05, 64)
    blocks = [(values[:, None] + text) * math.log(2) for values in (first, second)]
    return Cell(first, blocks[0]), Cell(second, blocks[1])


def test_resolved_needs_both_intervals() -> None:
    clear = compare(*cells(0.5, 0.01), n_bytes=64, family=1)
    assert clear.resolved
    assert clear.mean == pytest.approx(0.5, abs=0.02)
    assert not compare(*cells(0.005, 0.05), n_bytes=64, family=1).resolved, "seeds differ more"
    first, second = cells(0.5, 0.01)
    one_block = second.blocks + np.where(np.arange(64) == 0, 40.0, 0)[None] - 0.9
    assert not compare(first, Cell(second.bpb, one_block), n_bytes=64, family=1).resolved, "the text decides"
    alone = [Cell(cell.bpb[:1], cell.blocks[:1]) for cell in (first, second)]
    assert compare(alone[0], alone[1], n_bytes=64, family=1).over_seeds is None
    assert not compare(alone[0], alone[1], n_bytes=64, family=1).resolved, "one seed"


def test_more_comparisons_are_judged_more_strictly() -> None:
    one, ten = (compare(*cells(0.1, 0.05), n_bytes=64, family=family) for family in (1, 10))
    assert one.over_seeds is not None
    assert ten.over_seeds is not None
    assert ten.over_seeds[0] < one.over_seeds[0]
    assert ten.over_text[1] > one.over_text[1]
