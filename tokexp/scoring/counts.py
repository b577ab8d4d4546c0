"""Counts a tokenizer's own tokens: what a table of n-grams over them needs for the held-out text, in bits per byte.

The yardstick for a network on the same tokens. One that needs more has not yet learned what counting finds in seconds,
and a ranking of such networks is one of how far each is from done. Interpolated Kneser-Ney (`ngram.py`) over the ids,
fitted on the training part, restoration included. Its order is the one that is best on the validation part; where runs
are ranked on that part too, the figure flatters the table, by choosing among eight.

Not good for a long context: it sees `order - 1` tokens.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokexp.data.corpus import Corpus, cached_for
from tokexp.encoding.prepare import Prepared
from tokexp.encoding.stream import TokenStream
from tokexp.scoring.ngram import KneserNey
from tokexp.scoring.target import Target
from tokexp.system.files import sha256, write_json

COUNTED_BYTES = 5_000_000  # of the training part
ORDERS = range(1, 9)  # tried


@dataclass(frozen=True)
class TokenCounts:
    """What Kneser-Ney over a tokenizer's tokens needs for the text that ranks."""

    order: int
    bpb: float  # restoration included
    nats: list[float]  # of each document of the text, or of each of 64 blocks


def token_counts(prepared: Prepared, corpus: Corpus, targets: dict[str, Target]) -> TokenCounts:
    """The counts of a tokenizer's tokens, made once and kept; they take seconds a megabyte."""
    saved = sha256(json.dumps(prepared.tokenizer.to_json()).encode())
    what = {"token counts": saved, "kind": prepared.tokenizer.kind, "ranked on": corpus.scored_on}

    def build(folder: Path) -> None:
        vocab_size = prepared.tokenizer.vocab_size
        counts = count(prepared.data.train, vocab_size, targets["val"], targets[corpus.scored_on])
        write_json(folder / "counts.json", dataclasses.asdict(counts))

    modules = (__name__, KneserNey.__module__, Target.__module__, type(prepared.tokenizer).__module__)
    folder = cached_for(corpus, what, build, *modules)
    return TokenCounts(**json.loads((folder / "counts.json").read_bytes()))


def count(train: TokenStream, vocab_size: int, val: Target, scored: Target) -> TokenCounts:
    """Count the tokens of `train`, choose the order on `val` and score `scored`.

    The order goes up for as long as each is better than the one before.
    """
    ids = np.asarray(train.head(COUNTED_BYTES).ids, dtype=np.int64)
    model = KneserNey(ids, max(ORDERS), vocab_size)
    best, nats = 0, np.array([math.inf])
    for order in ORDERS:
        longer = model.bits(val.stream.ids, ids, order)
        if longer.sum() >= nats.sum():
            break
        best, nats = order, longer
    if scored is not val:
        nats = model.bits(scored.stream.ids, ids, best)
    score = scored.score(nats * math.log(2))
    return TokenCounts(best, score.bpb, score.nats)
