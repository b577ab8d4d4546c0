"""Verdicts: by hand, in agreement with their intervals, and as often wrong as they say."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import t as student
from simulated import LEVELS, UNEQUAL, World, both_must_reject, document_chance, one_test, rates

from tokexp.analysis.chance.documents import Documents
from tokexp.analysis.chance.statistics import Blocks, Chance, Unknown, holm
from tokexp.analysis.chance.verdicts import Difference, Reason, SeedScores, compare_all

PASSAGES = np.repeat(np.arange(8) - 3.5, 8) / 100  # of eight stretches; variance 6e-4
OF_TEXT = 6e-4 / 8


def scores(seeds: Sequence[float], passages: np.ndarray | float = 0.0, size: str | None = "") -> SeedScores:
    """Of a byte a block."""
    bpb = np.array(seeds)
    return SeedScores(bpb, (bpb[:, None] + np.zeros(64) + passages) * math.log(2), size)


def compared(first: SeedScores, second: SeedScores, *others: SeedScores, text: object = Blocks(64)) -> Difference:
    cells = {"first": first, "second": second, **{f"other {i}": other for i, other in enumerate(others)}}
    return compare_all(cells, text, [("first", "second")])["first", "second"]  # type: ignore[arg-type]


def test_both_sources_of_chance_by_hand() -> None:
    """Seeds of variance 1e-4, three each: 2/3 e-4 with 4 degrees of freedom; stretches: 3/4 e-4 with 7."""
    found = compared(scores([1.99, 2.0, 2.01]), scores([2.04, 2.05, 2.06], PASSAGES))
    seeds, variance = 2e-4 / 3, 2e-4 / 3 + OF_TEXT
    freedom = variance**2 / (seeds**2 / 4 + OF_TEXT**2 / 7)
    assert found.mean == pytest.approx(0.05)
    assert found.over_seeds == Chance(pytest.approx(seeds), pytest.approx(4))
    assert found.over_text == Chance(pytest.approx(OF_TEXT), 7)
    assert found.seeds_share == pytest.approx(seeds / variance)
    assert found.p == pytest.approx(2 * student.sf(0.05 / math.sqrt(variance), freedom))
    half = student.ppf(0.975, freedom) * math.sqrt(variance)
    assert found.interval == pytest.approx((0.05 - half, 0.05 + half))
    assert found.verdict.reason is Reason.ON_THIS_TEXT


def test_either_source_alone_can_keep_a_difference_from_being_resolved() -> None:
    wide = (1.9, 2.0, 2.1)
    assert compared(scores([1.99, 2.0, 2.01]), scores([2.04, 2.05, 2.06])).resolved
    assert not compared(scores(wide), scores(np.array(wide) + 0.05)).resolved
    assert not compared(scores([1.99, 2.0, 2.01]), scores([2.04, 2.05, 2.06], 3 * PASSAGES)).resolved


def test_other_cells_of_the_size_tell_of_the_variance_and_those_of_another_do_not() -> None:
    pair = scores([2.0, 2.01]), scores([2.03, 2.04])
    quiet = [scores([2.0, 2.009, 2.0]) for _ in range(4)]
    alone, among = compared(*pair), compared(*pair, *quiet)
    assert alone.over_seeds is not None
    assert among.over_seeds is not None
    assert (alone.over_seeds.freedom, among.over_seeds.freedom) == (pytest.approx(2), pytest.approx(10))
    assert among.p < alone.p
    elsewhere = compared(*pair, *(dataclasses.replace(one, size="micro") for one in quiet))
    assert elsewhere == alone


def test_pairs_of_two_sizes_have_a_variance_each() -> None:
    small, large = scores([2.0, 2.01, 2.02]), scores([2.3, 2.35, 2.4], size="micro")
    over_seeds = compared(small, large).over_seeds
    assert over_seeds is not None
    assert over_seeds.variance == pytest.approx(1e-4 / 3 + 25e-4 / 3)


def test_a_baseline_is_the_same_for_any_seed() -> None:
    """The t of one sample."""
    found = compared(scores([1.99, 2.0, 2.01]), scores([2.05], size=None))
    assert found.over_seeds == Chance(pytest.approx(1e-4 / 3), pytest.approx(2))
    assert found.resolved
    assert compared(scores([2.0], size=None), scores([2.05], size=None)).resolved


def test_one_seed_is_an_anecdote_but_others_can_tell_its_variance() -> None:
    alone = compared(scores([2.0]), scores([3.0]))
    assert (alone.verdict.reason, alone.interval, alone.p) == (Reason.ONE_SEED, None, 1.0)
    assert (alone.over_seeds, alone.seeds_share) == (None, 0.0)
    among = compared(scores([2.0]), scores([3.0]), scores([2.0, 2.01, 2.02]))
    assert among.over_seeds == Chance(pytest.approx(2e-4), pytest.approx(2))
    assert among.resolved


def test_documents_speak_of_such_texts_and_a_text_that_is_not_known_of_itself() -> None:
    rng = np.random.default_rng(0)
    n_bytes, own = np.full(20, 50.0), rng.normal(0, 0.02, 20)
    nats = [
        (np.array(seeds)[:, None] + more) * n_bytes * math.log(2)
        for seeds, more in (([2, 2.01], 0), ([2.5, 2.51], own))
    ]
    first, second = (SeedScores(each.sum(axis=1) / 1000 / math.log(2), each) for each in nats)
    found = compared(first, second, text=Documents(n_bytes))
    _, chance = document_chance(nats[1].mean(axis=0) - nats[0].mean(axis=0), n_bytes)
    assert found.over_text == Chance(pytest.approx(chance.variance), pytest.approx(chance.freedom))
    assert found.verdict.reason is Reason.RESOLVED
    unknown = compared(first, second, text=Unknown())
    assert (unknown.over_text, unknown.verdict.reason, unknown.seeds_share) == (None, Reason.ON_THIS_TEXT, 1.0)
    assert unknown.interval is not None


def test_seeds_that_would_do() -> None:
    """Variances 1 and 1, difference 1: with n each t's half width is t sqrt(2 / n), below 1 from n = 9 on."""
    found = compared(scores([-1.0, 0, 1]), scores([0.0, 1, 2]))
    assert (found.verdict.reason, found.verdict.seeds) == (Reason.SEEDS, 9)
    close = compared(scores([-1.0, 0, 1]), scores([-0.95, 0.05, 1.05]))
    assert (close.verdict.reason, close.verdict.seeds) == (Reason.TOO_MANY_SEEDS, None)


