"""Colours, lines and markers: one look for a cell everywhere, and seen on any page."""

from __future__ import annotations

from made_up import compared, run, study

from tokexp.rendering.figures.style import Look, arm_colours, looks, luminance, on_dark, on_white
from tokexp.runs.study import Study


def looks_of(made: Study) -> dict[str, Look]:
    return {str(cell): look for cell, look in looks(compared(made)).items()}


def test_one_arm_has_one_colour_in_every_report() -> None:
    both, alone = arm_colours(["bpe", "char", "mine", "other", "mine"]), arm_colours(["char", "other"])
    assert both["char"] == alone["char"]
    assert len(set(both.values())) == len(both) == 4


def test_cells_of_an_arm_are_told_apart_by_line_and_marker() -> None:
    runs = [run("bpe", settings={"tokenizer.v": v}) for v in (1024, 512)]
    by_name = looks_of(study([*runs, run("char")]))
    assert by_name["bpe v=512"].colour == by_name["bpe v=1024"].colour != by_name["char"].colour
    assert (by_name["bpe v=512"].line, by_name["bpe v=1024"].line) == ("-", "--"), "by number"
    assert by_name["bpe v=512"].marker != by_name["bpe v=1024"].marker


def test_cells_of_one_arm_alone_are_told_apart_by_shade() -> None:
    runs = [
        run("bpe", settings={"tokenizer.v": v, "model.n_embd": body}, size=size, params_body=body)
        for v in (512, 1024) for size, body in (("nano", 1), ("micro", 2))
    ]  # fmt: skip
    by_name = looks_of(study(runs))
    assert by_name["bpe nano v=512"].colour == by_name["bpe micro v=512"].colour != by_name["bpe nano v=1024"].colour
    assert by_name["bpe nano v=512"].line != by_name["bpe micro v=512"].line


def test_dark_colours_are_seen_and_light_ones_stay() -> None:
    assert on_dark("#e69f00") == "#e69f00"
    assert on_dark("#000000") not in ("#000000", "#ffffff")
    red, green, blue = (int(on_dark("#0072b2")[i : i + 2], 16) for i in (1, 3, 5))
    assert blue > green > red


def test_names_can_be_read_on_white() -> None:
    assert on_white("#0072b2") == "#0072b2"
    for pale in ("#e69f00", "#ffffff", "#56b4e9"):
        channels = [int(on_white(pale)[i : i + 2], 16) for i in (1, 3, 5)]
        assert 4.5 <= 1.05 / (luminance(channels) + 0.05) < 6
