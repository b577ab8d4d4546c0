"""The result of a run: in parts, as one flat row in `result.json` and `results.csv`, and read back.

Reading results needs no torch. The flat names are those of the parts' fields, in their order, but for a
field whose metadata name another column.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

from tokexp.config import InputError
from tokexp.model.sizes import ParameterSplit
from tokexp.runs.files import RESULT
from tokexp.scoring.intrinsic import IntrinsicFigures
from tokexp.system.files import write_json
from tokexp.system.provenance import Provenance
from tokexp.system.reading import read_json, wrong
from tokexp.training.record import Cost, Scores, TestScores

SCHEMA_VERSION = 1
# What a run cannot have none of, and reports divide by.
POSITIVE = (
    "vocab_size", "params_body", "params_total", "steps", "tokens_seen", "bytes_seen", "flops", "val_bytes",
    "val_tokens", "bytes_per_token",
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """The name of a run, and its settings without the seed."""

    name: str
    sweep: str
    arm: str
    size: str
    config_hash: str
    settings: dict[str, Any]  # what the hash is of, the seed and the texts left out, by dotted name
    results_version: int | None = None  # of the code's figures, see `identity.py`; None is 2 or less


@dataclass(frozen=True)
class Machine:
    threads: int
    name: str = field(metadata={"column": "machine"})  # its processor or GPU; seconds are compared only within one
    workers: int  # runs at work on it at the same time


@dataclass(frozen=True)
class CorpusFacts:
    name: str = field(metadata={"column": "corpus"})
    corpus_sha256: str
    val_sha256: str
    test_sha256: str | None = None
    language: str | None = None  # of parallel texts, several joined by +
    train_documents: int | None = None  # this and what follows: None in older runs
    val_documents: int | None = None
    train_bytes: int | None = None
    learned_bytes: int | None = None  # of the training part, that measures without a model learn from
    documents_seen: int | None = None  # held-out documents that the training part has word for word
    records_skipped: int | None = None
    documents_sha256: str | None = None  # of all documents, whatever part each belongs to

    @property
    def scored_sha256(self) -> str:
        """Of the text that ranks."""
        return self.val_sha256 if self.test_sha256 is None else self.test_sha256


@dataclass(frozen=True)
class TokenizerFacts:
    kind: str = field(metadata={"column": "tokenizer"})
    tokenizer_sha256: str
    trained_on: str
    lossless: bool
    vocab_size: int
    tokenizer_train_bytes: int | None = None  # of the training part, that it learned from; None in older runs: all


@dataclass(frozen=True)
class Ranked:
    """What runs are ranked by, and of parallel texts the same a paragraph."""

    bpb: float  # test_bpb where there is a test part, else val_bpb
    scored_on: str  # test | val
    test_paragraphs: int | None = None  # of the text that ranks
    bits_per_paragraph: float | None = None
    tokens_per_paragraph: float | None = None


@dataclass(frozen=True)
class OwnCounts:
    """What counts of the tokenizer's own tokens need for the text that ranks (`scoring/counts.py`)."""

    ngram_order: int | None = None  # of Kneser-Ney, the best on validation; None in older runs
    ngram_bpb: float | None = None  # restoration included


@dataclass(frozen=True)
class Architecture:
    """The model's settings, with what the tokenizer decided filled in."""

    n_layer: int
    n_head: int
    n_embd: int
    block_size: int
    dropout: float
    tie_weights: bool
    norm: str
    positions: str
    n_kv_head: int | None


@dataclass(frozen=True)
class RunResult:
    """The settings of a run, its costs and its scores."""

    schema_version: int
    identity: Identity
    provenance: Provenance
    machine: Machine
    tuned: list[str]  # what was chosen by looking at the held-out text
    seed: int
    device: str
    precision: str
    corpus: CorpusFacts
    tokenizer: TokenizerFacts
    model: Architecture
    batch_size: int
    parameters: ParameterSplit
    cost: Cost
    scores: Scores
    test: TestScores
    ranked: Ranked
    counts: OwnCounts
    marginal_gain_bpb: float | None  # what all segmentations would save, see marginal.py; None without a choice
    marginal_gain_error: float | None  # its standard error
    intrinsic: IntrinsicFigures
    tokenizer_train_seconds: float
    tokenizer_encode_seconds: float
    sample_chars_500: int
    context_id: int  # the id before the held-out text

    @property
    def name(self) -> str:
        return self.identity.name

    @property
    def val_bpb(self) -> float:
        """Bits per byte of the validation part: what is chosen by."""
        return self.scores.val_bpb

    @property
    def bpb(self) -> float:
        """Bits per byte of the text that ranks, naive + restoration, at the end of the budget."""
        return self.ranked.bpb


