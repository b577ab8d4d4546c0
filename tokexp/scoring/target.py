"""A held-out text as models are scored on it: its tokens, what restores it from them, and the units it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokexp.data.corpus import Corpus
from tokexp.data.part import Part
from tokexp.encoding.prepare import Prepared
from tokexp.encoding.stream import TokenStream
from tokexp.scoring.blocks import block_of
from tokexp.scoring.restoration import restoration_of
from tokexp.scoring.units import DOCUMENTS, unit_of_documents, units_of
from tokexp.training.record import TextScore

LN2 = math.log(2)


@dataclass(frozen=True)
class Target:
    """A text in the ids of a tokenizer, and the bits that restore it: (tokens, 3), see `restoration.ASPECTS`."""

    name: str  # val | test | that of a further text
    text: Part
    stream: TokenStream
    restoration: np.ndarray

    @cached_property
    def restoration_nats(self) -> np.ndarray:
        """(tokens,) float64."""
        return self.restoration.sum(axis=1) * LN2

    def head(self, n_bytes: int | None) -> Target:
        """The beginning of the text, of at most so many bytes: whole documents, or whole tokens."""
        stream = self.stream.head(n_bytes)
        while len(stream) < len(self.stream) and self.text.head(stream.n_bytes).n_bytes < stream.n_bytes:
            stream = self.stream.first(len(stream) - 1)  # it ends within a character
        if len(stream) == len(self.stream):
            return self
        return Target(self.name, self.text.head(stream.n_bytes), stream, self.restoration[: len(stream)])

    def bits_per_byte(self, nats: float) -> float:
        return float(nats) / (LN2 * self.stream.n_bytes)

    def score(self, token_nats: np.ndarray, names: tuple[str, ...] = ()) -> TextScore:
        """What a model's naive nats of each token come to; `names`: of the documents."""
        total = token_nats + self.restoration_nats
        units, n = units_of(self.text)
        lines = np.zeros(n, dtype=np.int64)
        if units == DOCUMENTS:
            of_document = unit_of_documents(len(self.text))
            unit = of_document[self.stream.document_of]
            counts = [document.count("\n") for document in self.text.documents()]
            lines = np.bincount(of_document, weights=counts, minlength=n).astype(np.int64)
        else:
            unit = block_of(self.stream.starts)
        return TextScore(
            name=self.name,
            sha256=self.text.sha256,
            units=units,
            names=list(names) if n == len(names) else [],
            bytes=np.bincount(unit, weights=self.stream.lengths, minlength=n).astype(np.int64).tolist(),
            tokens=np.bincount(unit, minlength=n).tolist(),
            lines=lines.tolist(),
            nats=np.bincount(unit, weights=total, minlength=n).tolist(),
            bpb_naive=self.bits_per_byte(token_nats.sum()),
            bpb=self.bits_per_byte(total.sum()),
        )


def make_targets(prepared: Prepared, corpus: Corpus) -> dict[str, Target]:
    """Every held-out text of a corpus by its name, under a tokenizer."""
    data = prepared.data
    texts = {"val": (corpus.val, data.val)}
    if corpus.test is not None and data.test is not None:
        texts["test"] = (corpus.test, data.test)
    texts |= {name: (part, data.held_out[name]) for name, part in corpus.held_out.items()}
    return {
        name: Target(name, part, stream, restoration_of(prepared.tokenizer, corpus, part).bits)
        for name, (part, stream) in texts.items()
    }
