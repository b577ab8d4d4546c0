"""What would settle the leads of made-up studies: more seeds, or more text."""

from __future__ import annotations

from made_up import compared, run, seeds, study

from tokexp.analysis.statements.settling import Settling, settling


def test_where_all_is_resolved_nothing_is_wanted() -> None:
    needed = settling(compared(seeds(0.5)))
    assert needed == Settling(seeds=[], one_seed=False, too_many=None, never=False, more_text=[])


def test_more_seeds_are_those_that_are_there_and_the_smallest_others() -> None:
    bpb = {"char": 2.0, "bpe": 2.03}
    runs = [run(arm, seed, [bpb[arm] + 0.01 * (seed == 7)]) for arm in bpb for seed in (0, 7)]
    needed = settling(compared(study(runs)))
    assert len(needed.seeds) > 2
    assert needed.seeds == sorted([7, *range(len(needed.seeds) - 1)])
    assert needed.more_text == []


def test_one_seed_wants_three() -> None:
    needed = settling(compared(study([run("char", 5), run("bpe", 5, [2.5])])))
    assert (needed.one_seed, needed.seeds) == (True, [0, 1, 5])


def test_many_seeds_are_not_typed() -> None:
    needed = settling(compared(seeds(0.002)))
    assert needed.seeds == []
    assert needed.too_many is not None
    assert needed.too_many > 20


def test_one_cell_has_nothing_to_settle() -> None:
    assert settling(compared(study([run("char")]))).seeds == []
