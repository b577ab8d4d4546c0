"""The tables of a report: what was compared, in figures, as CSV and Markdown.

A table never mixes two corpora: figures over different held-out bytes are not comparable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.analysis.store import Study
from tokexp.files import write_text

# Columns of each table: heading -> column of results.csv and its format.
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "bits_per_byte": {
        "naive": ("val_bpb_naive", ".3f"),
        "+ restoration": ("val_bpb_restoration", ".3f"),
        "= total": ("val_bpb", ".3f"),
        "best (chosen on this text)": ("best_val_bpb", ".3f"),
        "best, cross-fitted": ("best_val_bpb_crossfit", ".3f"),
        "sliding context": ("val_bpb_sliding", ".3f"),
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


def table(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Table `name` of TABLES over `runs`, formatted: a row a run, called by its arm, size and seed."""
    embedding = runs.params_token_embedding + runs.params_position_embedding + runs.params_lm_head
    lengths = [f"{a:.0f} / {b:.0f} / {c:.0f}" for a, b, c in runs[[f"token_bytes_p{q}" for q in (10, 50, 90)]].values]
    runs = runs.assign(embedding_share=embedding / runs.params_total, token_bytes=lengths)
    rows = {"run": list(labels(runs))}
    for heading, (column, form) in TABLES[name].items():
        rows[heading] = [format(value, form) for value in runs[column]]
    return pd.DataFrame(rows)


def labels(runs: pd.DataFrame) -> list[str]:
    """What tells the runs of one table apart: the cell, and where there are several seeds the seed."""
    names = cells(runs)
    if runs.seed.nunique() > 1:
        names = [f"{name} s{seed}" for name, seed in zip(names, runs.seed, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {digest[:8]}" for name, digest in zip(names, runs.config_hash, strict=True)]
    return names


def cells(runs: pd.DataFrame) -> list[str]:
    """The cell of each run, all of it but the seed: its arm, and the settings that differ within the arm."""
    settings = [json.loads(row) for row in runs.settings]
    names = []
    for arm, own, trained_on in zip(runs.arm, settings, runs.trained_on, strict=True):
        same_arm = [row for row, other in zip(settings, runs.arm, strict=True) if other == arm]
        parts = [f"{key.split('.')[-1]}={own.get(key)}" for key in sorted(varied(same_arm))]
        names.append(" ".join([arm, *parts, *(["(trained elsewhere)"] if trained_on == "external" else [])]))
    return names


def varied(settings: list[dict[str, Any]]) -> set[str]:
    """The keys whose values differ."""
    keys = {key for row in settings for key in row}
    return {key for key in keys if len({json.dumps(row.get(key)) for row in settings}) > 1}


def write_tables(study: Study, folder: Path) -> None:
    """Every table of every corpus: NAME.md formatted, NAME.csv with all digits."""
    corpora = list(by_corpus(study.results))
    for name, columns in TABLES.items():
        sections = [f"### {corpus}\n\n{markdown(table(runs, name))}" for corpus, runs in corpora]
        write_text(folder / f"{name}.md", "\n\n".join(sections) + "\n")
        raw = [column for column, _ in columns.values() if column in study.results]
        keys = ["corpus", "val_sha256", "arm", "size", "seed", "config_hash"]
        rows = pd.concat([runs for _, runs in corpora])[keys + raw]
        write_text(folder / f"{name}.csv", rows.to_csv(index=False))


def markdown(table: pd.DataFrame) -> str:
    text: str = table.to_markdown(index=False, disable_numparse=True, stralign="right")
    return text
