"""Intervals and corrections: against cases worked by hand, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tokexp.analysis.statistics import (
    Cell,
    Difference,
    block_interval,
    block_p,
    compare_all,
    holm,
    holm_of_each,
    seeds_needed,
    welch_interval,
    welch_p,
)


def test_welch_by_hand() -> None:
    """Means 2 and 5, variances 1 and 4, three each: s = sqrt(5/3), 2.94 degrees of freedom, t = 3.2198."""
    a, b = np.array([4.0, 5.0, 6.0]) - 3, np.array([3.0, 5.0, 7.0])
    low, high = welch_interval(b, a)
    freedom = (1 / 3 + 4 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2)
    assert freedom == pytest.approx(2.941, abs=1e-3)
    half = 3.2198 * math.sqrt(5 / 3)
    assert (low, high) == (pytest.approx(3 - half, abs=5e-3), pytest.approx(3 + half, abs=5e-3))


def test_a_p_value_is_the_level_at_which_the_interval_touches_zero() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.4, 1, 5), rng.normal(0, 2, 4)
    p = welch_p(a, b)
    low, high = welch_interval(a, b, level=p)
    assert min(abs(low), abs(high)) < 1e-9
    first = rng.normal(100, 10, 64)
    second = first + rng.normal(0.3, 1, 64)
    low, high = block_interval(first, second, 64, level=block_p(first, second, 64))
    assert min(abs(low), abs(high)) < 0.02, "the bootstrap follows the t over 64 blocks"


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_what_more_seeds_could_do_depends_on_the_other_pairs() -> None:
    """0.03 alone is under 0.05, as the last of three it stays so, but not as the first or second."""
    assert holm_of_each([0.03], [0.5]) == [0.03]
    p = [0.01, 0.02, 0.9]
    assert holm_of_each([0.01, 0.02, 0.03], p) == pytest.approx([0.03, 0.04, 0.04]), "never below the pair before it"
    assert holm_of_each([0.01, 0.02, 0.03], [0.9, 0.9, 0.9]) == pytest.approx([0.03, 0.06, 0.09])
    assert holm_of_each(p, p) == holm(p)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    rounds = 4000
    welch = text = 0
    for _ in range(rounds):
        low, high = welch_interval(rng.normal(0.3, 1, 4), rng.normal(0, 2, 5))
        welch += low <= 0.3 <= high
        first = rng.normal(100, 10, 64)
        low, high = block_interval(first, first + rng.normal(0.3, 1, 64), 64, draws=1000)
        text += low <= 0.3 / math.log(2) <= high
    error = 3 * math.sqrt(0.95 * 0.05 / rounds)  # 0.0103
    assert abs(welch / rounds - 0.95) < error
    assert abs(text / rounds - 0.95) < error


def test_holm_keeps_the_rate_of_false_claims() -> None:
    """Four equal cells, six pairs: at least one "resolved" in at most 5 % of the reports."""
    rng = np.random.default_rng(1)
    rounds = 400
    wrong = 0
    for _ in range(rounds):
        cells = {name: Cell(rng.normal(2, 0.02, 4), rng.normal(100, 1, (4, 64))) for name in "abcd"}
        wrong += any(difference.resolved for difference in compare_all(cells, 64 * 100).values())
    assert wrong / rounds < 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)


def cells(gap: float, spread: float, seeds: int = 4) -> tuple[Cell, Cell]:
    rng = np.random.default_rng(1)
    first, second = 2 + rng.normal(0, spread, seeds), 2 + gap + rng.normal(0, spread, seeds)
    text = rng.normal(0, 0.05, 64)
    noise = rng.normal(0, 0.002, 64)
    blocks = [(values[:, None] + text) * math.log(2) for values in (first, second)]
    return Cell(first, blocks[0]), Cell(second, blocks[1] + noise)


def compared(first: Cell, second: Cell) -> Difference:
    return compare_all({"first": first, "second": second}, n_bytes=64)["first", "second"]


def test_resolved_needs_both_intervals() -> None:
    clear = compared(*cells(0.5, 0.01))
    assert clear.resolved
    assert clear.mean == pytest.approx(0.5, abs=0.02)
    assert clear.over_seeds is not None
    assert clear.over_seeds[0] < clear.mean < clear.over_seeds[1]
    assert clear.over_text[0] < clear.mean < clear.over_text[1]
    assert not compared(*cells(0.005, 0.05)).resolved, "seeds differ more"
    first, second = cells(0.5, 0.01)
    one_block = second.blocks + np.where(np.arange(64) == 0, 40.0, 0)[None] - 0.9
    by_text = compared(first, Cell(second.bpb, one_block))
    assert not by_text.resolved
    assert not by_text.text_suffices
    alone = compared(*(Cell(cell.bpb[:1], cell.blocks[:1]) for cell in (first, second)))
    assert (alone.over_seeds, alone.seeds, alone.resolved) == (None, None, False)
    assert alone.text_suffices


def test_seeds_that_would_do() -> None:
    """Variances 1 and 1, difference 1: with n each t's half width is t sqrt(2 / n), below 1 from n = 9 on."""
    a, b = np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1.0, 2.0])
    assert seeds_needed(a, b, 0.05) == 9
    assert seeds_needed(a, b, 0.005) == 19, "more comparisons need more"
    assert seeds_needed(a, a + 1e-6, 0.05) is None
    same = np.array([1.0, 1.0])
    assert seeds_needed(same, same + 1, 0.05) == 2


def test_more_comparisons_are_judged_more_strictly() -> None:
    first, second = cells(0.1, 0.05)
    alone = compared(first, second)
    others = {f"other {i}": Cell(first.bpb, first.blocks) for i in range(5)}
    among = compare_all({"first": first, "second": second, **others}, n_bytes=64)
    assert among["first", "second"].p > alone.p
    assert len(among) == 21