@lru_cache
def columns() -> dict[str, Any]:
    """The flat names of a result's figures and their types, in the order of `result.json` and `results.csv`."""
    return dict(_columns(RunResult))


@lru_cache
def _fields(part: Any) -> list[tuple[str, str, Any]]:
    """Name, flat name and type of each field of a part; kept, since a report may read a thousand results."""
    kinds = get_type_hints(part)
    return [(f.name, f.metadata.get("column", f.name), kinds[f.name]) for f in dataclasses.fields(part)]


@lru_cache
def added() -> frozenset[str]:
    """The columns that results of older runs lack: those with a default, and what `complete` adds."""
    return frozenset({"bpb", "scored_on", *_defaults(RunResult)})


def _defaults(part: Any) -> Iterator[str]:
    for f, (_, column, kind) in zip(dataclasses.fields(part), _fields(part), strict=True):
        if _is_part(kind):
            yield from _defaults(kind)
        elif f.default is not dataclasses.MISSING:
            yield column


def complete(row: dict[str, Any]) -> dict[str, Any]:
    """A row of an older run with the columns that it lacks."""
    return {**dict.fromkeys(added()), "bpb": row.get("val_bpb"), "scored_on": "val", **row}


def _is_part(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind)


def _columns(part: type) -> Iterator[tuple[str, Any]]:
    for _, column, kind in _fields(part):
        if _is_part(kind):
            yield from _columns(kind)
        else:
            yield column, kind


def json_row(result: Any) -> dict[str, Any]:
    """Make a result, or a part of one, a row of `result.json`: its figures by their flat names."""
    part: Any = type(result)
    row: dict[str, Any] = {}
    for name, column, kind in _fields(part):
        value = getattr(result, name)
        row |= json_row(value) if _is_part(kind) else {column: value}
    return row


def from_row(row: dict[str, Any]) -> RunResult:
    """The result of which `json_row` makes `row`. Raises KeyError where a column is missing."""
    result: RunResult = _from_row(row, RunResult)
    return result


def _from_row(row: dict[str, Any], part: Any) -> Any:
    return part(
        **{name: _from_row(row, kind) if _is_part(kind) else row[column] for name, column, kind in _fields(part)}
    )


def csv_row(result: RunResult) -> dict[str, Any]:
    """Make a result a row of `results.csv`: versions, settings and what was tuned are text."""
    row = json_row(result)
    row["versions"] = " ".join(f"{name}={version}" for name, version in sorted(row["versions"].items()))
    row["settings"] = json.dumps(row["settings"], sort_keys=True)
    row["tuned"] = "; ".join(row["tuned"])
    return row


def tuned_names(text: str) -> list[str]:
    """What was tuned, of the text that `csv_row` makes of it."""
    return [name for name in text.split("; ") if name]


def save_result(folder: Path, result: RunResult) -> None:
    write_json(folder / RESULT, json_row(result))


def load_result(folder: Path) -> RunResult:
    """Read the result of a finished run. Raises InputError, one line, where this version can read none in `folder`."""
    path = folder / RESULT
    try:
        data = read_json(path)
    except OSError as error:
        raise InputError(f"{folder}: no finished run there ({error.strerror}: {RESULT})") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); delete it and run again") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    data = complete(data) if version == SCHEMA_VERSION else data
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: got schema_version {version}, expected {SCHEMA_VERSION}; run again")
    damaged = [name for name, kind in columns().items() if name not in data or wrong(data[name], kind)]
    damaged += [name for name in POSITIVE if name not in damaged and data[name] <= 0]
    if damaged:
        raise InputError(
            f"{path}: {', '.join(damaged)} missing or of another type than expected; delete it and run again"
        )
    return from_row(data)


def has_result(folder: Path, config_hash: str) -> bool:
    """Whether `folder` holds the finished run whose settings hash to `config_hash`."""
    try:
        return load_result(folder).identity.config_hash == config_hash
    except InputError:
        return False
