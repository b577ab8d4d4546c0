"""The tables of a report: what was compared, in figures, as CSV and Markdown.

A table never mixes two corpora: figures over different held-out bytes are not comparable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tokexp.runs.study import Study

# Columns of each table: heading -> column of results.csv and its format.
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "bits_per_byte": {
        "naive": ("val_bpb_naive", ".3f"),
        "+ restoration": ("val_bpb_restoration", ".3f"),
        "= total": ("total", "s"),
        "best (chosen on this text)": ("best_val_bpb", ".3f"),
        "best, cross-fitted": ("best_val_bpb_crossfit", ".3f"),
        "sliding context": ("val_bpb_sliding", ".3f"),
        "less, with all segmentations": ("marginal", "s"),
    },
    "loss_per_token": {
        "vocabulary": ("vocab_size", ",.0f"),
        "characters/token": ("chars_per_token", ".2f"),
        "train, end": ("train_loss", ".3f"),
        "held out, end": ("val_loss", ".3f"),
        "train, best": ("best_train_loss", ".3f"),
        "held out, best": ("best_val_loss", ".3f"),
        "characters in the sample of equal tokens": ("sample_chars_500", ",.0f"),
    },
    "tokenizers": {
        "vocabulary": ("vocab_size", ",.0f"),
        "used": ("vocab_used", ",.0f"),
        "bytes/token": ("bytes_per_token", ".3f"),
        "tokens/word": ("fertility", ".3f"),
        "words split": ("words_split", ".1%"),
        "unknown": ("unk_rate", ".2%"),
        "byte fallback": ("byte_fallback_rate", ".2%"),
        "bytes of a token, 10/50/90 %": ("token_bytes", "s"),
        "longest": ("token_bytes_max", ",.0f"),
        "unigram entropy, bits": ("unigram_entropy", ".3f"),
        "Rényi efficiency": ("renyi_efficiency", ".3f"),
        "training, s": ("tokenizer_train_seconds", ".2f"),
        "encoding, s": ("tokenizer_encode_seconds", ".2f"),
    },
    "cost": {
        "steps": ("steps", ",.0f"),
        "tokens": ("tokens_seen", ",.0f"),
        "bytes": ("bytes_seen", ",.0f"),
        "epochs": ("epochs", ".2f"),
        "FLOPs": ("flops", ".2e"),
        "seconds": ("train_seconds", ".1f"),
        "tokens/s": ("tokens_per_second", ",.0f"),
    },
    "parameters": {
        "vocabulary": ("vocab_size", ",.0f"),
        "token embedding": ("params_token_embedding", ",.0f"),
        "position embedding": ("params_position_embedding", ",.0f"),
        "LM head": ("params_lm_head", ",.0f"),
        "transformer body": ("params_body", ",.0f"),
        "total": ("params_total", ",.0f"),
        "embedding-related": ("embedding_share", ".1%"),
    },
}


def by_corpus(results: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Runs that were scored on the same held-out bytes, and what those are called; best total first."""
    for _, group in results.groupby(["corpus", "corpus_sha256", "val_sha256"], sort=True):
        first = group.iloc[0]
        name = f"{first.corpus} ({first.val_bytes:,} held-out bytes, SHA-256 {first.val_sha256[:8]})"
        yield name, group.sort_values(["val_bpb", "name"])


