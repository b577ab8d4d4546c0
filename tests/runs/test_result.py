"""A result in parts and as one flat row: the names, the types, and what is said of a file that is none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tokexp.config import InputError
from tokexp.runs.result import (
    RunResult,
    added,
    columns,
    csv_row,
    from_row,
    has_result,
    json_row,
    load_result,
    save_result,
)
from tokexp.system.places import ROOT

VALUES: dict[Any, Any] = {
    int: 3,
    float: 2.5,
    str: "x",
    bool: True,
    int | None: None,
    str | None: "y",
    bool | None: None,
}
VALUES |= {
    float | None: 0.5,
    dict[str, Any]: {"model.n_embd": 8},
    dict[str, str]: {"python": "3"},
    list[str]: ["a", "b"],
}


def made() -> RunResult:
    row = {name: VALUES[kind] for name, kind in columns().items()} | {"schema_version": 1, "config_hash": "abc"}
    return from_row(row)


@pytest.mark.parametrize("path", sorted(ROOT.glob("reports/*/data/results.csv")), ids=lambda path: path.parts[-3])
def test_columns_are_those_of_committed_results_in_their_order(path: Path) -> None:
    """Older ones lack some, which `complete` adds."""
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    assert list(columns()) == list(csv_row(made()))
    assert [name for name in columns() if name in header] == header
    assert {*columns()} - {*header} <= added()


def test_what_an_older_result_lacks_is_none_and_it_is_ranked_on_the_validation_part(tmp_path: Path) -> None:
    old = {name: value for name, value in json_row(made()).items() if name not in added()}
    (tmp_path / "result.json").write_text(json.dumps(old))
    result = load_result(tmp_path)
    assert (result.bpb, result.ranked.scored_on, result.val_bpb) == (2.5, "val", 2.5)
    assert (result.test.test_bpb, result.corpus.language, result.scores.eval_bytes) == (None, None, None)
    assert result.corpus.scored_sha256 == result.corpus.val_sha256
    assert {name for name, value in json_row(result).items() if value is None} >= added() - {"bpb", "scored_on"}


def test_a_result_comes_back_from_its_file(tmp_path: Path) -> None:
    save_result(tmp_path, made())
    data = json.loads((tmp_path / "result.json").read_bytes())
    assert list(data) == list(columns())
    assert data == json_row(made())
    assert load_result(tmp_path) == made()
    assert has_result(tmp_path, "abc")
    assert not has_result(tmp_path, "abd")


def test_parts_have_the_names_that_people_type() -> None:
    result = made()
    assert (result.name, result.val_bpb) == ("x", 2.5)
    corpus = json_row(result.corpus)
    assert {corpus[name] for name in ("corpus", "corpus_sha256", "val_sha256")} == {"x"}
    assert (result.bpb, result.corpus.scored_sha256) == (2.5, "y"), "of the test part, where there is one"
    assert (result.tokenizer.kind, result.machine.name) == (json_row(result)["tokenizer"], json_row(result)["machine"])


def test_text_in_a_table() -> None:
    row = csv_row(made())
    assert (row["versions"], row["settings"], row["tuned"]) == ("python=3", '{"model.n_embd": 8}', "a; b")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("{", "not JSON"),
        ("[]", "got schema_version None, expected 1; run again"),
        ({"schema_version": 2}, "got schema_version 2, expected 1"),
        ({"val_bpb": "2.5"}, "val_bpb missing or of another type than expected; delete it and run again"),
        ({"steps": 0, "flops": -1.0}, "steps, flops missing or of another type"),
        ({"threads": 1.5, "settings": []}, "settings, threads missing or of another type"),
    ],
)
def test_what_is_no_result_is_said_in_a_line(tmp_path: Path, damage: Any, said: str) -> None:
    text = damage if isinstance(damage, str) else json.dumps(json_row(made()) | damage)
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match=said) as error:
        load_result(tmp_path)
    assert "\n" not in str(error.value)
    assert not has_result(tmp_path, "abc")


def test_a_whole_number_may_stand_for_a_float(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(json_row(made()) | {"val_bpb": 2}))
    assert load_result(tmp_path).val_bpb == 2


def test_no_result_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no finished run there \(No such file or directory: result\.json\)"):
        load_result(tmp_path)
