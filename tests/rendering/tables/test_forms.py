"""A table as Markdown, LaTeX and CSV."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import HOSTILE

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate, Interval
from tokexp.analysis.chance.verdicts import Reason, Verdict
from tokexp.analysis.comparison import BaselineName
from tokexp.rendering.tables.columns import Absent, Column, Table, table
from tokexp.rendering.tables.forms import latex_table, markdown_table, numbers, write_table


def cell(name: str) -> Cell:
    return Cell(name, "nano", False, (), False)


MADE = table(
    Column("run", [cell("char_a"), BaselineName("PPMd", "adaptive")]),
    Column("= total", [Estimate(2.0, 0.125), 2.5], ".3f", "val_bpb"),
    Column("over seeds", [Interval(-0.5, 0.5), None], ".1f", "over_seeds"),
    Column("verdict", [Verdict(Reason.SEEDS, 7), Verdict(Reason.RESOLVED)]),
)


def test_markdown_by_hand() -> None:
    lines = [re.sub(" +", " ", line) for line in markdown_table(MADE).splitlines()]
    assert lines[0] == "| run | = total | over seeds | verdict |"
    assert set(lines[1]) == set("|:-")
    assert lines[2:] == [
        "| char_a | 2.000 ± 0.125 | -0.5 to 0.5 | **not resolved**: about 7 seeds a cell would settle it |",
        "| *PPMd (adaptive)* | 2.500 | | resolved |",
    ]
    assert len(markdown_table(MADE, most_rows=1).splitlines()) == 3


def test_latex_by_hand() -> None:
    assert latex_table(MADE, "a text").splitlines() == [
        "% a text",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"run & = total & over seeds & verdict \\",
        r"\midrule",
        r"char\_a & 2.000 $\pm$ 0.125 & -0.5 to 0.5 & not resolved: about 7 seeds a cell would settle it \\",
        r"PPMd (adaptive) & 2.500 &  & resolved \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_numbers_have_columns_of_their_own() -> None:
    frame = numbers(MADE)
    assert list(frame) == ["run", "val_bpb", "val_bpb_half", "over_seeds_low", "over_seeds_high", "verdict",
                           "verdict_seeds"]  # fmt: skip
    assert frame.run.tolist() == ["char_a", "PPMd (adaptive)"]
    assert frame.val_bpb.tolist() == [2.0, 2.5]
    assert frame.val_bpb_half.tolist() == pytest.approx([0.125, np.nan], nan_ok=True)
    assert frame.over_seeds_low.tolist() == pytest.approx([-0.5, np.nan], nan_ok=True)
    assert frame.verdict.tolist() == ["not resolved", "resolved"]


def test_a_column_without_a_number_is_there_and_empty() -> None:
    frame = numbers(table(Column("run", [cell("a")]), Column("x", [None]), Column("y", [Absent("why")])))
    assert list(frame) == ["run", "x", "y"]
    assert frame[["x", "y"]].isna().all(axis=None)
    assert list(numbers(Table())) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str, tmp_path: Path) -> None:
    """As a field and as a heading: of one row and two columns, in every form."""
    made = table(Column("run", [cell(name)]), Column(cell(name), [1.5], ".1f"))
    head, _, row = markdown_table(made).splitlines()
    for line in (head, row):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3, line
        assert not re.search(r"(?<!\\)(?:\\\\)*[*`<]", line), line
    assert re.sub(r"\\(.)", r"\1", row.split(" | ")[0].removeprefix("|").strip()) == name
    lines = latex_table(made, "text").splitlines()
    assert re.sub(r"\\[&_$%#{}]|\\text\w+{}|\$\\pm\$", "", lines[5]).count("&") == 1
    assert not re.search(r"(?<!\\)[_$%#]", lines[5])
    frame = numbers(made)
    read = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert list(read) == ["run", name]
    assert read.run.tolist() == [name]
    assert read[name].tolist() == [1.5]


def test_the_files_of_a_table(tmp_path: Path) -> None:
    paths = write_table("x", [("first", MADE), ("*second*", MADE)], pd.concat([numbers(MADE)] * 2), tmp_path)
    assert [path.name for path in paths] == ["x.md", "x.tex", "x.csv"]
    written = paths[0].read_text()
    assert [line for line in written.splitlines() if line.startswith("#")] == ["### first", r"### \*second\*"]
    assert paths[1].read_text().count(r"\begin{tabular}") == 2
    read = pd.read_csv(paths[2])
    assert read.val_bpb.tolist() == [2.0, 2.5] * 2
