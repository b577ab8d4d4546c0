"""Differences over documents: by hand, against loops, and how often they reject what is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import ttest_1samp
from simulated import document_chance

from tokexp.analysis.chance.documents import OverDocuments, drawn_documents, over_documents
from tokexp.analysis.chance.statistics import LEVEL


def document_error(nats: np.ndarray, n_bytes: np.ndarray) -> tuple[float, float]:
    """Of one difference, (documents,): its standard error and degrees of freedom."""
    _, chance = document_chance(nats, n_bytes)
    return chance.error, chance.freedom


def document_interval(nats: np.ndarray, n_bytes: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    mean, chance = document_chance(nats, n_bytes)
    return chance.interval(mean, level)


def document_p(nats: np.ndarray, n_bytes: np.ndarray) -> float:
    mean, chance = document_chance(nats, n_bytes)
    return chance.p(mean)


def intervals(over: OverDocuments) -> np.ndarray:
    return np.array([chance.interval(mean) for mean, chance in zip(over.mean, over.chances, strict=True)])


def p_values(over: OverDocuments) -> np.ndarray:
    return np.array([chance.p(mean) for mean, chance in zip(over.mean, over.chances, strict=True)])


def corpus(documents: int, pairs: int, seed: int = 0, spread: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """(pairs, documents) differences, of documents that are alike inside, and (documents,) bytes."""
    rng = np.random.default_rng(seed)
    n_bytes = np.exp(rng.normal(7.7, spread, documents)).round() + 1
    return n_bytes * rng.normal(0.02, 0.1, (pairs, documents)), n_bytes


def test_by_hand() -> None:
    """Bytes 1, 1, 2 and nats 1, 2, 1: R = 1, and without the first 1, the second 2/3, the third 3/2."""
    n_bytes, nats = np.array([1, 1, 2]), np.array([1, 2, 1])
    left_out = np.array([3 / 3, 2 / 3, 3 / 2])
    error = math.sqrt(2 / 3 * ((left_out - left_out.mean()) ** 2).sum())
    over = over_documents(nats[None], n_bytes)
    assert over.mean[0] == pytest.approx(1 / math.log(2))
    assert over.error[0] == pytest.approx(error / math.log(2))
    assert error == pytest.approx(math.sqrt(19) / 9)


def test_documents_of_one_length_are_students_t() -> None:
    """But for the degrees of freedom, which the draws find: many, where differences are normal."""
    nats = np.random.default_rng(1).normal(0.2, 1, 400)
    n_bytes = np.full(400, 7)
    error, freedom = document_error(nats, n_bytes)
    assert error == pytest.approx(nats.std(ddof=1) / math.sqrt(400) / 7 / math.log(2))
    assert 50 < freedom <= 399
    assert document_p(nats, n_bytes) == pytest.approx(ttest_1samp(nats, 0).pvalue, rel=0.3)


def test_few_documents_of_one_length_are_students_t() -> None:
    """Of ten, where 10 for 9 would show."""
    nats = np.arange(10.0) ** 2
    error, freedom = document_error(nats, np.full(10, 3))
    assert error == pytest.approx(nats.std(ddof=1) / math.sqrt(10) / 3 / math.log(2), rel=1e-9)
    assert 1 <= freedom <= 9


def test_there_are_never_more_degrees_of_freedom_than_students() -> None:
    """Many draws of normal differences have a smaller critical value by chance."""
    freedom = over_documents(np.random.default_rng(0).normal(size=(50, 60)), np.full(60, 9)).freedom
    assert freedom.max() == pytest.approx(59)
    assert np.median(freedom) > 40


def test_corpora_drawn_of_one_document_tell_nothing() -> None:
    """Of three, which a ninth of the draws are: as cautious as can be."""
    assert document_error(np.array([1.0, 2.0, 4.0]), np.ones(3))[1] == pytest.approx(1)


def slow(nats: np.ndarray, n_bytes: np.ndarray) -> tuple[float, float, float]:
    """Bits per byte, error and t's critical value at the degrees of freedom, document by document and draw by draw."""
    count, total = len(nats), n_bytes.sum()
    left_out = [(nats.sum() - n) / (total - b) for n, b in zip(nats, n_bytes, strict=True)]
    error = math.sqrt((count - 1) * np.var(left_out))
    ratio = nats.sum() / total
    sizes = []
    for counts in drawn_documents(count):
        n, b = np.repeat(nats, counts), np.repeat(n_bytes, counts)
        drawn = n.sum() / b.sum()
        spread = ((n - drawn * b) ** 2).sum() * count / (count - 1)
        sizes.append(abs(drawn - ratio) * b.sum() / math.sqrt(spread))
    critical = np.clip(np.quantile(sizes, 0.95), stdtrit(count - 1, 0.975), stdtrit(1, 0.975))
    return ratio / math.log(2), error / math.log(2), float(critical)


