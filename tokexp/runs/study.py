"""A report's data: plain files beside it, gathered from run folders and enough to rebuild it without them.

results.csv     a row a run
curves.csv      a row an evaluation, with mean, least and most of each step's figures since the last
blocks.csv      a row an evaluation: total nats of each of the 64 blocks of the held-out text
content.csv     a row a run and class of bytes: total bits on it at the end
readability.csv a row a sample, and one a passage of the held-out text, which people wrote
baselines.csv   a row a held-out text and baseline, with its nats of each block where they are known
samples.jsonl   a row a sample, a few of each run
segments.jsonl  how its tokenizer cuts each of those and a held-out passage (`tokexp/scoring/samples/segments.py`)
tokenizers.jsonl  a row a tokenizer, where it is small: its sha256 and its tokenizer.json
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokexp.config import InputError
from tokexp.runs.files import MISSING, RESULTS, SAMPLES, SEGMENTS, TOKENIZERS, load_lines, table_file
from tokexp.runs.result import columns
from tokexp.scoring.blocks import BLOCKS
from tokexp.system.files import reading, sha256
from tokexp.tokenizer.base import saved_text

TABLES = ("results", "curves", "blocks", "content", "readability", "baselines")  # fields of Study, NAME.csv each
# What tells rows apart of which every run of a text brings the same.
KEYS = {
    "readability": ["name", "corpus_sha256", "val_sha256", "chars", "temperature", "sample"],
    "baselines": ["corpus_sha256", "val_sha256", "baseline"],
}
TEXT_COLUMNS = ("name", "class", "partition", "baseline", "family", "versions", "settings", "tuned")
BLOCK_COLUMNS = [f"b{i}" for i in range(BLOCKS)]


@dataclass(frozen=True)
class Study:
    name: str
    results: pd.DataFrame
    curves: pd.DataFrame
    blocks: pd.DataFrame
    content: pd.DataFrame
    readability: pd.DataFrame
    baselines: pd.DataFrame
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
    try:
        with reading(data) as place:
            tables = {table: _read_table(place(table_file(table))) for table in TABLES}
            samples = load_lines(place(SAMPLES))
            segments = load_lines(place(SEGMENTS)) if place(SEGMENTS).is_file() else []
            tokenizers = _read_tokenizers(place(TOKENIZERS))
            missing = json.loads(place(MISSING).read_bytes())
    except FileNotFoundError as error:
        if not (data / RESULTS).exists():
            raise InputError(nothing_to_report(name)) from error
        raise InputError(f"{error.filename}: is not there, beside {RESULTS}; bring it back, or run again") from error
    except (OSError, ValueError, KeyError, AttributeError) as error:  # pandas' errors of parsing are ValueErrors
        raise InputError(f"{data}: damaged ({error}); bring its files back, or run again") from error
    _require_whole(data, tables)
    return Study(name, **tables, samples=samples, missing=missing, segments=segments, tokenizers=tokenizers)


def _read_tokenizers(path: Path) -> dict[str, dict[str, Any]]:
    """Read the tokenizers of a study, which older ones lack. Raises ValueError where one is not what its row names."""
    rows = load_lines(path) if path.is_file() else []
    for row in rows:
        if sha256(saved_text(row["tokenizer"]).encode()) != row["tokenizer_sha256"]:
            raise ValueError(f"{path.name} has another tokenizer than the one of sha256 {row['tokenizer_sha256']}")
    return {row["tokenizer_sha256"]: row["tokenizer"] for row in rows}


def nothing_to_report(name: str) -> str:
    """Say in a line what is wrong where there is neither a run nor data."""
    return (
        f"report {name!r}: no finished run in runs/{name} and no reports/{name}/data; train first, for example "
        "python -m tokexp.run -m tokenizer=char,word,bpe"
    )


def _require_whole(data: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Raise InputError for a run whose figures are not all there, as in data joined by hand."""
    results = tables["results"]
    lost = {"name", "config_hash", "settings", "val_bpb"} - set(results)
    if lost:
        raise InputError(f"{data}/{RESULTS}: damaged, without a column {min(lost)}; bring it back, or run again")
    for table in ("curves", "blocks"):
        lacking = results["name"][~results["name"].isin(tables[table].get("name", []))]
        if len(lacking):
            raise InputError(
                f"{data}/{table_file(table)}: has no rows of {lacking.iloc[0]}, which {RESULTS} names; "
                "bring them back, or take the run out of both"
            )
    bpb = results.val_bpb.to_numpy(float)
    endless = [run for run, value in zip(results["name"], bpb, strict=True) if not math.isfinite(value)]
    if endless:
        raise InputError(f"{data}/{RESULTS}: has a val_bpb of {endless[0]} that is no finite number; take the run out")


def _read_table(path: Path) -> pd.DataFrame:
    """A table as it was written: text stays text, even where it looks like a number or like nothing."""
    text = [name for name, kind in columns().items() if kind in (str, str | None)]
    types = dict.fromkeys([*text, *TEXT_COLUMNS], str)
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    return table.fillna(dict.fromkeys(set(types) & set(table), ""))
