"""Correlations and power laws, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import compared, run, study

from tokexp.analysis.correlation import correlations, power_law, ranks, spearman, spearman_interval


def test_rank_correlation_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0])
    assert spearman(x, y) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert ranks(np.array([5.0, 5.0, 1.0])).tolist() == [1.5, 1.5, 0]
    assert np.isnan(spearman(x, np.ones(4)))
    low, high = spearman_interval(np.arange(20.0), np.arange(20.0) + np.tile([0, 3], 10))
    assert 0.5 < low < high <= 1


def test_power_law_by_hand() -> None:
    x = np.array([1.0, 10.0, 100.0])
    law = power_law(x, 5 * x**-0.25)
    assert law is not None
    assert (law.factor, law.exponent, law.error) == pytest.approx((5, -0.25, 0), abs=1e-9)
    assert law.at(np.array([16.0])) == pytest.approx(2.5)
    noisy = power_law(x, 5 * x**-0.25 * np.array([1.1, 1 / 1.1, 1.1]))
    assert noisy is not None
    assert noisy.error > 0.02
    assert power_law(np.array([1.0, 1.0, 2.0]), np.ones(3)) is None


def test_what_predicts_is_asked_of_cells_enough_of_one_size() -> None:
    """Bytes per token go with fewer bits per byte; what is the same for all cells predicts nothing."""
    runs = [run("bpe", 0, [3 - i / 10], {"tokenizer.v": i}, bytes_per_token=1 + i) for i in range(4)]
    (row,) = correlations(compared(study(runs)))
    assert (row.size, row.predictor, row.cells) == ("nano", "bytes per token", 4)
    assert row.value == pytest.approx(-1)
    assert row.interval.low == pytest.approx(-1)
    assert correlations(compared(study(runs[:3]))) == []


def test_renyi_efficiency_is_asked_of_cells_with_one_vocabulary() -> None:
    """Across vocabularies it says nothing; and bytes per token is asked of all of them, once."""
    runs = [
        run("bpe", 0, [3 - i / 10], {"tokenizer.v": i}, bytes_per_token=1 + i, renyi_efficiency=0.5 + i / 100,
            vocab_size=1024 if i < 4 else 4096)
        for i in range(6)
    ]  # fmt: skip
    rows = correlations(compared(study(runs)))
    assert [(row.predictor, row.cells) for row in rows] == [
        ("bytes per token", 6), ("Rényi efficiency, of 1,024 tokens", 4),
    ]  # fmt: skip
    assert rows[1].value == pytest.approx(-1)
    assert len(correlations(compared(study(runs[1:])))) == 1