@pytest.mark.parametrize("documents", [30, 70])
def test_many_at_once_are_one_by_one(documents: int) -> None:
    nats, n_bytes = corpus(documents, 3)
    over = over_documents(nats, n_bytes)
    for i, one in enumerate(nats):
        mean, error, critical = slow(one, n_bytes)
        assert over.mean[i] == pytest.approx(mean)
        assert over.error[i] == pytest.approx(error)
        assert stdtrit(over.freedom[i], 0.975) == pytest.approx(critical, rel=2e-3)
        assert document_interval(one, n_bytes) == pytest.approx(intervals(over)[i], rel=1e-3)
        assert document_p(one, n_bytes) == pytest.approx(p_values(over)[i], rel=1e-2)


def test_long_documents_weigh_more() -> None:
    """One of half the bytes has half the say, and leaves few degrees of freedom."""
    nats, n_bytes = np.full(40, 1.0), np.full(40, 1.0)
    nats[:20] = 1.2
    even = document_error(nats, n_bytes)
    nats[0], n_bytes[0] = 60.0, 39.0
    assert over_documents(nats[None], n_bytes).mean[0] == pytest.approx(nats.sum() / 78 / math.log(2))
    error, freedom = document_error(nats, n_bytes)
    assert error > 4 * even[0]
    assert freedom < even[1] / 3


def test_the_order_of_documents_is_nothing_but_the_draws() -> None:
    nats, n_bytes = corpus(180, 1)
    shuffled = np.random.default_rng(0).permutation(180)
    over, again = over_documents(nats, n_bytes), over_documents(nats[:, shuffled], n_bytes[shuffled])
    assert again.mean == pytest.approx(over.mean)
    assert again.error == pytest.approx(over.error)
    assert stdtrit(again.freedom, 0.975) == pytest.approx(stdtrit(over.freedom, 0.975), rel=0.03)


def test_the_draws_are_the_same_each_time() -> None:
    nats, n_bytes = corpus(60, 2)
    once = intervals(over_documents(nats, n_bytes)).tolist()
    drawn_documents.cache_clear()
    assert intervals(over_documents(nats, n_bytes)).tolist() == once


def test_the_other_way_round_is_the_same_the_other_way_round() -> None:
    nats, n_bytes = corpus(60, 1)
    low, high = document_interval(nats[0], n_bytes)
    assert document_interval(-nats[0], n_bytes) == pytest.approx((-high, -low))
    assert document_p(-nats[0], n_bytes) == document_p(nats[0], n_bytes)


def test_what_all_tokenizers_share_is_no_error() -> None:
    """Arms that go up and down together from one document to the next: paired, what they share cancels."""
    nats, n_bytes = corpus(60, 1)
    shared = n_bytes * np.random.default_rng(5).normal(1.5, 1, 60)
    error, freedom = document_error((shared + nats[0]) - shared, n_bytes)
    assert (error, freedom) == pytest.approx(document_error(nats[0], n_bytes), rel=1e-3)
    assert document_error(shared, n_bytes)[0] > 5 * error


def test_interval_and_p_agree() -> None:
    nats, n_bytes = corpus(45, 300)
    over = over_documents(nats, n_bytes)
    low, high = intervals(over).T
    excluded = (low > 0) | (high < 0)
    assert 20 < excluded.sum() < 280
    assert ((p_values(over) < 0.05) == excluded).all()
    p = p_values(over)[0]
    assert min(abs(np.array(document_interval(nats[0], n_bytes, level=p)))) < 1e-9


def test_p_values_are_fine_enough_for_many_comparisons() -> None:
    nats, n_bytes = corpus(180, 1, spread=0.3)
    assert 0 < document_p(nats[0] + 0.05 * n_bytes, n_bytes) < 0.05 / 1225


def test_no_difference_is_p_1_and_a_constant_one_is_p_0() -> None:
    n_bytes = corpus(50, 1)[1]
    over = over_documents(np.stack([0 * n_bytes, 0.1 * n_bytes, -0.3 * n_bytes]), n_bytes)
    assert p_values(over).tolist() == [1.0, 0.0, 0.0]
    assert over.mean * math.log(2) == pytest.approx([0, 0.1, -0.3])
    assert intervals(over)[:, 0].tolist() == intervals(over)[:, 1].tolist() == over.mean.tolist()
    assert document_error(0.1 * n_bytes, n_bytes) == (0.0, math.inf)
    mixed = over_documents(np.stack([0 * n_bytes, corpus(50, 1)[0][0]]), n_bytes)
    assert p_values(mixed)[0] == 1.0
    assert 0 < p_values(mixed)[1] < 1


