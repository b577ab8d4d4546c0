"""Cells: which runs are one, and what a cell is called."""

from __future__ import annotations

import pandas as pd
from made_up import Run, run

from tokexp.analysis.cells import Cell, Setting, cells_of, tokenizers_of, varied


def rows(*runs: Run) -> pd.DataFrame:
    return pd.DataFrame([one.row for one in runs])


def names(runs: pd.DataFrame) -> list[str]:
    return list(map(str, cells_of(runs)))


def test_cells_without_the_budget() -> None:
    cells = cells_of(rows(run("char"), run("char", settings={"budget.steps": 7, "train.lr": 1})))
    assert list(map(str, cells)) == ["char steps=100", "char steps=7 lr=1"]
    assert [str(cell.without_budget()) for cell in cells] == ["char", "char lr=1"]
    assert cells[1].settings == (Setting("budget.steps", "7", 7), Setting("train.lr", "1", 1))


def test_cells_are_named_by_size_and_by_what_changes_weights() -> None:
    nano, micro = {"model.n_embd": 32}, {"model.n_embd": 128}
    sizes = rows(run("char", settings=nano), run("char", settings=micro, size="micro"))
    assert names(sizes) == ["char nano", "char micro"]
    assert [str(cell.without_size()) for cell in cells_of(sizes)] == ["char", "char"]
    other = rows(run("char", settings={"train.eval_every": 5}), run("char", 1, settings={"sample.chars": 9}))
    assert len(set(cells_of(other))) == 2, "runs of other settings are other cells, whatever the settings"
    both = rows(*(run("char", settings={"train.lr": n, "train.eval_every": n}) for n in (1, 2)))
    assert names(both) == ["char lr=1", "char lr=2"]


def test_a_cell_is_a_value() -> None:
    """Runs that differ in the seed are one cell, in another study too; what a setting is called tells nothing apart."""
    first, second, other = cells_of(rows(run("char", 0), run("char", 1), run("bpe")))
    assert first == second != other
    assert len({first, second, other}) == 2
    assert first == cells_of(rows(run("char", 5)))[0]
    assert sorted([first, other]) == [other, first], "by name"
    assert Cell("a b=1", "nano", False, (), False) != Cell("a", "nano", False, (Setting("x.b", "1", 1),), False)


def test_a_size_that_has_several_shapes_is_no_name_of_one() -> None:
    shapes = rows(run("char", settings={"model.n_embd": 32}), run("char", settings={"model.n_embd": 64}))
    assert names(shapes) == ["char n_embd=32", "char n_embd=64"]


def test_a_tokenizer_trained_elsewhere_is_said_to_be() -> None:
    assert names(rows(run("gpt2", trained_on="external"), run("char"))) == ["gpt2 (trained elsewhere)", "char"]


def test_tokenizers_are_told_apart_by_their_own_settings() -> None:
    runs = rows(*(run("bpe", settings={"tokenizer.vocab_size": v, "train.lr": v}) for v in (1, 2)))
    assert list(map(str, tokenizers_of(runs))) == ["bpe vocab_size=1", "bpe vocab_size=2"]
    runs = rows(*(run("bpe", settings={"train.lr": lr}) for lr in (1, 2)))
    assert list(map(str, tokenizers_of(runs))) == ["bpe", "bpe"]


def test_settings_that_differ() -> None:
    assert varied([{"a": 1, "b": 1}, {"a": 1, "b": 2}]) == {"b"}
    assert varied([{"a": 1}, {}]) == {"a"}
    assert varied([{"a": None}, {}]) == set(), "what is not set is null"


def test_a_file_is_not_named_by_all_of_its_hash() -> None:
    files = rows(*(run("mine.json", settings={"tokenizer.path": digit * 64}) for digit in "ab"))
    assert names(files) == ["mine.json path=aaaaaaaa", "mine.json path=bbbbbbbb"]
