"""Scores trained runs on any texts, as a run is scored on its held-out text, and compares them by block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokexp.analysis.chance.statistics import text_interval
from tokexp.config import InputError
from tokexp.data.corpus import load_corpus
from tokexp.data.part import Part
from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.model.huggingface import Pretrained
from tokexp.runs.load import Run
from tokexp.scoring.bits_per_byte import score
from tokexp.scoring.blocks import BLOCKS, by_block
from tokexp.scoring.restoration import restoration_cost

LEAST_BYTES = 16 * BLOCKS  # of a text that has intervals


@dataclass(frozen=True)
class Scored:
    """A text under a run, in nats of each of its 64 blocks."""

    run: str
    text: str
    n_bytes: int
    tokens: int
    naive: np.ndarray
    restoration: np.ndarray

    @property
    def bpb(self) -> float:
        return self.per_byte(self.naive + self.restoration)

    def per_byte(self, nats: np.ndarray) -> float:
        return float(nats.sum()) / (math.log(2) * self.n_bytes)


def evaluate(run: Run | Pretrained, folder: Path, name: str, file: str, text: str) -> Scored:
    """Score the whole of `text` under a run, its restoration included."""
    if not text:
        raise InputError(f"{file}: got an empty file, expected some text")
    stream = encode_stream(run.tokenizer, text)
    naive = score(run.model, run.context_id, stream).block_nats
    return Scored(name, file, stream.n_bytes, len(stream), naive, restoration_nats(run, folder, text, stream))


def score_row(one: Scored) -> dict[str, Any]:
    """The figures of a text under a run, in bits per byte."""
    parts = {"naive": one.per_byte(one.naive), "restoration": one.per_byte(one.restoration)}
    interval = interval_of(one.naive + one.restoration, one.n_bytes)
    return {
        "run": one.run, "text": one.text, "bytes": one.n_bytes, "tokens": one.tokens,
        "bits_per_byte": one.bpb, **interval, **parts,
    }  # fmt: skip


def behind(first: Scored, other: Scored) -> dict[str, Any]:
    """How many bits per byte more a run needs than the first one on the same text, paired by block."""
    nats = (other.naive + other.restoration) - (first.naive + first.restoration)
    interval = interval_of(nats, first.n_bytes)
    return {"text": first.text, "ahead": first.run, "behind": other.run, "by": other.bpb - first.bpb, **interval}


def interval_of(nats: np.ndarray, n_bytes: int) -> dict[str, float | None]:
    """The 95 % interval over the text; none where a block of it would have a few letters only."""
    low, high = text_interval(nats, n_bytes) if n_bytes >= LEAST_BYTES else (None, None)
    return {"low": low, "high": high}


def restoration_nats(run: Run | Pretrained, folder: Path, text: str, stream: TokenStream) -> np.ndarray:
    """The nats that restore each block of `text`, (64,): zero for a tokenizer that gives it back."""
    if run.tokenizer.decode(run.tokenizer.encode(text)) == text:
        return np.zeros(BLOCKS)
    if isinstance(run, Pretrained):
        raise InputError(
            f"{folder}: its tokenizer loses some of the text, and the restoration needs the corpus of a run, "
            "which that folder has not; give the run's folder"
        )
    corpus = load_corpus(run.config.data)
    if corpus.sha256 != run.result.corpus.corpus_sha256:
        raise InputError(
            f"a lossy tokenizer's restoration needs the corpus of the run, {run.result.corpus.name} with SHA-256 "
            f"{run.result.corpus.corpus_sha256}, but got {corpus.name} with {corpus.sha256}; bring it back"
        )
    bits = restoration_cost(run.tokenizer, corpus.learned, Part.of_text(text)).bits.sum(axis=1)
    return by_block(bits * math.log(2), stream.starts)
