"""A report's data: plain files beside it, gathered from run folders and enough to rebuild it without them.

results.csv     a row a run
curves.csv      a row an evaluation, with mean, least and most of each step's figures since the last
blocks.csv      a row an evaluation: total nats of each of the 64 blocks of the held-out text
content.csv     a row a run and class of bytes: total bits on it at the end
readability.csv a row a sample, and one a passage of the held-out text, which people wrote
baselines.csv   a row a held-out text and baseline, with its nats of each block where they are known
texts.csv       a row a run and held-out text: its score at the end
units.csv       a row a run, held-out text and document of it (or block): its nats at the end; of baselines too
counts.csv      a row a tokenizer and document (or block) of the text that ranks: nats by counts of its tokens
samples.jsonl   a row a sample, a few of each run
segments.jsonl  how its tokenizer cuts each of those and a held-out passage (`tokexp/scoring/samples/segments.py`)
tokenizers.jsonl  a row a tokenizer, where it is small: its sha256 and its tokenizer.json
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokexp.config import InputError
from tokexp.runs.files import (
    MISSING,
    RESULTS,
    RUN_AGAIN,
    SAMPLES,
    SEGMENTS,
    TOKENIZERS,
    load_json,
    load_lines,
    reading,
    table_file,
)
from tokexp.runs.identity import FIRST_VERSION
from tokexp.runs.result import added, columns
from tokexp.runs.study.tables import (
    BLOCK_COLUMNS,
    COLUMNS,
    LATER,
    MISSING_RUN,
    PIECES,
    RUN,
    SAMPLE_ROW,
    SEGMENT_ROWS,
    TABLES,
    TEXT_COLUMNS,
    TOKENIZER_ROW,
    check_column,
)
from tokexp.system.files import reading_together, sha256
from tokexp.system.reading import TABLE_BYTES, Kinds, check, read_bytes
from tokexp.tokenizer.base import saved_text

BRING_BACK = "bring it back, or run again"
RANKED = (  # figures of the text that ranks, which is the test part or the validation part
    "bytes", "tokens", "sha256", "bpb_naive", "bpb_restoration", "bpb_restoration_spacing", "bpb_restoration_case",
    "bpb_restoration_spelling", "bpb_sliding",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    name: str
    results: pd.DataFrame
    curves: pd.DataFrame
    blocks: pd.DataFrame
    content: pd.DataFrame
    readability: pd.DataFrame
    baselines: pd.DataFrame
    texts: pd.DataFrame
    units: pd.DataFrame
    counts: pd.DataFrame
    samples: list[dict[str, Any]]
    missing: list[dict[str, str]]  # runs of the sweep that have no result: name, state and reason
    segments: list[dict[str, Any]] = field(default_factory=list)  # none of runs from before they were left
    tokenizers: dict[str, dict[str, Any]] = field(default_factory=dict)  # by tokenizer_sha256

    @cached_property
    def ends(self) -> pd.DataFrame:
        """The last row of `blocks` of each run, by its name."""
        return self.blocks.groupby("name").last()


def block_nats(rows: pd.DataFrame) -> np.ndarray:
    """The blocks of some rows of `blocks` or `baselines`: (rows, 64), NaN where they are not known."""
    return rows.reindex(columns=BLOCK_COLUMNS).to_numpy(float)


def read_study(name: str, data: Path) -> Study:
    """Read a study from its files in `data`. Raises InputError where they are not there, or damaged."""
    with reading_together(data) as place:
        due = [*(table_file(table) for table in TABLES if table not in LATER), SAMPLES, MISSING]
        lacking = [file for file in due if not place(file).exists()]
        if table_file("results") in lacking:
            raise InputError(nothing_to_report(name))
        if lacking:
            raise InputError(f"{data / lacking[0]}: is not there, beside {RESULTS}; bring it back, or run again")
        tables = {table: _read_table(place(table_file(table)), table) for table in TABLES}
        samples = load_lines(place(SAMPLES), {**RUN, **SAMPLE_ROW}, BRING_BACK)
        missing = load_json(place(MISSING), [MISSING_RUN], BRING_BACK)
        segments = load_segments(place(SEGMENTS), RUN, BRING_BACK)
        tokenizers = _read_tokenizers(place(TOKENIZERS))
    _require_whole(data, tables)
    return Study(name, **tables, samples=samples, missing=missing, segments=segments, tokenizers=tokenizers)


def _read_tokenizers(path: Path) -> dict[str, dict[str, Any]]:
    """Read the tokenizers of a study, which older ones lack. Raises InputError where one is not what its row names."""
    if not path.exists():
        return {}
    rows = load_lines(path, TOKENIZER_ROW, BRING_BACK)
    with reading(path, BRING_BACK):
        for row in rows:
            if sha256(saved_text(row["tokenizer"]).encode()) != row["tokenizer_sha256"]:
                raise ValueError(f"has another tokenizer than the one of sha256 {row['tokenizer_sha256']}")
    return {row["tokenizer_sha256"]: row["tokenizer"] for row in rows}


def load_segments(path: Path, kinds: Kinds | None = None, what_to_do: str = RUN_AGAIN) -> list[dict[str, Any]]:
    """Read the rows of a `segments.jsonl`, each of `kinds` too; none where there is no such file."""
    if not path.exists():  # of runs from before they were left
        return []
    rows = load_lines(path, {"of": str, **(kinds or {})}, what_to_do)
    with reading(path, what_to_do):
        for i, row in enumerate(rows):
            check(row, SEGMENT_ROWS.get(row["of"], PIECES), f"row {i + 1}")
    return rows


def nothing_to_report(name: str) -> str:
    """Say in a line what is wrong where there is neither a run nor data."""
    return (
        f"report {name!r}: no finished run in runs/{name} and no reports/{name}/data; train first, for example "
        "python -m tokexp.run -m tokenizer=char,word,bpe"
    )


def _require_whole(data: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Raise InputError for a run whose figures are not all there, as in data joined by hand."""
    results = tables["results"]
    twice = results["name"][results["name"].duplicated()]
    if len(twice) or not len(results):
        what = f"two rows of {twice.iloc[0]}" if len(twice) else "no rows"
        raise InputError(f"{data}/{RESULTS}: damaged, with {what}; {BRING_BACK}")
    for table in ("curves", "blocks"):
        lacking = results["name"][~results["name"].isin(tables[table]["name"])]
        if len(lacking):
            raise InputError(
                f"{data}/{table_file(table)}: has no rows of {lacking.iloc[0]}, which {RESULTS} names; "
                "bring them back, or take the run out of both"
            )
    content = tables["content"][tables["content"].partition != "context"]
    classes = {name: set(zip(rows.partition, rows["class"], strict=True)) for name, rows in content.groupby("name")}
    for _, runs in results.groupby("scored_sha256"):
        first, *others = (classes.get(run, set()) for run in runs["name"])
        if any(other != first for other in others):
            raise InputError(
                f"{data}/{table_file('content')}: has other classes for one run than another; {BRING_BACK}"
            )


