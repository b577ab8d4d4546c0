"""The tables of content and of readability, of made-up runs."""

from __future__ import annotations

import dataclasses

import pytest
from made_up import compared, equal_steps, seeds, with_content, with_samples

from tokexp.analysis.cells import Cell
from tokexp.analysis.readability import OF_PLAYS
from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.forms import numbers
from tokexp.rendering.tables.reading import content_table, readability_rows, readability_table
from tokexp.rendering.text import markdown
from tokexp.scoring.samples.readability import MEASURES


def columns(table: Table) -> dict[str, list[str]]:
    return {str(column.heading): [markdown(line) for line in column.lines()] for column in table.columns}


def test_content_is_headed_by_its_share() -> None:
    bases = {"char": {"heading": 1.0, "spacing": 2.0}, "bpe": {"heading": 2.0, "spacing": 3.0}}
    made = with_content(seeds(0.5), "place", bases, {"heading": 64, "spacing": 576, "none": 0})
    table = content_table(compared(made), "place")
    assert columns(table) == {
        "run": ["char", "bpe"],
        "heading (10.0%)": ["1.100", "2.100"],
        "spacing (90.0%)": ["2.100", "3.100"],
    }
    assert list(numbers(table)) == ["run", "heading", "spacing"], "machines need no share in a name"
    assert not len(content_table(compared(made), "word"))


def test_words_and_spacing_stand_together() -> None:
    same = {"word_first": 4.0, "word_rest": 2.0, "spacing": 1.0, "heading": 9.0}
    of = {"word_first": 64, "word_rest": 128, "spacing": 384, "heading": 64}
    made = with_content(seeds(0.5), "place", {"char": same, "bpe": same}, of)
    mean = f"{(64 * 4 + 128 * 2 + 384) / 576 + 0.1:.3f}"
    assert columns(content_table(compared(made), "place"))["words and spacing (90.0%)"] == [mean, mean]


def test_what_a_cell_lacks_is_empty() -> None:
    bases = {"char": {"8": 2.0, "512": 1.0}, "bpe": {"8": 2.0}}
    made = with_content(seeds(0.5), "context", bases, {"8": 100, "512": 100})
    lacking = made.content[~(made.content.name.str.startswith("bpe") & (made.content["class"] == "512"))]
    made = dataclasses.replace(made, content=lacking)
    assert columns(content_table(compared(made), "context"))["512"] == ["1.100", ""]


def test_readability_by_measure() -> None:
    comparison = compared(with_samples(seeds(0.5), {"char": -3.0, "bpe": 2.0}))
    table = columns(readability_table(comparison))
    assert list(table) == ["temperature", "measure", "human text", "char", "bpe"]
    assert table["measure"] == [
        *(name.replace("_", " ") for name in MEASURES if name not in OF_PLAYS),
        "median distance from human text, of a run",
    ]
    assert set(table["temperature"]) == {"0.8"}
    assert table["char"][-1] == "3.00 ± 0.00 sd"
    assert "+2.0 sd" in table["bpe"][table["measure"].index("real words")]
    assert table["human text"][0] == "0.000 ± 1.000 sd"
    assert table["human text"][-1].endswith(" sd, by chance")
    assert not len(readability_table(compared(equal_steps())))


def test_readability_for_machines_is_a_row_a_figure() -> None:
    comparison = compared(with_samples(seeds(0.5), {"char": -3.0, "bpe": 2.0}))
    rows = numbers(readability_rows(comparison))
    assert len(rows) == 2 * (len(MEASURES) - len(OF_PLAYS))
    assert list(rows) == ["temperature", "run", "measure", "mean", "mean_low", "mean_high", "mean_distance", "human",
                          "human_sd"]  # fmt: skip
    char = rows[(rows.run == "char") & (rows.measure == "judge")].iloc[0]
    assert (char.temperature, char["mean"], char.mean_distance) == (0.8, pytest.approx(-3), pytest.approx(-3))
    assert (char.human, char.human_sd) == (0, 1)
    assert all(isinstance(column.values[1], Cell) for column in readability_rows(comparison).columns[1:2])
