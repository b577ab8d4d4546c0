"""Cells against counts of their own tokens, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import compared, counts_of, named, run, study

from tokexp.analysis.texts.counts import own_counts
from tokexp.runs.study import Study


def three_arms(*counts: list[dict]) -> Study:
    runs = [run(arm, seed, bpb=[bpb + seed / 100]) for arm, bpb in (("char", 2.0), ("bpe", 2.5)) for seed in range(3)]
    return study([*runs, run("word", bpb=[3.0])], counts=[row for rows in counts for row in rows])


def test_who_is_ahead_of_counting_its_own_tokens() -> None:
    """Each against its own: two of the three arms have counts, one of them on another text too."""
    made = three_arms(counts_of("char", 2.3), counts_of("bpe", 2.2, order=4), counts_of("bpe", 1.0, text="another"))
    counts = named(own_counts(compared(made)))
    assert list(counts) == ["char", "bpe"]
    assert (counts["bpe"].order, counts["bpe"].bpb) == (4, 2.2)
    assert counts["char"].lead.mean == pytest.approx(0.29)
    assert counts["bpe"].lead.mean == pytest.approx(-0.31)
    assert (counts["char"].beaten, counts["bpe"].beaten) == (True, False)
    assert counts["bpe"].lead.resolved, "behind, beyond chance"


def test_a_lead_within_chance_is_none() -> None:
    (counts,) = own_counts(compared(three_arms(counts_of("char", 2.011)))).values()
    assert counts.lead.mean == pytest.approx(0.001)
    assert not counts.beaten


def test_chance_is_that_of_the_cell_alone() -> None:
    """Counts have no seeds: the error over seeds is that of one mean."""
    counts = named(own_counts(compared(three_arms(counts_of("char", 2.3), counts_of("bpe", 2.2)))))
    over_seeds = counts["char"].lead.over_seeds
    assert over_seeds is not None
    assert over_seeds.error == pytest.approx(0.01 / np.sqrt(3))


def test_units_of_another_text_are_not_taken() -> None:
    made = three_arms(counts_of("char", 2.3)[:10])
    assert own_counts(compared(made)) == {}
    assert own_counts(compared(three_arms())) == {}, "older studies have none"
