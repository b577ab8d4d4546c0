"""Intervals and corrections: against cases worked by hand, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tokexp.analysis.statistics import (
    Blocks,
    Difference,
    SeedScores,
    compare_all,
    holm,
    holm_of_each,
    resampled_texts,
    seeds_needed,
    text_interval,
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
    welch = 0
    for _ in range(rounds):
        low, high = welch_interval(rng.normal(0.3, 1, 4), rng.normal(0, 2, 5))
        welch += low <= 0.3 <= high
    assert abs(welch / rounds - 0.95) < 3 * math.sqrt(0.95 * 0.05 / rounds)  # 0.0103


def scenes(rng: np.random.Generator, alike: float) -> np.ndarray:
    """(64,) with standard deviation 1, neighbours correlated by `alike`."""
    values = rng.normal(0, 1, 64)
    for i in range(1, 64):
        values[i] = alike * values[i - 1] + math.sqrt(1 - alike**2) * values[i]
    return values


@pytest.mark.parametrize(("alike", "interval", "test"), [(0.0, 0.95, 0.95), (0.6, 0.91, 0.92)])
def test_the_text_covers_nearly_as_often_with_neighbours_alike(alike: float, interval: float, test: float) -> None:
    """By blocks taken for independent it would be 0.66 at 0.6."""
    rng = np.random.default_rng(0)
    rounds = 600
    covered = kept = agreed = 0
    for _ in range(rounds):
        first = rng.normal(100, 10, 64)
        found = over_text(first, first + scenes(rng, alike))
        inside = found.over_text[0] <= 0 <= found.over_text[1]
        covered += inside
        kept += found.p_text >= 0.05
        agreed += inside == (found.p_text >= 0.05)
    error = 3 * math.sqrt(0.95 * 0.05 / rounds)
    assert abs(covered / rounds - interval) < error
    assert abs(kept / rounds - test) < error
    assert agreed / rounds > 0.93


def test_the_text_by_hand() -> None:
    """Eight stretches that differ by 1 to 8 bits in each of their bytes: mean 4.5, s = sqrt(6 / 8), t = 5.196."""
    more = np.repeat(np.arange(1, 9), 8) * math.log(2)
    found = over_text(np.full(64, 5.0), 5.0 + more)
    assert found.p_text == pytest.approx(0.00126, abs=1e-5)
    half = 2.365 * math.sqrt(6 / 8)
    assert found.over_text == pytest.approx((4.5 - half, 4.5 + half), abs=0.35)
    assert found.mean == 0, "the mean is that of the seeds"


def test_a_stretch_may_begin_at_any_block() -> None:
    """Each of the texts that are drawn has 64 blocks, adjacent by eights, and each block is drawn as often."""
    drawn = resampled_texts()
    assert drawn.shape == (10_000, 64)
    assert drawn.sum(axis=1) == pytest.approx(np.ones(10_000))
    assert drawn.mean(axis=0) == pytest.approx(np.full(64, 1 / 64), rel=0.05)
    first = set(np.flatnonzero(drawn[0]))
    assert all({(i - 1) % 64, (i + 1) % 64} & first for i in first)


def over_text(first: np.ndarray, second: np.ndarray) -> Difference:
    """Of a byte a block."""
    return compared(SeedScores(np.zeros(1), first[None]), SeedScores(np.zeros(1), second[None]))


def test_holm_keeps_the_rate_of_false_claims() -> None:
    """Four equal cells, six pairs: at least one "resolved" in at most 5 % of the reports."""
    rng = np.random.default_rng(1)
    rounds = 400
    wrong = 0
    for _ in range(rounds):
        cells = {name: SeedScores(rng.normal(2, 0.02, 4), rng.normal(100, 1, (4, 64))) for name in "abcd"}
        wrong += any(difference.resolved for difference in compare_all(cells, Blocks(64 * 100)).values())
    assert wrong / rounds < 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)


def cells(gap: float, spread: float, seeds: int = 4) -> tuple[SeedScores, SeedScores]:
    rng = np.random.default_rng(1)
    first, second = 2 + rng.normal(0, spread, seeds), 2 + gap + rng.normal(0, spread, seeds)
    text = rng.normal(0, 0.05, 64)
    noise = rng.normal(0, 0.002, 64)
    blocks = [(values[:, None] + text) * math.log(2) for values in (first, second)]
    return SeedScores(first, blocks[0]), SeedScores(second, blocks[1] + noise)


def compared(first: SeedScores, second: SeedScores) -> Difference:
    return compare_all({"first": first, "second": second}, Blocks(64))["first", "second"]


def test_resolved_needs_both_intervals() -> None:
    clear = compared(*cells(0.5, 0.01))
    assert clear.resolved
    assert clear.mean == pytest.approx(0.5, abs=0.02)
    assert clear.over_seeds is not None
    assert clear.over_seeds[0] < clear.mean < clear.over_seeds[1]
    assert clear.over_text[0] < clear.mean < clear.over_text[1]
    assert not compared(*cells(0.005, 0.05)).resolved, "seeds differ more"
    first, second = cells(0.5, 0.01)
    one_block = second.nats + np.where(np.arange(64) == 0, 40.0, 0)[None] - 0.9
    by_text = compared(first, SeedScores(second.bpb, one_block))
    assert not by_text.resolved
    assert not by_text.text_suffices
    alone = compared(*(SeedScores(cell.bpb[:1], cell.nats[:1]) for cell in (first, second)))
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
    others = {f"other {i}": SeedScores(first.bpb, first.nats) for i in range(5)}
    among = compare_all({"first": first, "second": second, **others}, Blocks(64))
    assert among["first", "second"].p > alone.p
    assert len(among) == 21


def test_over_the_text_a_difference_is_paired() -> None:
    """What two runs have in common, such as a hard scene, is no uncertainty of their difference."""
    hard = np.where(np.arange(64) < 16, 300.0, 100.0)
    alone, paired = text_interval(hard, 6400), text_interval((hard + 7.0) - hard, 6400)
    assert alone.low < hard.sum() / (math.log(2) * 6400) < alone.high
    assert paired == pytest.approx([7 * 64 / (math.log(2) * 6400)] * 2)
