"""Chance, intervals and corrections: against cases worked by hand, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from tokexp.analysis.chance.statistics import (
    Blocks,
    Chance,
    Unknown,
    holm,
    holm_level,
    resampled_texts,
    text_interval,
)


def test_variances_of_independent_sources_add_up() -> None:
    """1/3 with 2 degrees of freedom and 4/3 with 2: 5/3 with (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 2.941."""
    both = Chance.together(Chance(1 / 3, 2), Chance(4 / 3, 2))
    assert (both.variance, both.freedom) == (pytest.approx(5 / 3), pytest.approx(2.941, abs=1e-3))
    assert both.error == pytest.approx(math.sqrt(5 / 3))
    half = 3.2188 * both.error
    assert both.interval(3.0) == (pytest.approx(3 - half, abs=1e-3), pytest.approx(3 + half, abs=1e-3))


def test_a_source_alone_is_what_it_is_and_a_small_one_adds_little() -> None:
    assert Chance.together(Chance(2.0, 5)) == Chance(2.0, 5)
    assert Chance.together(Chance(2.0, 5), Chance(0.0, 3)) == Chance(2.0, 5)
    assert Chance.together(Chance(2.0, 5), Chance(2.0, 5)).freedom == pytest.approx(10)
    assert Chance.together(Chance(2.0, 5), Chance(1e-6, 1)).freedom == pytest.approx(5, rel=1e-5)
    assert Chance.together(Chance(2.0, math.inf), Chance(1.0, 2)).freedom == pytest.approx(18)
    assert Chance.together(Chance(0.0, 2), Chance(0.0, 9)) == Chance.together() == Chance(0.0, math.inf)


def test_t_is_students_and_welchs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.4, 1, 5), rng.normal(0, 2, 4)
    one, other = (Chance(x.var(ddof=1) / len(x), len(x) - 1) for x in (a, b))
    assert one.p(a.mean()) == pytest.approx(ttest_1samp(a, 0).pvalue)
    assert Chance.together(one, other).p(a.mean() - b.mean()) == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)


def test_a_p_value_is_the_level_at_which_the_interval_touches_zero() -> None:
    chance = Chance(0.25, 3.7)
    low, _ = chance.interval(0.8, level=chance.p(0.8))
    assert abs(low) < 1e-9
    assert chance.p(-0.8) == chance.p(0.8)


def test_without_chance_any_difference_is_one() -> None:
    assert (Chance(0.0, 2).p(0.0), Chance(0.0, 2).p(1e-9)) == (1.0, 0.0)
    assert Chance(0.0, 2).interval(0.5) == (0.5, 0.5)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_level_of_intervals_by_hand() -> None:
    """0.01 is under 0.05 / 3, 0.03 not under 0.05 / 2: two are left."""
    assert holm_level([0.01, 0.03, 0.9]) == pytest.approx(0.025)
    assert holm_level([0.3, 0.2]) == pytest.approx(0.025)
    assert holm_level([0.001, 0.002]) == holm_level([]) == 0.05, "where all are rejected the last is, at 5 %"


def test_holm_rejects_just_what_is_below_that_level() -> None:
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(500):
        p = (rng.uniform(0, 1, rng.integers(1, 12)) ** rng.choice([1, 3, 8])).tolist()
        below = [one < holm_level(p) for one in p]
        assert below == [one < 0.05 for one in holm(p)], p
        rejected += sum(below)
    assert rejected > 500


def over_text(first: np.ndarray, second: np.ndarray) -> Chance:
    """Of a byte a block."""
    (chance,) = Blocks(64).chances({"first": first, "second": second}, [("first", "second")])
    assert chance is not None
    return chance


def test_the_text_by_hand() -> None:
    """Eight stretches that differ by 1 to 8 bits in each of their bytes: s^2 = 6, over eight 0.75."""
    more = np.repeat(np.arange(1, 9), 8) * math.log(2)
    chance = over_text(np.full(64, 5.0), 5.0 + more)
    assert (chance.variance, chance.freedom) == (pytest.approx(0.75), 7)
    assert chance.p(4.5) == pytest.approx(0.00126, abs=1e-5)


def test_over_the_text_a_difference_is_paired() -> None:
    """What two runs have in common, such as a hard scene, is no chance of their difference."""
    hard = np.where(np.arange(64) < 16, 300.0, 100.0)
    assert over_text(hard, hard + 7.0).variance == pytest.approx(0, abs=1e-20)
    alone, paired = text_interval(hard, 6400), text_interval((hard + 7.0) - hard, 6400)
    assert alone.low < hard.sum() / (math.log(2) * 6400) < alone.high
    assert paired == pytest.approx([7 * 64 / (math.log(2) * 6400)] * 2)


def test_only_documents_tell_of_other_texts() -> None:
    assert not Blocks.such_texts
    assert not Unknown.such_texts
    assert Unknown().chances({}, [("a", "b")]) == [None]


def scenes(rng: np.random.Generator, alike: float) -> np.ndarray:
    """(64,) with standard deviation 1, neighbours correlated by `alike`."""
    values = rng.normal(0, 1, 64)
    for i in range(1, 64):
        values[i] = alike * values[i - 1] + math.sqrt(1 - alike**2) * values[i]
    return values


@pytest.mark.parametrize(("alike", "interval", "test"), [(0.0, 0.95, 0.95), (0.6, 0.91, 0.92)])
def test_the_text_covers_nearly_as_often_with_neighbours_alike(alike: float, interval: float, test: float) -> None:
    """By blocks taken for independent it would be 0.66 at 0.6. The bootstrap and t are of one mind mostly."""
    rng = np.random.default_rng(0)
    rounds = 600
    covered = kept = agreed = 0
    for _ in range(rounds):
        first = rng.normal(100, 10, 64)
        more = scenes(rng, alike)
        inside = text_interval(more, 64).has_zero
        accepted = over_text(first, first + more).p(more.mean() / math.log(2)) >= 0.05
        covered += inside
        kept += accepted
        agreed += inside == accepted
    error = 3 * math.sqrt(0.95 * 0.05 / rounds)
    assert abs(covered / rounds - interval) < error
    assert abs(kept / rounds - test) < error
    assert agreed / rounds > 0.93


def test_a_stretch_may_begin_at_any_block() -> None:
    """Each of the texts that are drawn has 64 blocks, adjacent by eights, and each block is drawn as often."""
    drawn = resampled_texts()
    assert drawn.shape == (10_000, 64)
    assert drawn.sum(axis=1) == pytest.approx(np.ones(10_000))
    assert drawn.mean(axis=0) == pytest.approx(np.full(64, 1 / 64), rel=0.05)
    first = set(np.flatnonzero(drawn[0]))
    assert all({(i - 1) % 64, (i + 1) % 64} & first for i in first)