def test_two_documents() -> None:
    """(1, 3) per byte: mean 2, error 1, one degree of freedom, at which p = 2/pi * atan(1/2)."""
    n_bytes = np.array([5, 5])
    nats = n_bytes * np.array([1.0, 3.0]) * math.log(2)
    assert document_error(nats, n_bytes) == pytest.approx((1, 1))
    assert document_interval(nats, n_bytes) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-3)
    assert document_p(nats, n_bytes) == pytest.approx(2 / math.pi * math.atan(0.5))


@pytest.mark.parametrize(
    ("nats", "n_bytes"),
    [([[1.0]], [1]), ([[1.0, 2.0]], [1, 2, 3]), ([[1.0, 0.0]], [1, 0]), ([[1.0, 1, 1]], [2, 2, -1])],
)
def test_what_is_no_sample_is_refused(nats: list[float], n_bytes: list[int]) -> None:
    with pytest.raises(ValueError, match="two documents or more"):
        over_documents(np.array([nats]), np.array(n_bytes))


def differences(
    rng: np.random.Generator, n_bytes: np.ndarray, effect: str, alike: float, shift: float = 0.0, rounds: int = 40
) -> np.ndarray:
    """(rounds, documents) of a true mean of `shift` a token of four bytes.

    A token's difference has variance 1, of which its document has the share `alike`, in common to its tokens.
    """
    shape = rounds, len(n_bytes)
    of_document = {
        "normal": lambda: rng.normal(size=shape),
        "t": lambda: rng.standard_t(4, shape) / math.sqrt(2),
        "skewed": lambda: rng.exponential(size=shape) - 1,
        "short": lambda: rng.normal(size=shape) * (n_bytes / 2000) ** -0.5,  # largest in short documents
    }[effect]()
    tokens = n_bytes / 4
    return tokens * (shift + math.sqrt(alike) * of_document) + np.sqrt((1 - alike) * tokens) * rng.normal(size=shape)


def rejected(documents: int, spread: float, effect: str, alike: float = 0.02, shift: float = 0.0) -> float:
    """Share of 4,000 differences, 40 in each of 100 corpora, that p below 0.05 calls real.

    Documents' lengths are lognormal: by a spread of 1.2 like those of the files of Linux's sources.
    """
    rng = np.random.default_rng(documents)
    p = []
    for _ in range(100):
        n_bytes = np.exp(rng.normal(7.7, spread, documents)) + 50
        p.append(p_values(over_documents(differences(rng, n_bytes, effect, alike, shift), n_bytes)))
    return float((np.concatenate(p) < 0.05).mean())


@pytest.mark.slow
@pytest.mark.parametrize("documents", [30, 60, 180, 600])
def test_it_rejects_what_is_true_in_one_of_twenty(documents: int) -> None:
    """Between 4 and 6 % for documents of one length, and where they are unequal no more, but down to 3 %."""
    assert 0.04 < rejected(documents, 0.0, "normal") < 0.06
    assert 0.04 < rejected(documents, 1.2, "short") < 0.06
    assert 0.03 < rejected(documents, 1.2, "normal") < 0.06
    assert 0.03 < rejected(documents, 1.2, "t", alike=1.0) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("documents", [5, 8, 9, 15])
@pytest.mark.parametrize("spread", [0.1, 1.2])
def test_of_few_documents_it_rejects_no_more(documents: int, spread: float) -> None:
    """Of plays that are about as long as each other, and of files that are not; with t at one less it would be 10 %."""
    for effect, alike in (("normal", 0.02), ("t", 1.0), ("short", 0.02)):
        assert 0.01 < rejected(documents, spread, effect, alike) < 0.065
    assert 0.04 < rejected(documents, spread, "skewed") < 0.095


@pytest.mark.slow
@pytest.mark.parametrize(("documents", "most"), [(30, 0.09), (60, 0.08), (180, 0.07), (600, 0.065)])
def test_skewed_differences_of_unequal_documents_are_its_limit(documents: int, most: float) -> None:
    assert 0.05 < rejected(documents, 1.2, "skewed") < most


@pytest.mark.slow
def test_power() -> None:
    """Of differences a third as large as documents' standard deviation, and two thirds."""
    assert rejected(180, 1.2, "normal", shift=0.05) > 0.6
    assert rejected(60, 1.2, "normal", shift=0.1) > 0.68
