"""A report's data, read back: whole, or refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from made_up import run, segments, study, write_data

from tokexp.config import InputError
from tokexp.runs.study import read_study
from tokexp.system.files import sha256
from tokexp.tokenizer.base import saved_text


def test_data_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    """As when rows were joined by hand: a run's evaluations are gone, or it ended in no number."""
    whole = study([run("char"), run("bpe")])
    write_data(whole, tmp_path)
    assert len(read_study("x", tmp_path).results) == 2
    for table in ("curves", "blocks"):
        rows = getattr(whole, table)
        write_data(dataclasses.replace(whole, **{table: rows[rows.name != whole.results.name[1]]}), tmp_path)
        with pytest.raises(InputError, match=f"{table}.csv: has no rows of bpe-s0-"):
            read_study("x", tmp_path)
    for bad in (np.nan, np.inf):
        write_data(dataclasses.replace(whole, results=whole.results.assign(val_bpb=[2.0, bad])), tmp_path)
        with pytest.raises(InputError, match=r"val_bpb of bpe-s0-.* is no finite number"):
            read_study("x", tmp_path)


def test_what_a_run_cannot_have_none_of(tmp_path: Path) -> None:
    whole = study([run("char"), run("bpe")])
    for column in ("steps", "flops", "params_total"):
        write_data(dataclasses.replace(whole, results=whole.results.assign(**{column: [1, 0]})), tmp_path)
        with pytest.raises(InputError, match=rf"results\.csv: .*a {column} of bpe-s0-.* that is no .* above 0"):
            read_study("x", tmp_path)


def test_segments_in_the_data(tmp_path: Path) -> None:
    write_data(study([run("char")]), tmp_path)
    assert read_study("x", tmp_path).segments == []
    (tmp_path / "segments.jsonl").unlink()
    assert read_study("x", tmp_path).segments == [], "of runs from before they were left"
    rows = [{"name": "x", **row} for row in segments(4)]
    (tmp_path / "segments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_study("x", tmp_path).segments == rows


def test_tokenizers_in_the_data(tmp_path: Path) -> None:
    write_data(study([run("char")]), tmp_path)
    assert read_study("x", tmp_path).tokenizers == {}, "of studies from before they were kept"
    saved = {"format": "tokexp-tokenizer", "version": 1, "kind": "byte"}
    row = {"tokenizer_sha256": sha256(saved_text(saved).encode()), "tokenizer": saved}
    (tmp_path / "tokenizers.jsonl").write_text(json.dumps(row))
    assert read_study("x", tmp_path).tokenizers == {row["tokenizer_sha256"]: saved}
    (tmp_path / "tokenizers.jsonl").write_text(json.dumps(row | {"tokenizer": saved | {"kind": "char"}}))
    with pytest.raises(InputError, match="has another tokenizer"):
        read_study("x", tmp_path)
