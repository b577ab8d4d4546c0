"""The tables of further held-out texts."""

from __future__ import annotations

from made_up import compared, of_documents, seeds, with_units

from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.held_out import held_out_differences, held_out_table, turns_line
from tokexp.rendering.tables.sections import tables_of
from tokexp.rendering.text import markdown


def test_nothing_without_further_texts() -> None:
    for made in (seeds(0.5), of_documents()):
        assert not len(held_out_table(compared(made)))
        assert not len(held_out_differences(compared(made)))
        assert "held_out" not in [section.name for section, _ in tables_of(compared(made))]


def test_a_column_a_text_and_a_row_a_pair_and_text() -> None:
    comparison = compared(with_units(with_units(of_documents(0.5), "news", more={"char": 1.0}), "letters"))
    table = held_out_table(comparison)
    assert [str(column.heading) for column in table.columns] == [
        "run", "seeds", "test part (ranks)", "letters", "news",
    ]  # fmt: skip
    assert [markdown(value) for value in table.rows()[0]][:3] == ["char", "3", "2.001 ± 0.002"]
    rows = [[markdown(value) for value in row] for row in held_out_differences(comparison).rows()]
    assert [row[:3] for row in rows] == [
        ["test part (ranks)", "char", "bpe"], ["letters", "char", "bpe"], ["news", "char", "bpe"],
    ]  # fmt: skip
    assert [row[3][0] for row in rows] == ["+", "+", "-"]
    assert {row[-1] for row in rows} == {"resolved"}
    assert markdown(turns_line(comparison, Table())) == (
        "On news, `bpe` is ahead of `char` (resolved); on the ranking text `char` is."
    )
    alike = compared(with_units(of_documents(0.5), "news"))
    assert "is the best on every further text" in markdown(turns_line(alike, Table()))
