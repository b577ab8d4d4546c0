"""The pictures of a report: those that have something to show, the same each time, and none of a former report."""

from __future__ import annotations

from pathlib import Path

from made_up import compared, run, several, study, two_sizes, vocabularies, whole_study
from matplotlib.figure import Figure

from tokexp.rendering.figures import dots, gallery, progress, ranking, sizes
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
    title = drawn[names[comparison.cells[0]]].get_suptitle()
    assert title == "bpe lr=a/b <c>, seed 0: 2.000 bits per byte held out"
    assert len(sweep_panel(comparison).axes[0].lines) == 4


def test_the_forest_has_the_lead_of_each_sizes_best_and_of_the_best_without_loss() -> None:
    figure = ranking.forest(compared(two_sizes()))
    assert figure is not None
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "bits per byte behind word nano", "bits per byte behind char nano", "bits per byte behind word micro",
        "bits per byte behind bpe micro",
    ]  # fmt: skip
    assert labels(figure) == ["bpe nano", "char nano"]
    assert ranking.forest(compared(study([run("char")]))) is None


def test_cells_stand_among_the_baselines_worst_first() -> None:
    assert labels(ranking.with_baselines(compared(whole_study(several())))) == [
        "words", "char", "bpe", "Kneser-Ney (static)",
    ]  # fmt: skip


def test_what_is_along_training_ends_filled() -> None:
    axes = progress.against_bytes(compared(study(several()))).axes[0]
    assert [list(line.get_xdata()) for line in axes.lines[:2]] == [[50, 100, 150, 200], [200]]
    assert axes.lines[0].get_markerfacecolor() == "white" != axes.lines[1].get_markerfacecolor()


def test_pictures_without_something_to_show_are_none() -> None:
    alone = compared(study([run("char")]))
    assert sizes.by_parameters(alone) is None
    assert sizes.by_vocabulary(alone) is None
    assert dots.loss_by_content(alone) is None
    assert dots.human_band(alone) is None


def test_a_mark_a_cell_and_a_row_a_kind() -> None:
    comparison = compared(whole_study(several()))
    assert labels(dots.loss_by_content(comparison)) == ["heading", "spacing"]
    figure = dots.loss_by_content(comparison)
    assert figure is not None
    assert [line.get_label() for line in figure.axes[0].lines] == ["bpe", "char", "words"]
    assert "real words" in labels(dots.human_band(comparison))


def test_a_line_of_an_arm_has_its_vocabularies() -> None:
    figure = sizes.by_vocabulary(compared(vocabularies()))
    assert figure is not None
    assert list(figure.axes[0].lines[0].get_xdata()) == [256, 1024, 2048, 8192]
