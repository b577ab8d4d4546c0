"""The variance over seeds: pooled where the cells of a size are alike, else of the pair's own two."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tokexp.analysis.chance.seeds import UNEQUAL, Seeds, bartlett
from tokexp.analysis.chance.statistics import Chance

# Variances 1 and 4 of three seeds each, 2 of two, and one that has none.
BPB = {"a": np.array([-1.0, 0, 1]), "b": np.array([3.0, 5, 7]), "c": np.array([1.0, 3]), "d": np.array([2.0])}


def test_bartletts_test_is_scipys() -> None:
    rng = np.random.default_rng(0)
    samples = [rng.normal(0, sd, n) for sd, n in ((1, 3), (2, 5), (3, 2), (0.5, 4))]
    mine = bartlett([len(x) for x in samples], [x.var(ddof=1) for x in samples])
    assert mine == pytest.approx(stats.bartlett(*samples).pvalue)


def test_where_there_is_no_variance_to_compare() -> None:
    assert bartlett([], []) == bartlett([3], [2.0]) == bartlett([3, 3], [0.0, 0.0]) == 1.0
    assert bartlett([3, 3], [0.0, 1.0]) == 0.0


def test_bartletts_test_keeps_its_level_with_two_seeds_and_with_three() -> None:
    """As Levene's does not, which rejects 21 % here at 5 %."""
    rng = np.random.default_rng(0)
    for seeds, of_eight in ((2, 0.211), (3, 0.245)):
        rejected = [bartlett([seeds] * 8, x.var(axis=1, ddof=1)) < UNEQUAL for x in rng.normal(size=(2000, 8, seeds))]
        assert np.mean(rejected) == pytest.approx(of_eight, abs=0.03)


def test_a_pooled_variance_by_hand() -> None:
    """(2 * 1 + 2 * 4 + 1 * 2) / 5 = 2.4 with 5 degrees of freedom; it serves a single seed, too."""
    seeds = Seeds.of(BPB)
    assert seeds.equal
    assert seeds.chance(["a", "b"]) == Chance(pytest.approx(2.4 * 2 / 3), 5)
    assert seeds.chance(["a", "d"]) == Chance(pytest.approx(2.4 * 4 / 3), 5)
    assert seeds.chance(["c"]) == Chance(pytest.approx(1.2), 5)


def test_with_more_seeds_each() -> None:
    """Of four that have ten seeds each, one variance would have 36 degrees of freedom."""
    seeds = Seeds.of(BPB)
    assert seeds.chance(["a", "b"], 10) == Chance(pytest.approx(2.4 * 2 / 10), 36)
    assert seeds.chance(["a", "b"], math.inf) == Chance(0.0, math.inf)


def test_unequal_variances_are_each_pairs_own() -> None:
    """Welch's: with another that is a hundred times as large."""
    seeds = Seeds.of({**BPB, "far": np.array([-10.0, 0, 10, 90])})
    assert not seeds.equal
    welch = Chance.together(Chance(1 / 3, 2), Chance(4 / 3, 2))
    assert seeds.chance(["a", "b"]) == welch
    more = Chance.together(Chance(1 / 7, 6), Chance(4 / 7, 6))
    assert seeds.chance(["a", "b"], 7) == more
    assert seeds.chance(["a", "d"]) is None, "nobody can say of a single seed which variance it has"


def test_single_seeds_tell_nothing() -> None:
    alone = Seeds.of({"a": np.array([1.0]), "b": np.array([2.0])})
    assert alone.chance(["a", "b"]) is None
