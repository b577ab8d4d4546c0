"""What of a finished run is written down beside its scores: its samples, how they read, facts of text and tokenizer."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from tokexp.config import RunConfig
from tokexp.data.corpus import Corpus
from tokexp.encoding.prepare import Prepared
from tokexp.model.generate import sample_chars, sample_tokens
from tokexp.model.gpt import GPT
from tokexp.scoring.baselines import baselines
from tokexp.scoring.intrinsic import intrinsic
from tokexp.scoring.samples.readability import Reader
from tokexp.system.files import sha256
from tokexp.tokenizer import Tokenizer


def draw_samples(model: GPT, tokenizer: Tokenizer, cfg: RunConfig) -> list[dict[str, Any]]:
    """The seed experiment's sample of equal tokens first, then at each temperature those of equal characters."""
    common = {"arm": cfg.arm, "seed": cfg.seed, "prompt": cfg.sample.prompt}
    by_tokens = sample_tokens(model, tokenizer, cfg.sample, seed=cfg.seed)
    rows = [{"equal": "tokens", **common, "temperature": cfg.sample.temperature, "sample": 0, "text": by_tokens}]
    for temperature in cfg.sample.temperatures:
        at = dataclasses.replace(cfg.sample, temperature=temperature)
        for i, text in enumerate(sample_chars(model, tokenizer, at, seed=cfg.seed)):
            rows.append({"equal": "chars", **common, "temperature": temperature, "sample": i, "text": text})
    return rows


def read_samples(reader: Reader, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The readability of each sample of equal characters."""
    read = [row for row in samples if row["equal"] == "chars"]
    figures = reader.read([row["text"] for row in read])
    return [
        {**{key: row[key] for key in ("temperature", "sample")}, **without_nan(figure)}
        for row, figure in zip(read, figures, strict=True)
    ]


def facts_of_text(corpus: Corpus, reader: Reader) -> dict[str, Any]:
    """What belongs to the held-out text rather than to a run on it: baselines, and how people's passages read."""
    found = [dataclasses.asdict(baseline) for baseline in baselines(corpus)]
    return {
        "baselines": [{"baseline": row.pop("name"), **row} for row in found],
        "chars": reader.chars,
        "human": [without_nan(row) for row in reader.human()],
    }


def without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """As JSON has them: what could not be measured is null."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "val_sha256": corpus.val_sha256,
        "val_bytes": corpus.val_bytes,
    }


def tokenizer_facts(prepared: Prepared, folder: Path, corpus: Corpus) -> dict[str, Any]:
    tokenizer, val = prepared.tokenizer, prepared.data.val
    return {
        "tokenizer": tokenizer.kind,
        "tokenizer_sha256": sha256((folder / "tokenizer.json").read_bytes()),
        "trained_on": tokenizer.trained_on,
        "lossless": tokenizer.lossless,
        "vocab_size": tokenizer.vocab_size,
        "val_tokens": len(val),
        "tokenizer_train_seconds": prepared.tokenizer_train_seconds,
        "tokenizer_encode_seconds": prepared.tokenizer_encode_seconds,
        **dataclasses.asdict(intrinsic(tokenizer, corpus.val, val)),
    }