def _read_table(path: Path, table: str) -> pd.DataFrame:
    """Read a table as it was written: text stays text, even where it looks like a number or like nothing."""
    text = [name for name, kind in columns().items() if kind in (str, str | None)]
    types = dict.fromkeys([*text, *TEXT_COLUMNS], str)
    if table in LATER and not path.exists():
        return pd.DataFrame(columns=[*COLUMNS[table]])
    with reading(path, BRING_BACK):
        raw = io.BytesIO(read_bytes(path, TABLE_BYTES))
        rows = pd.read_csv(raw, dtype=types, keep_default_na=False, na_values=[""])  # its errors are ValueErrors
        rows = rows.fillna(dict.fromkeys(set(types) & set(rows), ""))
        if table == "results":
            rows = complete_results(rows)
        for name, kind in COLUMNS.get(table, columns()).items():
            check_column(rows, name, kind)
        if not isinstance(rows.index, pd.RangeIndex):
            raise ValueError("has rows of more fields than columns")
        return rows


def complete_results(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of results.csv with the columns that those of older runs lack, and what is ranked under one name."""
    rows = rows.reindex(columns=[*rows, *(name for name in columns() if name in added() and name not in rows)])
    rows["bpb"] = rows.bpb.astype(float).fillna(rows.val_bpb)
    rows["results_version"] = rows.results_version.astype(float).fillna(FIRST_VERSION)
    rows["scored_on"] = rows.scored_on.astype(object).fillna("val").replace("", "val")
    on_test = rows.scored_on == "test"
    for name in RANKED:
        called = f"scored_{name}" if name in ("bytes", "tokens", "sha256") else name
        rows[called] = rows[f"val_{name}"].where(~on_test, rows[f"test_{name}"])
    return rows
