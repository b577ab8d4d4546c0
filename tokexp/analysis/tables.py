"""The tables of a report: what was compared, in figures, as CSV and Markdown.

A table never mixes two corpora: figures over different held-out bytes are not comparable.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    runs = runs.assign(embedding_share=embedding / runs.params_total)
    rows = {"run": list(labels(runs))}
    for heading, (column, form) in TABLES[name].items():
        rows[heading] = [format(value, form) for value in runs[column]]
    return pd.DataFrame(rows)


def labels(runs: pd.DataFrame) -> list[str]:
    """The shortest names that tell the runs of one table apart: arm, then size, seed and hash as needed."""
    parts = [runs.arm]
    if runs["size"].nunique() > 1:
        parts.append(runs["size"])
    if runs.seed.nunique() > 1:
        parts.append("s" + runs.seed.astype(str))
    names = [" ".join(row) for row in zip(*parts, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {digest[:8]}" for name, digest in zip(names, runs.config_hash, strict=True)]
    outside = runs.trained_on == "external"
    return [f"{name} (trained elsewhere)" if x else name for name, x in zip(names, outside, strict=True)]


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
