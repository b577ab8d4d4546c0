"""Runs under other terms: what may be ranked there, and where a ranking turns round."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import ARMS, compared, equal_steps, named, run, seeds, study, turned_round

from tokexp.analysis.cells import Cell
from tokexp.analysis.views import Point, View, _differences, _turn, agreement, views
from tokexp.runs.study import Study


def by_axis(made: Study) -> dict[str | None, View]:
    return {view.axis: view for view in views(compared(made))}


def points(view: View) -> dict[str, Point]:
    return named(view.points)


def ranking(view: View) -> list[str]:
    return list(map(str, view.ranking))


def test_only_the_ends_of_schedules_are_ranked() -> None:
    by_terms = by_axis(equal_steps())
    assert list(by_terms) == ["steps", "bytes", "FLOPs", "seconds", None]
    assert ranking(by_terms["steps"]) == ["char", "word", "bpe"]
    at_bytes = by_terms["bytes"]
    assert (at_bytes.at, at_bytes.place) == (100, "")
    assert points(at_bytes)["char"].share == 1.0
    bpe = points(at_bytes)["bpe"]  # halfway through its steps
    assert (bpe.bpb, bpe.share, bpe.ranked) == (3, pytest.approx(0.5), False)
    assert at_bytes.ranking == []
    assert points(by_terms["steps"])["word"].ranked
    best = by_terms[None]
    assert best.at is None
    assert {cell: point.bpb for cell, point in points(best).items()} == {"char": 2.0, "bpe": 2.4, "word": 2.2}


def test_between_evaluations_a_curve_is_straight_and_before_the_first_unknown() -> None:
    made = study([run("char", bpb=[4, 3, 2], settings={"budget.steps": 60}, end=60), run("bpe", bpb=[5, 3, 2, 1])])
    assert points(by_axis(made)["steps"])["bpe"].bpb == pytest.approx(3 - 10 / 25)
    made = study([run("char", bpb=[4], settings={"budget.steps": 10}, end=10), run("bpe", bpb=[5, 3, 2, 1])])
    assert set(points(by_axis(made)["steps"])) == {"char"}


def test_a_constant_rate_may_be_ranked_anywhere() -> None:
    constant = {"train.schedule": "constant"}
    made = study([run(arm, bpb=[4, 3 + ARMS[arm] / 10, 2, 1], settings=constant) for arm in ARMS])
    assert ranking(by_axis(made)["bytes"]) == ["char", "bpe", "word"]


def test_runs_with_that_budget_are_ranked_and_the_ranking_turns_round() -> None:
    made = turned_round()
    by_terms = by_axis(made)
    assert ranking(by_terms["steps"]) == ["word", "char"]
    assert ranking(by_terms["bytes"]) == ["char", "word"]
    (turn,) = agreement(compared(made)).turns
    assert (str(turn.one), str(turn.other), turn.one_seed) == ("char", "word", True)
    sides = [[view.axis for view in side] for side in (turn.ahead, turn.behind)]
    assert sides == [["bytes"], ["steps", None]], "a cell's best checkpoint is of one of its budgets"


def test_what_seeds_cannot_tell_apart_does_not_turn_round() -> None:
    """The better one is another at the best checkpoint than at the end: by less than the seeds differ, and by more."""

    def turns(gap: float) -> list[tuple[str, list[str | None], list[str | None], bool]]:
        ends = {"char": 2 + gap, "bpe": 2}
        made = study(
            [
                run(arm, seed, [ends[arm] + seed / 100], best_val_bpb_crossfit=1.5 + gap * (arm == "bpe") + seed / 100)
                for arm in ("char", "bpe") for seed in range(3)
            ]
        )  # fmt: skip
        return [
            (str(turn.one), [view.axis for view in turn.ahead], [view.axis for view in turn.behind], turn.one_seed)
            for turn in agreement(compared(made)).turns
        ]

    assert turns(0.01) == []
    ((one, ahead, behind, one_seed),) = turns(0.5)
    assert (one, ahead[0], behind, one_seed) == ("bpe", "steps", [None], False)


def test_a_view_that_ranks_few_cells_has_no_say() -> None:
    """At equal bytes characters alone had their whole schedule: no other order is there, which says nothing."""
    agreed = agreement(compared(equal_steps()))
    ranked = {view.axis: n for view, n in agreed.ranked}
    assert (agreed.pairs, ranked["steps"], ranked["bytes"]) == (3, 3, 0)
    assert [view.axis for view in agreed.telling] == ["steps", None]
    assert "bytes" in [view.axis for view in agreed.silent]


def test_all_views_tell_where_all_rank() -> None:
    agreed = agreement(compared(seeds(0.5)))
    assert agreed.pairs == 1
    assert agreed.turns == []
    assert agreed.telling[0].axis == "steps"


def test_seconds_are_compared_on_one_machine_only() -> None:
    made = study([run(arm, bpb=[4, 3, 2], machine="another" if arm == "word" else "one") for arm in ARMS])
    view = by_axis(made)["seconds"]
    assert set(points(view)) == {"char", "bpe"}
    assert view.place == "machine=one"


@pytest.mark.parametrize(
    ("ends", "share"), [((150, 120, 100), 100 / 150), ((150, 100, 70), None), ((100, 100, 100), 1)]
)
def test_a_point_is_whole_only_where_every_seeds_schedule_is(ends: tuple[int, ...], share: float | None) -> None:
    """Seconds differ from seed to seed: at 100 s one of them may have had two thirds of its schedule, or be done."""
    runs = [run(arm, seed, [4, 3, 2]) for arm in ("char", "bpe") for seed in range(3)]
    made = study(runs)
    slower = {one.row["name"]: end / 100 for one, end in zip(runs[3:], ends, strict=True)}
    scaled = made.curves.seconds * made.curves.name.map(slower).fillna(1.0)
    made = dataclasses.replace(made, curves=made.curves.assign(seconds=scaled))
    point = points(by_axis(made)["seconds"]).get("bpe")
    assert (point.share if point else None) == (pytest.approx(share) if share else None)
    assert point is None or point.ranked == (share == 1)


def test_an_order_of_one_seed_is_told_whichever_view_has_it() -> None:
    one, other = (Cell(arm, "nano", False, (), False) for arm in ("a", "b"))

    def view(axis: str, first: list[float], second: list[float]) -> View:
        points = {one: Point(np.array(first), 1.0, True), other: Point(np.array(second), 1.0, True)}
        return View(axis, 1.0, "", points)

    pair = one, other
    single = view("steps", [1.0], [2.0])
    several = view("bytes", [2.0, 2.01, 2.02], [1.0, 1.01, 1.02])
    for views_ in ([single, several], [several, single]):
        turn = _turn([(each, _differences(each, [pair])) for each in views_], pair)
        assert turn is not None
        assert (turn.ahead, turn.behind, turn.one_seed) == ([single], [several], True)


def test_the_cells_of_a_view_tell_of_one_variance_and_its_pairs_are_read_together() -> None:
    cells = [Cell(arm, "nano", False, (), False) for arm in "abc"]
    points = {cell: Point(np.array([i, i + 0.1]), 1.0, True) for i, cell in enumerate(cells)}
    pairs = [(cells[0], cells[1]), (cells[0], cells[2]), (cells[1], cells[2])]
    found = _differences(View("steps", 1.0, "", points), pairs)
    nearest, over_seeds = found[pairs[0]], found[pairs[0]].over_seeds
    assert over_seeds is not None
    assert over_seeds.freedom == pytest.approx(3)
    assert nearest.p == pytest.approx(2 * over_seeds.p(1.0)), "the second of three"
    assert nearest.resolved