def by_cell(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a cell, best first: the mean of each figure over its seeds, how many they are, and `val_bpb_half`.

    That is half the width of the 95 % interval of the mean total over the seeds (Student's t), NaN for one.
    """
    grouped = runs.assign(cell=cells(runs)).groupby("cell", sort=False)
    means = grouped.mean(numeric_only=True)
    means["seeds"] = grouped.size()
    spread = grouped.val_bpb.std(ddof=1)
    means["val_bpb_half"] = stdtrit(means.seeds - 1, 0.975) * spread / np.sqrt(means.seeds)
    return means.sort_values("val_bpb", kind="stable").reset_index()


def by_size(runs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The cells of each size of model, best first; the smallest size first."""
    means, size = by_cell(runs), dict(zip(cells(runs), runs["size"], strict=True))
    grouped = means.groupby(means.cell.map(size), sort=False)
    return sorted(((str(name), own) for name, own in grouped), key=lambda pair: float(pair[1].params_body.mean()))


def table(study: Study, runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Table `name` of TABLES over `runs`, formatted: a row a cell, and in the first table one a baseline."""
    means = by_cell(runs)
    embedding = means.params_token_embedding + means.params_position_embedding + means.params_lm_head
    lengths = [f"{a:.0f} / {b:.0f} / {c:.0f}" for a, b, c in means[[f"token_bytes_p{q}" for q in (10, 50, 90)]].values]
    total = [
        f"{bpb:.3f}" + ("" if math.isnan(half) else f" ± {half:.3f}")
        for bpb, half in means[["val_bpb", "val_bpb_half"]].values
    ]
    marginal = [
        "" if math.isnan(gain) else f"{gain:.4f} ± {1.96 * error:.4f}"
        for gain, error in means[["marginal_gain_bpb", "marginal_gain_error"]].values
    ]
    means = means.assign(
        embedding_share=embedding / means.params_total, token_bytes=lengths, total=total, marginal=marginal
    )
    rows = {"run": list(means.cell), "seeds": [str(n) for n in means.seeds]}
    for heading, (column, form) in TABLES[name].items():
        rows[heading] = ["" if pd.isna(value) else format(value, form) for value in means[column]]
    formatted = pd.DataFrame(rows)
    if name != "bits_per_byte":
        return formatted
    beside = baselines_of(study, runs)
    others = pd.DataFrame(
        {
            "run": [f"*{row.baseline} ({row.family})*" for row in beside.itertuples()],
            "naive": [f"{bpb:.3f}" for bpb in beside.val_bpb - beside.val_bpb_restoration],
            "+ restoration": [f"{bpb:.3f}" for bpb in beside.val_bpb_restoration],
            "= total": [f"{bpb:.3f}" for bpb in beside.val_bpb],
        }
    )
    order = np.argsort([*means.val_bpb, *beside.val_bpb], kind="stable")
    return pd.concat([formatted, others]).iloc[order].fillna("")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain dicts."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def baselines_of(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """The baselines over the bytes on which `runs` were scored."""
    return study.baselines[study.baselines.val_sha256 == runs.val_sha256.iloc[0]]


def labels(runs: pd.DataFrame) -> list[str]:
    """What tells the runs of one table apart: the cell, and where there are several seeds the seed."""
    names = cells(runs)
    if runs.seed.nunique() > 1:
        names = [f"{name} s{seed}" for name, seed in zip(names, runs.seed, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {digest[:8]}" for name, digest in zip(names, runs.config_hash, strict=True)]
    return names


def cells(runs: pd.DataFrame, but: str = "nothing") -> list[str]:
    """The cell of each run, all of it but the seed: its arm, and the settings that differ within the arm.

    `but`: settings whose names begin so are left out. Those that change no weight are named only where
    nothing else tells two cells apart.
    """
    what = zip(runs.arm, runs["size"], runs.trained_on, runs.settings, strict=True)
    return list(_cells(tuple(what), but))


@lru_cache(maxsize=256)  # a report asks for the same a few hundred times
def _cells(runs: tuple[tuple[str, str, str, str], ...], but: str) -> tuple[str, ...]:
    """`runs`: of each its arm, size, what it was trained on, and its settings as JSON."""
    table = pd.DataFrame([run[:3] for run in runs], columns=["arm", "size", "trained_on"])
    settings = [{k: v for k, v in json.loads(run[3]).items() if not k.startswith(but)} for run in runs]
    short = _cell_names(table, [{k: v for k, v in row.items() if not k.startswith(REPORTING)} for row in settings])
    full = _cell_names(table, settings)
    return tuple(short if len(set(short)) == len(set(full)) else full)


def tokenizer_names(runs: pd.DataFrame) -> list[str]:
    """What tells the tokenizers of `runs` apart: the cell, without what is not theirs."""
    own = [{k: v for k, v in json.loads(row).items() if k.startswith("tokenizer.")} for row in runs.settings]
    return cells(runs.assign(settings=[json.dumps(row) for row in own]))


REPORTING = ("sample.", "train.eval_every")


def _cell_names(runs: pd.DataFrame, settings: list[dict[str, Any]]) -> list[str]:
    shapes = {
        (size, json.dumps({k: v for k, v in row.items() if k.startswith("model.")}, sort_keys=True))
        for size, row in zip(runs["size"], settings, strict=True)
    }
    named = len({size for size, _ in shapes}) == len(shapes) > 1  # then its name stands for a model's settings
    keys = {}  # by arm: the settings that differ within it
    for arm in set(runs.arm):
        differ = varied([row for row, other in zip(settings, runs.arm, strict=True) if other == arm])
        keys[arm] = sorted(key for key in differ if not (named and key.startswith("model.")))
    names = []
    for arm, own, size, trained_on in zip(runs.arm, settings, runs["size"], runs.trained_on, strict=True):
        differing = [f"{key.split('.')[-1]}={own[key]}" for key in keys[arm] if key in own]
        parts = [arm, *([size] if named else []), *differing]
        names.append(" ".join([*parts, *(["(trained elsewhere)"] if trained_on == "external" else [])]))
    return names


def varied(settings: list[dict[str, Any]]) -> set[str]:
    """The keys whose values differ."""
    keys = {key for row in settings for key in row}
    return {key for key in keys if len({json.dumps(row.get(key)) for row in settings}) > 1}


def markdown(table: pd.DataFrame) -> str:
    text: str = table.to_markdown(index=False, disable_numparse=True, stralign="right")
    return text
