"""Corpora in memory: of a single text, and of documents."""

from __future__ import annotations

from tokexp.data.corpus import Corpus
from tokexp.data.part import Part
from tokexp.system.files import sha256


def corpus_of(train: str, val: str, name: str = "made") -> Corpus:
    """A single text in its two parts."""
    return Corpus(name, Part.of_text(train), Part.of_text(val), sha256=sha256((train + val).encode()))


def documents_of(train: list[str], val: list[str], test: list[str] | None = None, name: str = "made") -> Corpus:
    parts = [None if texts is None else Part.of_texts(texts) for texts in (train, val, test)]
    return Corpus(name, parts[0], parts[1], parts[2])  # type: ignore[arg-type]
