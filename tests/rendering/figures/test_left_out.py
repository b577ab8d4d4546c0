"""The picture of texts left out in turn."""

from __future__ import annotations

import pytest
from made_up import compared, left_out_in_turn, seeds

from tokexp.analysis.comparison import comparisons
from tokexp.rendering.figures.left_out import behind_on_texts

BPB = {f"play{i}": {"bpe": 2.0, "char": 2.5 + 0.05 * i, "word": 1.9 + 0.1 * i} for i in range(5)}


def test_a_row_a_cell_behind_and_a_dot_a_text() -> None:
    figure = behind_on_texts(comparisons(left_out_in_turn(BPB, ["nano", "micro"])))
    assert figure is not None
    nano, _ = figure.axes
    assert [label.get_text() for label in nano.get_yticklabels()] == ["char nano", "word nano"]
    assert nano.get_title() == "behind bpe nano"
    dots, interval, mean = nano.lines[:3]
    assert list(dots.get_xdata()) == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7])
    assert list(mean.get_xdata()) == pytest.approx([0.6])
    assert (mean.get_marker(), nano.lines[5].get_marker()) == ("o", "|"), "the second is not resolved"
    assert min(interval.get_xdata()) > 0


def test_where_there_is_nothing_to_see() -> None:
    assert behind_on_texts([compared(seeds(0.5))]) is None
    assert behind_on_texts(comparisons(left_out_in_turn({text: {"bpe": 2.0} for text in BPB}))) is None
