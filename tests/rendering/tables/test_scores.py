"""The tables of scores, of made-up runs."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from made_up import compared, equal_steps, run, seeds, study

from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.forms import numbers
from tokexp.rendering.tables.scores import (
    along_table,
    baseline_table,
    bits_per_byte,
    difference_table,
    loss_per_token,
    view_table,
)
from tokexp.rendering.text import markdown


def shown(table: Table, heading: str) -> list[str]:
    (column,) = [column for column in table.columns if column.heading == heading]
    return [markdown(line) for line in column.lines()]


def headings(table: Table) -> list[str]:
    return [str(column.heading) for column in table.columns]


def test_cells_stand_among_the_baselines() -> None:
    made = bits_per_byte(compared(seeds(0.5)))
    assert shown(made, "run") == ["*PPMd (adaptive)*", "char", "*Kneser-Ney (static)*", "bpe", "*gzip (adaptive)*"]
    assert shown(made, "= total") == ["2.005", "2.010 ± 0.025", "2.300", "2.510 ± 0.025", "3.100"]
    assert shown(made, "seeds") == ["", "3", "", "3", ""]
    rows = numbers(made).set_index("run")
    assert list(rows.index) == ["PPMd (adaptive)", "char", "Kneser-Ney (static)", "bpe", "gzip (adaptive)"]
    assert rows.bpb["char"] == pytest.approx(2.01)
    assert rows.bpb_half["char"] == pytest.approx(0.0248, rel=1e-2)
    assert pd.isna(rows.bpb_half["PPMd (adaptive)"])


def test_what_restoration_costs_is_a_part_of_the_total() -> None:
    made = seeds(0.5)
    lossy = made.baselines.assign(val_bpb_restoration=0.5)
    table = bits_per_byte(compared(dataclasses.replace(made, baselines=lossy)))
    assert (shown(table, "naive")[0], shown(table, "+ restoration")[0]) == ("1.505", "0.500")


def test_the_gain_of_all_segmentations_has_its_error() -> None:
    runs = [run("char"), run("bpe", marginal_gain_bpb=0.01, marginal_gain_error=0.001)]
    table = bits_per_byte(compared(study(runs)))
    gains = dict(zip(shown(table, "run"), shown(table, "less, with all segmentations"), strict=True))
    assert gains == {"char": "", "bpe": "0.0100 ± 0.0020"}


def test_differences_have_their_verdicts() -> None:
    table = difference_table(compared(seeds(0.5)))
    assert (shown(table, "better"), shown(table, "worse")) == (["char"], ["bpe"])
    assert shown(table, "bits per byte") == ["0.500"]
    assert shown(table, "95 %, corrected") == ["0.477 to 0.523"]
    assert (shown(table, "error over seeds"), shown(table, "error over the text")) == (["0.008"], ["0.000"])
    assert shown(table, "verdict") == ["resolved on this text"]
    row = numbers(table).iloc[0]
    assert (row.error_seeds, row.interval_low) == (pytest.approx(0.00816, rel=1e-2), pytest.approx(0.4773, rel=1e-3))
    close = difference_table(compared(seeds(0.01)))
    assert "seeds a cell would settle it" in shown(close, "verdict")[0]
    assert not len(difference_table(compared(study([run("char")]))))


def test_one_seed_has_no_p_value() -> None:
    made = seeds(0.5)
    alone = compared(dataclasses.replace(made, results=made.results[made.results.seed == 0]))
    table = difference_table(alone)
    assert [shown(table, name) for name in ("p", "95 %, corrected", "error over seeds")] == [[""]] * 3
    assert "one seed is an anecdote" in shown(table, "verdict")[0]
    assert all("one seed is an anecdote" in verdict for verdict in shown(baseline_table(alone), "verdict"))


def test_leads_over_baselines() -> None:
    table = baseline_table(compared(seeds(0.5)))
    assert shown(table, "ahead by") == ["+0.290", "-0.005", "-0.210", "-0.505"]
    assert shown(table, "baseline")[:2] == ["Kneser-Ney (static)", "PPMd (adaptive)"]
    assert not len(baseline_table(compared(equal_steps())))


def test_along_the_text() -> None:
    table = along_table(compared(seeds(0.5)))
    assert headings(table) == ["run", *(f"{i}/8" for i in range(1, 9))]
    assert shown(table, "run") == ["char", "bpe", "*PPMd (adaptive)*", "*Kneser-Ney (static)*"]
    assert numbers(table).columns[1:3].tolist() == ["eighth_1", "eighth_2"]


def test_other_terms_stand_in_the_headings() -> None:
    table = view_table(compared(equal_steps()))
    assert headings(table)[:3] == ["run", "equal steps (100 steps)", "equal bytes (100 bytes read)"]
    assert shown(table, "run") == ["char", "word", "bpe"], "by the best that each comes to"
    at_bytes = dict(zip(shown(table, "run"), shown(table, headings(table)[2]), strict=True))
    assert (at_bytes["char"], at_bytes["bpe"]) == ("2.000", "(3.000 at 50% of its schedule)")
    rows = numbers(table).set_index("run")
    assert (rows.equal_bytes["bpe"], rows.equal_bytes_schedule["bpe"]) == (3, pytest.approx(0.5))
    assert "best_checkpoint" in rows


def test_losses_per_token_are_means() -> None:
    table = loss_per_token(compared(study([run("char", 0, val_loss=1.0), run("char", 1, val_loss=2.0)])))
    assert (shown(table, "held out, end"), shown(table, "seeds")) == (["1.500"], ["2"])
