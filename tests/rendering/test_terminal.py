"""What a terminal shows of runs on a text."""

from __future__ import annotations

from tokexp.rendering.terminal import difference_line, score_table

ONE = {"run": "a", "tokens": 1234, "bits_per_byte": 2.5, "low": 2.0, "high": 3.0, "naive": 2.25, "restoration": 0.25}
LEAD = {"ahead": "a", "behind": "b", "by": 0.5, "low": 0.25, "high": 0.75}


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
