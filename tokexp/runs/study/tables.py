"""The rows of a study's tables: their columns, what tells them apart, and whether a file has what it should."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from tokexp.runs.identity import FIRST_VERSION
from tokexp.runs.result import POSITIVE
from tokexp.scoring.blocks import BLOCKS
from tokexp.scoring.samples.readability import MEASURES
from tokexp.system.reading import Count, Kinds, Maybe, Number, check, parse_json

TABLES = (
    "results",
    "curves",
    "blocks",
    "content",
    "readability",
    "baselines",
    "texts",
    "units",
    "counts",
)  # NAME.csv each
LATER = ("texts", "units", "counts")  # which older studies lack
# What tells rows apart of which every run of a text brings the same.
KEYS = {
    "readability": ["name", "corpus_sha256", "val_sha256", "chars", "temperature", "sample"],
    "baselines": ["corpus_sha256", "val_sha256", "baseline"],
    "units": ["name", "text", "baseline", "unit"],
    "counts": ["tokenizer_sha256", "val_sha256", "unit"],
}
TEXT_COLUMNS = (
    "name", "class", "partition", "baseline", "family", "versions", "settings", "tuned", "text", "document", "units",
)  # fmt: skip
BLOCK_COLUMNS = [f"b{i}" for i in range(BLOCKS)]
LARGEST = 1e30  # of the figures of a table

# What the rows of a run's files have, and those of a study's with the run's name.
PLACES = [(Count, Count)]
MEASURED: Kinds = dict.fromkeys(MEASURES, float | None)
CONTENT_ROW: Kinds = {"partition": str, "class": str, "bytes": Count, "bits": float}
READABILITY_ROW: Kinds = {"temperature": float, "sample": Count, **MEASURED}
DRAW: Kinds = {"equal": str, "temperature": float, "sample": Count}
SAMPLE_ROW: Kinds = {**DRAW, "arm": str, "seed": int, "prompt": str, "text": str}
PIECES: Kinds = {"of": str, "sample": Maybe(Count), "bytes": [Count], "unknown": [Count]}
SEGMENT_ROWS: dict[str, Kinds] = {  # by what they are of
    "sample": {**PIECES, **DRAW, "copied": PLACES, "new_words": PLACES},
    "held out": {**PIECES, "text": str, "bits": Maybe([float])},
}
BASELINE: Kinds = {"baseline": str, "family": str, "val_bpb": float, "val_bpb_restoration": float}
TEXT_SCORE: Kinds = {
    "name": str, "sha256": str, "units": str, "names": [str], "bytes": [Count], "tokens": [Count], "lines": [Count],
    "nats": [float], "bpb_naive": float, "bpb": float,
}  # fmt: skip
HELD_OUT_FACTS: Kinds = {
    "chars": Count,
    "human": [MEASURED],
    "baselines": [{**BASELINE, "block_nats": Maybe((float,) * BLOCKS), "unit_nats": Maybe([float])}],
}
COUNTED: Kinds = {"order": Count, "bpb": float, "nats": [float]}
RUN: Kinds = {"name": str}
TOKENIZER_ROW: Kinds = {"tokenizer_sha256": str, "tokenizer": {"kind": str}}
MISSING_RUN: Kinds = {**RUN, "state": str, "reason": str}

# The columns of the tables that a report reads; there may be others.
_SPREAD = dict.fromkeys([f"{figure}_{of}" for figure in ("loss", "grad_norm") for of in ("mean", "min", "max")], Number)
_CURVE = dict.fromkeys(["flops", "seconds", "val_bpb", "val_loss", "train_loss", "lr"], float)
_SUMS = dict.fromkeys(["bytes", "tokens", "lines"], Count)
_BPB = dict.fromkeys(["bpb_naive", "bpb"], float)
COLUMNS: dict[str, Kinds] = {
    "curves": {**RUN, "step": Count, "bytes_seen": Count, **_CURVE, **_SPREAD},
    "blocks": {**RUN, "step": Count, **dict.fromkeys(BLOCK_COLUMNS, float)},
    "content": {**RUN, **CONTENT_ROW},
    "readability": {**RUN, **READABILITY_ROW, "val_sha256": str, "chars": Count, "temperature": float | None},
    "baselines": {**BASELINE, "val_sha256": str, **dict.fromkeys(BLOCK_COLUMNS, Maybe(float | None))},
    "texts": {**RUN, "text": str, "sha256": str, "units": str, "documents": Count, **_SUMS, **_BPB},
    "units": {**RUN, "text": str, "baseline": str, "unit": Count, **_SUMS, "nats": float},
    "counts": {"tokenizer_sha256": str, "val_sha256": str, "unit": Count, **COUNTED, "nats": float},
}


def superseded(results: pd.DataFrame) -> set[str]:
    """Name the runs of which there is one of a later version of the code, of the same settings, seed and texts."""
    version = results.results_version.astype(float).fillna(FIRST_VERSION)
    what = ["arm", "settings", "seed", "corpus_sha256", "val_sha256", "test_sha256"]
    same = results[what].astype(object).fillna("").astype(str)
    latest = version.groupby([same[name] for name in what]).transform("max")
    return set(results["name"][version < latest])


def check_column(rows: pd.DataFrame, name: str, kind: Any) -> None:
    """Raise ValueError where a column is not there, or has what is not of its kind."""
    if name not in rows:
        if isinstance(kind, Maybe):
            return
        raise ValueError(f"without a column {name}")
    if name == "settings":
        for value in rows[name]:
            check(parse_json(value.encode()), dict[str, Any], name)
    of = kind.kind if isinstance(kind, Maybe) else kind
    kinds = get_args(of) or (of,)
    if not len(rows) or name in TEXT_COLUMNS or str in kinds:
        return
    if bool in kinds:
        damaged = (~rows[name].isin([True, False]) & rows[name].notna()).to_numpy(bool)
    elif is_numeric_dtype(rows[name]):
        damaged = _no_figures(rows[name].to_numpy(float), kinds)
        if name in POSITIVE:
            damaged |= rows[name].to_numpy(float) <= 0
    else:
        damaged = np.array([type(value) is not float for value in rows[name]])  # NaN, where nothing is
    if damaged.any():
        row = rows[damaged].iloc[0]
        raise ValueError(f"has a {name} of {row.get('name', row.get('baseline'))} that is no {_called(name, kinds)}")


def _no_figures(values: np.ndarray, kinds: tuple[Any, ...]) -> np.ndarray:
    """Which of `values`, which may be NaN where nothing is, are not of one of `kinds`."""
    if Number in kinds:
        return np.zeros(len(values), bool)
    damaged = np.isnan(values) if NoneType not in kinds else np.zeros(len(values), bool)
    damaged |= np.abs(values) > LARGEST
    if not {int, Count}.isdisjoint(kinds):
        damaged |= (values < 0) | (np.where(damaged, 0, values) % 1 > 0)
    return damaged


def _called(name: str, kinds: tuple[Any, ...]) -> str:
    if bool in kinds:
        return "True or False"
    above = name in POSITIVE
    if {int, Count}.isdisjoint(kinds):
        return "finite number above 0" if above else "finite number"
    return "whole number above 0" if above else "whole number from 0"
