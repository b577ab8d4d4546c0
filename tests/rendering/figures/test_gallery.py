"""The pictures of a report: those that have something to show, the same each time, and none of a former report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from made_up import compared, run, seeds, several, study, two_sizes, vocabularies, whole_study
from matplotlib.figure import Figure

from tokexp.rendering.figures import dots, gallery, leads, progress, ranking, sizes
from tokexp.rendering.figures.gallery import draw_figures
from tokexp.rendering.figures.panels import panel_names, panels, sweep_panel


def labels(figure: Figure | None) -> list[str]:
    assert figure is not None
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_pictures_are_the_same_each_time_and_former_ones_go(tmp_path: Path) -> None:
    comparison = compared(study([run("char")]))
    (tmp_path / "former_0.png").write_bytes(b"")
    draw_figures([comparison], tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"bits_per_byte_0.png", "bits_per_byte_0.svg", "parameters_0.png"} <= set(first)
    assert {f"{name}.png" for name in panel_names(comparison, 0).values()} <= set(first)
    assert not {"former_0.png", "forest_0.png", "human_band_0.png", "content_0.png", "by_vocabulary_0.png"} & set(first)
    draw_figures([compared(study([run("char")]))], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_every_picture_has_a_name_of_its_own() -> None:
    names = [picture.name for picture in gallery.PICTURES]
    assert len(set(names)) == len(names)


def test_panels_have_names_of_their_own_and_every_seed() -> None:
    comparison = compared(study([*several(), run("bpe", settings={"train.lr": "a/b <c>"})]))
    names = panel_names(comparison, 0)
    assert len(set(names.values())) == len(names) == 4
    assert not set(names.values()) & set(panel_names(comparison, 1).values()), "of another held-out text"
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names.values()), "which are files"
    drawn = dict(panels(comparison, 0))
    assert list(drawn) == [names[cell] for cell in comparison.cells]
    title, _ = drawn[names[comparison.cells[0]]].texts
    assert title.get_text() == "bpe lr=a/b <c>, seed 0: 2.000 bits per byte held out"
    assert len(sweep_panel(comparison).axes[0].lines) == 4


def test_the_forest_has_the_lead_of_each_sizes_best_and_of_the_best_without_loss() -> None:
    figure = leads.forest(compared(two_sizes()))
    assert figure is not None
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "behind word nano", "behind char nano", "behind word micro", "behind bpe micro",
    ]  # fmt: skip
    assert labels(figure) == ["bpe nano", "char nano"]
    assert leads.forest(compared(study([run("char")]))) is None


def test_the_ranking_has_the_best_on_top_and_what_is_restored_as_a_bar() -> None:
    figure = ranking.ranking(compared(two_sizes()))
    assert labels(figure) == ["word", "char", "bpe"]
    nano, micro = figure.axes
    assert [label.get_text() for label in micro.get_yticklabels()] == ["word", "bpe", "char"]
    (bar,) = nano.patches
    assert (bar.get_x(), bar.get_width()) == pytest.approx((2.001, 0.4)), "from naive to total"
    hollow = [line.get_markerfacecolor() == "white" for line in nano.lines if line.get_marker() == "o"]
    assert hollow == [True, False, False]
    assert nano.get_xlim() == micro.get_xlim()


def test_the_ranking_names_the_best_baselines_of_each_family() -> None:
    figure = ranking.ranking(compared(seeds(0.5)))
    names = [text.get_text() for text in figure.axes[0].texts]
    assert {"PPMd", "Kneser-Ney"} <= set(names)
    assert "gzip" not in names, "which is far off"
    assert [text for text in names if text not in ("PPMd", "Kneser-Ney")] == ["2.010", "2.510"]


def test_every_picture_says_what_it_shows_and_how_to_read_it() -> None:
    comparison = compared(whole_study(several()))
    for picture in gallery.PICTURES:
        assert picture.caption
        assert picture.reading.endswith(".")
    figure = next(picture for picture in gallery.PICTURES if picture.name == "parameters").draw(comparison)
    assert figure is not None
    assert figure.texts[0].get_text() == "Where the parameters are"


def test_lines_of_a_study_are_named_at_their_ends() -> None:
    figure = sweep_panel(compared(study(several())))
    assert not figure.legends
    assert {text.get_text() for text in figure.axes[0].texts} == {"bpe", "char", "words"}


def test_cells_stand_among_the_baselines_worst_first() -> None:
    assert labels(leads.with_baselines(compared(whole_study(several())))) == [
        "words", "char", "bpe", "Kneser-Ney (static)",
    ]  # fmt: skip


def test_what_is_along_training_ends_filled() -> None:
    axes = progress.against_bytes(compared(study(several()))).axes[0]
    assert [list(line.get_xdata()) for line in axes.lines[:2]] == [[50, 100, 150, 200], [200]]
    assert axes.lines[0].get_markerfacecolor() == "white" != axes.lines[1].get_markerfacecolor()


def test_pictures_without_something_to_show_are_none() -> None:
    alone = compared(study([run("char")]))
    assert sizes.by_parameters(alone) is None
    assert sizes.by_parameters(compared(study(several()))) is None, "of one size"
    assert sizes.compression(compared(study(several()))) is None, "three points"
    assert sizes.by_vocabulary(alone) is None
    assert dots.loss_by_content(alone) is None
    assert dots.human_band(alone) is None


def test_a_row_a_cell_and_a_panel_a_kind() -> None:
    comparison = compared(whole_study(several()))
    figure, samples = dots.loss_by_content(comparison), dots.human_band(comparison)
    assert labels(figure) == labels(samples) == ["bpe", "char", "words"]
    assert figure is not None
    assert samples is not None
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == ["heading", "spacing"]
    assert "real words" in [axes.get_title(loc="left") or axes.get_title() for axes in samples.axes]
    dots_of = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in dots_of] == [[0], [1], [2]], "a row each"


def test_a_line_of_an_arm_has_its_vocabularies() -> None:
    figure = sizes.by_vocabulary(compared(vocabularies()))
    assert figure is not None
    assert list(figure.axes[0].lines[0].get_xdata()) == [256, 512, 1024, 2048, 4096, 8192]
    assert [line.get_linestyle() for line in figure.axes[0].lines].count(":") == 1, "the curve of the optimum"
    assert len(figure.axes[0].patches) == 1, "and its interval"


def test_no_curve_is_drawn_of_an_optimum_that_is_not_known() -> None:
    made = vocabularies()
    figure = sizes.by_vocabulary(compared(dataclasses.replace(made, results=made.results[made.results.seed == 0])))
    assert figure is not None
    assert ":" not in [line.get_linestyle() for line in figure.axes[0].lines]
    assert not figure.axes[0].patches
