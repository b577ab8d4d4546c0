"""Tables of the page: escaped, with colours and with numbers to sort by."""

from __future__ import annotations

from tokexp.analysis.cells import Cell, Setting
from tokexp.analysis.chance.statistics import Estimate
from tokexp.analysis.chance.verdicts import Reason, Verdict
from tokexp.rendering.page.tables import grid
from tokexp.rendering.tables.columns import Column, table


def test_a_table_on_the_page() -> None:
    """Figures are told from text, are sorted by their numbers, and what names a cell has its colour."""
    char, bpe = (Cell(arm, "nano", False, (Setting("budget.steps", "7", 7),), False) for arm in ("char", "bpe"))
    made = table(
        Column("run", [char, bpe.without_budget()]),
        Column(char, [Estimate(1.5, 0.25), None], ".2f"),
        Column("verdict", [Verdict(Reason.RESOLVED), "1 <b>"]),
        Column("long", ["x" * 40, "char"]),
    )
    shown = grid(made, {char: "#0072b2", bpe: "#d55e00"})
    assert [field.kind for field in shown.head] == ["s", "n", "s", ""]
    assert [field.colour for field in shown.head] == ["", "#0072b2", "", ""]
    assert [row[0].colour for row in shown.rows] == ["#0072b2", "#d55e00"], "also by the name without its budget"
    assert [row[3].colour for row in shown.rows] == ["", ""], "text that is a cell's name is no cell"
    assert [str(row[1].text) for row in shown.rows] == ["1.50 ± 0.25", ""]
    assert [row[1].number for row in shown.rows] == [1.5, None]
    assert [row[2].number for row in shown.rows] == [None, None]
    assert str(shown.rows[1][2].text) == "1 &lt;b&gt;"