def test_seeds_that_would_do_beside_a_text() -> None:
    """And just so many: one fewer would not."""
    first, second = [1.95, 2.0, 2.05], [1.99, 2.04, 2.09]
    found = compared(scores(first), scores(second, PASSAGES))
    needed = found.verdict.seeds
    assert needed is not None

    def p(n: int) -> float:
        return Chance.together(Chance(2 * 0.0025 / n, 2 * (n - 1)), Chance(OF_TEXT, 7)).p(0.04)

    assert p(needed) < 0.05 <= p(needed - 1)


def test_where_no_seeds_would_do_only_text_would() -> None:
    found = compared(scores([2.0, 2.001]), scores([2.01, 2.011], PASSAGES))
    assert (found.verdict.reason, found.verdict.seeds) == (Reason.TEXT, None)


def test_more_comparisons_need_more_text() -> None:
    """t over the text is 2.9: enough for a pair alone, if it had more seeds, and for none of six."""
    first, second = scores([1.99, 2.0, 2.01]), scores(2.9 * math.sqrt(OF_TEXT) + np.array([1.99, 2.0, 2.01]), PASSAGES)
    assert compared(first, second).verdict.reason is Reason.SEEDS
    found = compare_all({"first": first, "second": second, "like first": first, "like second": second}, Blocks(64))
    assert found["first", "second"].verdict.reason is Reason.TEXT


def test_more_comparisons_are_judged_more_strictly() -> None:
    """And what would settle them is, too."""
    first, second = scores([-1.0, 0, 1]), scores([0.0, 1, 2])
    alone, among = (
        compared(first, second),
        {"first": first, "second": second, "like first": first, "like second": second},
    )
    found = compare_all(among, Blocks(64))
    assert len(found) == 6
    pair = found["first", "second"]
    assert alone.verdict.seeds is not None
    assert pair.verdict.seeds is not None
    assert pair.verdict.seeds > alone.verdict.seeds
    assert pair.p > 2 * alone.p / 6


def test_interval_and_verdict_never_contradict_each_other() -> None:
    """In studies of which some pairs are resolved, some not, and some only if it were not for the others."""
    rng = np.random.default_rng(0)
    resolved = corrected_away = 0
    for _ in range(30):
        cells, text = World(gap=0.05).draw(rng)
        found = compare_all(cells, text)
        raw = one_test(cells, text, list(found))
        assert [one.p for one in found.values()] == holm(raw)
        for one, p in zip(found.values(), raw, strict=True):
            assert one.interval is not None
            assert one.resolved == (one.p < 0.05) == (not one.interval.has_zero)
            resolved += one.resolved
            corrected_away += p < 0.05 <= one.p
    assert 30 < resolved < 30 * 16
    assert corrected_away > 30


def test_the_rate_of_false_claims() -> None:
    """Of three seeds, five arms and ten pairs."""
    found = rates(World(spreads=(0.01,) * 5), 400)
    assert 0.025 < found.alone < 0.075
    assert found.family < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("what", LEVELS)
def test_levels(what: str) -> None:
    """Of a pair 5 +- 1 %, over documents also less, and chance of 1,000 studies."""
    found = rates(LEVELS[what], 5000 if what == "2 arms" else 1000)
    low, high = (0.025 if "documents" in what else 0.035), 0.065
    if what.startswith("neighbouring"):
        low, high = 0.06, 0.11
    assert low < found.alone < high
    assert found.worst < (0.14 if "unequal" in what else 0.13 if "neighbouring" in what else 0.08)
    assert found.family < (0.14 if "neighbouring" in what else 0.10)


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.05, 0.1])
def test_one_test_finds_more_than_two_that_must_both_reject(gap: float) -> None:
    world = World(gap=gap, text_error=0.01)
    now, before = (rates(world, 200, procedure).found for procedure in (one_test, both_must_reject))
    assert now > before + 0.1


@pytest.mark.slow
def test_pooling_what_is_unequal_would_be_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Bartlett's test the noisiest pair would be called resolved far more often."""
    world = World(seeds=5, spreads=tuple(UNEQUAL), text_error=0.002)
    tested = rates(world, 1000).worst
    monkeypatch.setattr("tokexp.analysis.chance.seeds.UNEQUAL", -1.0)
    assert rates(world, 1000).worst > tested + 0.04
