"""The best size of vocabulary: of a parabola its vertex, with intervals that hold it as often as they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import compared, vocabularies

from tokexp.analysis import vocabulary
from tokexp.analysis.vocabulary import optima, over_seeds, over_text, vertex


def test_the_best_vocabulary_by_hand() -> None:
    """Of a parabola in log V the vertex is found whatever else was tried."""
    sizes = (256, 1024, 2048, 8192)
    bpb = {v: 2 + (np.log2(v) - 10.5) ** 2 / 100 for v in sizes}
    assert vertex(bpb) == pytest.approx(2**10.5)
    assert vertex({v: bpb[v] for v in sizes[2:]}) == 2048, "at the edge"
    made = vocabularies()
    (row,) = optima(compared(made))
    assert (row.arm, row.size, row.tried) == ("bpe", "nano", list(sizes))
    assert row.best in (1024, 2048), "which are as far from it"
    assert row.best_bpb == pytest.approx(2.0025 + 1e-4)
    assert row.vertex == pytest.approx(2**10.5, rel=1e-3)
    assert row.over_seeds is not None
    assert 1024 < row.over_seeds.low < 2**10.5 < row.over_seeds.high < 2048
    assert row.over_text == pytest.approx((2**10.5, 2**10.5), rel=1e-3), "all of the text is alike"
    few = dataclasses.replace(made, results=made.results[made.results.vocab_size > 256])
    assert optima(compared(few)) == []


def test_the_best_at_the_edge_is_no_optimum() -> None:
    made = vocabularies()
    falling = made.results.assign(bpb=3 - np.log(made.results.vocab_size) / 10)
    (row,) = optima(compared(dataclasses.replace(made, results=falling)))
    assert (row.best, row.vertex, row.over_seeds, row.over_text) == (8192, None, None, None)


def test_other_settings_that_differ_hide_the_optimum() -> None:
    made = vocabularies()
    twice = made.results.assign(seed=0)
    assert optima(compared(dataclasses.replace(made, results=twice))) == []


def test_the_interval_of_the_best_vocabulary_covers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "DRAWS", 300)
    rng, rounds, covered = np.random.default_rng(3), 100, 0
    for _ in range(rounds):
        mean = {v: 2.28 + 0.03 * np.log(v / 2400) ** 2 for v in (270, 512, 1024, 2048, 4096, 8192, 12000)}
        low, high = over_seeds({v: bpb + rng.normal(0, 0.008, 3) for v, bpb in mean.items()})
        covered += low <= 2400 <= high
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / rounds) < covered / rounds


def test_a_text_whose_halves_want_other_vocabularies_does_not_know_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half's optimum is 600, the second's 6,000: with eight stretches either may come out."""
    monkeypatch.setattr(vocabulary, "DRAWS", 300)
    best = np.repeat([600, 6000], 32)
    blocks = {v: 2 + 0.03 * np.log(v / best) ** 2 for v in (270, 512, 1024, 2048, 4096, 8192, 12000)}
    low, high = over_text(blocks)
    assert 550 < low < 1100
    assert 3300 < high < 6500
