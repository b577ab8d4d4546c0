"""What a terminal shows of a study, and of runs on a text."""

from __future__ import annotations

import made_up

from tokexp.rendering.terminal import difference_line, ranking_rows, ranking_table, score_table

ONE = {"run": "a", "tokens": 1234, "bits_per_byte": 2.5, "low": 2.0, "high": 3.0, "naive": 2.25, "restoration": 0.25}
LEAD = {"ahead": "a", "behind": "b", "by": 0.5, "low": 0.25, "high": 0.75}


def test_the_ranking_has_intervals_where_there_are_seeds() -> None:
    runs = [made_up.run("char", seed, [bpb]) for seed, bpb in enumerate((2.4, 2.5, 2.6))]
    runs.append(made_up.run("word", bpb=[2.0], val_bpb_restoration=0.25))
    lines = [line.split() for line in ranking_table(ranking_rows(made_up.study(runs))).splitlines()[2:]]
    assert lines == [["word", "2.000", "0.250", "1"], ["char", "2.500", "±", "0.248", "3"]]


def test_scores_stand_with_their_intervals() -> None:
    head, _, first, short = score_table([ONE, {**ONE, "low": None}]).splitlines()
    assert head.split()[:2] == ["run", "tokens"]
    assert first.split() == ["a", "1,234", "2.5000", "2.0000", "to", "3.0000", "2.2500", "0.2500"]
    assert "to" not in short, "a text too short for an interval"


def test_a_lead_is_a_sentence() -> None:
    told = "a leads b by 0.5000 bits per byte"
    assert difference_line(LEAD) == f"{told} (95 %: 0.2500 to 0.7500): this text tells them apart."
    assert (
        difference_line({**LEAD, "low": -0.25})
        == f"{told} (95 %: -0.2500 to 0.7500): this text cannot tell them apart."
    )
    assert difference_line({**LEAD, "low": None}) == f"{told}; the text is too short for an interval."
