"""Differences between cells, and leads over baselines, against cases worked by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_up import compared, seeds, two_sizes

from tokexp.analysis.chance.statistics import Chance
from tokexp.analysis.chance.verdicts import Reason
from tokexp.analysis.differences import BEST, END, Lead, differences, leads
from tokexp.runs.study import Study
from tokexp.runs.study.tables import BLOCK_COLUMNS


def by_names(made: Study) -> dict[tuple[str, str, str], Lead]:
    return {(str(lead.cell), lead.at, lead.baseline.name): lead for lead in leads(compared(made))}


def test_cells_are_compared_within_a_size() -> None:
    by_pair = differences(compared(two_sizes()))
    assert len(by_pair) == 3 + 3
    assert all(one.size == other.size for one, other in by_pair)
    assert all(difference.mean > 0 for difference in by_pair.values()), "the better one first"
    freedom = [difference.over_seeds.freedom for difference in by_pair.values() if difference.over_seeds]
    assert freedom == pytest.approx([6] * 6), "three seeds of each of the three cells of a size tell of one variance"


def test_a_difference_is_resolved_or_says_what_would_do() -> None:
    ((pair, clear),) = differences(compared(seeds(0.5))).items()
    assert list(map(str, pair)) == ["char", "bpe"]
    assert clear.mean == pytest.approx(0.5)
    assert clear.verdict.resolved
    ((_, close),) = differences(compared(seeds(0.01))).items()
    assert close.verdict.reason is Reason.SEEDS
    assert close.verdict.seeds is not None
    assert close.verdict.seeds > 3


def test_a_cell_against_a_baseline_by_hand() -> None:
    """Over the seeds one variance of both cells, over the text paired: without spread, as the noise is shared."""
    by_name = by_names(seeds(0.5))
    assert len(by_name) == 2 * 2, "the best checkpoint is the end"
    char = by_name["char", END, "PPMd"].difference
    assert char.mean == pytest.approx(-0.005)
    assert char.over_seeds == Chance(pytest.approx(1e-4 / 3), pytest.approx(4))
    assert char.over_text == Chance(pytest.approx(0, abs=1e-20), 7)
    half = 2.776 * 0.01 / np.sqrt(3)  # the level of a pair that is the only one left
    assert char.interval == pytest.approx((-0.005 - half, -0.005 + half), rel=1e-3)
    assert not char.resolved
    kneser_ney = by_name["char", END, "Kneser-Ney"].difference
    assert kneser_ney.resolved
    assert kneser_ney.over_text is not None
    assert kneser_ney.over_text.error == pytest.approx(0.5 / 8, rel=0.3), "another text might have other noise"
    bpe = [by_name["bpe", END, name].difference.mean for name in ("Kneser-Ney", "PPMd")]
    assert bpe == pytest.approx([-0.21, -0.505])


def test_the_best_cell_comes_first_and_the_static_baseline() -> None:
    rows = leads(compared(seeds(0.5)))
    assert [(str(lead.cell), lead.baseline.family) for lead in rows] == [
        (cell, family) for cell in ("char", "bpe") for family in ("static", "adaptive")
    ]


def test_one_seed_against_a_baseline_is_an_anecdote() -> None:
    made = seeds(0.5)
    alone = dataclasses.replace(made, results=made.results[made.results.seed == 0])
    verdicts = [lead.difference.verdict for lead in leads(compared(alone))]
    assert {verdict.reason for verdict in verdicts} == {Reason.ONE_SEED}


def test_the_best_checkpoint_is_paid_for() -> None:
    """A checkpoint that is good on the even blocks alone is chosen there and scored on the odd ones."""
    made = seeds(0.5)
    even = {f"b{i}": (1.0 if i % 2 == 0 else 3.5) * 10 * np.log(2) for i in range(64)}
    early = pd.DataFrame([{"name": name, "step": 50, **even} for name in made.results.name])
    by_name = by_names(dataclasses.replace(made, blocks=pd.concat([early, made.blocks])))
    assert len([key for key in by_name if "PPMd" in key]) == 4
    assert by_name["char", END, "PPMd"].difference.mean == pytest.approx(2.005 - 2.01)
    # the odd blocks by the early checkpoint, at 3.5; the even ones by the end, which is better on the odd ones
    assert by_name["char", BEST, "PPMd"].difference.mean == pytest.approx(2.005 - (3.5 + 2.01) / 2, abs=0.01)


def test_where_no_baseline_has_blocks_there_are_no_leads() -> None:
    """As in data from before they were kept, and in a corpus without baselines."""
    made = seeds(0.5)
    for baselines in (made.baselines.drop(columns=BLOCK_COLUMNS), made.baselines[:0]):
        assert leads(compared(dataclasses.replace(made, baselines=baselines))) == []
