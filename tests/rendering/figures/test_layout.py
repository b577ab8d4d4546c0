"""Where things stand in a picture."""

from __future__ import annotations

import pytest
from made_up import ARMS, compared, run, study
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.rendering.figures.layout import apart, headed, side_by_side, stagger


def test_names_move_apart_no_further_than_they_must() -> None:
    assert apart([0.0, 5.0, 9.0], 2) == [0, 5, 9]
    assert apart([1.0, 1.0], 2) == pytest.approx([0, 2]), "each as far"
    assert apart([0.0, 0.0, 0.0, 10.0], 1) == pytest.approx([-1, 0, 1, 10])
    assert apart([], 1) == []


def test_cells_that_are_too_many_to_be_named_stand_side_by_side_by_size() -> None:
    runs = [
        run(arm, settings={"model.n_embd": body, "tokenizer.vocab_size": v}, size=size, params_body=body)
        for size, body in (("nano", 1), ("micro", 2)) for arm in ARMS for v in (1, 2, 3)
    ]  # fmt: skip

    def sides(comparison: Comparison) -> list[tuple[str, dict[str, str]]]:
        both = side_by_side(comparison, comparison.cells)
        return [(side, {str(cell): name for cell, name in names.items()}) for side, names in both]

    (nano, small), (micro, large) = sides(compared(study(runs)))
    assert (nano, micro) == ("model nano", "model micro")
    assert small["char nano vocab_size=1"] == large["char micro vocab_size=1"] == "char vocab_size=1"
    assert len(small) == len(large) == 9
    ((side, few),) = sides(compared(study([one for one in runs if one.row["arm"] == "char"])))
    assert side == ""
    assert all(cell == name for cell, name in few.items())


def test_names_that_would_cover_each_other_stand_on_lines_of_their_own() -> None:
    assert stagger([(0.1, 4), (0.5, 4), (0.9, 4)], 0.01) == [0, 0, 0]
    assert stagger([(0.5, 4), (0.48, 4), (0.52, 4), (0.6, 4)], 0.01) == [1, 0, 2, 0]
    assert stagger([], 0.01) == []


def test_a_heading_makes_a_picture_higher_and_no_smaller() -> None:
    figure = Figure(figsize=(4, 2), layout="constrained")
    axes = figure.subplots()
    headed(figure, "what", "how to read it, in more words than stand on one line of a picture so narrow")
    what, how = figure.texts
    assert (what.get_text(), how.get_text().count("\n")) == ("what", 1)
    width, _ = figure.get_size_inches()
    assert width == 4
    figure.draw_without_rendering()
    below = how.get_window_extent().y0
    assert axes.get_tightbbox().y1 <= below < what.get_window_extent().y0
    assert axes.get_tightbbox().height > 0.9 * 2 * figure.dpi
