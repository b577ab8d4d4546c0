"""Looks at the beginning of a corpus that would take long to read, for who only wants to know what it would cost."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tokexp.config import DataConfig
from tokexp.data.corpus import Corpus, is_read, load_corpus
from tokexp.data.part import Part
from tokexp.data.sources import Fields, Skipped, read_documents, source_files
from tokexp.data.text import text_files, text_name

AT_ONCE = 200_000_000  # bytes of files that are read at once, in some seconds
BEGINNING = 20_000_000  # bytes that are looked at of what is longer


def peek(cfg: DataConfig) -> tuple[Corpus, float]:
    """A corpus and 1; or one of the beginning of a longer text, and how many times as long the whole is."""
    paths = [path for path in (cfg.path, cfg.train) if path] if cfg.name in ("text", "documents") else []
    size = sum(file.stat().st_size for path in paths for file in source_files(path))
    if size <= AT_ONCE or is_read(cfg):
        return load_corpus(cfg), 1.0
    train, read = _first_documents(cfg, paths) if cfg.of_documents else _first_bytes(text_files(paths[0])[0])
    short = train.head(train.n_bytes // 10)
    test = short.head(cfg.test_bytes) if cfg.test_fraction or cfg.test is not None or cfg.test_ids else None
    corpus = Corpus(text_name(paths[0]), train, short.head(cfg.val_bytes), test, sha256="")
    return corpus, size / max(1, read)


def _first_documents(cfg: DataConfig, paths: list[Any]) -> tuple[Part, int]:
    """The first documents, and the bytes of the files that were read for them."""
    read: list[int] = []
    fields = Fields(cfg.text_field, cfg.id_field, cfg.split_field)
    size, texts = 0, []
    for document in read_documents(paths[0], fields, Skipped() if cfg.skip_bad else None, read.append):
        texts.append(document.text)
        size += len(document.text)
        if size >= BEGINNING:
            break
    return Part.of_texts(texts), sum(read)


def _first_bytes(path: Path) -> tuple[Part, int]:
    """The beginning of a single text, and its bytes."""
    with path.open("rb") as file:
        raw = file.read(BEGINNING)
    return Part.of_text(raw.decode(errors="ignore")), len(raw)


def shortened(corpus: Corpus, train_bytes: int, held_out_bytes: int) -> Corpus:
    """A corpus with less of each part, to measure a pace on."""
    return dataclasses.replace(
        corpus,
        train=_in_memory(corpus.train.head(train_bytes)),
        val=corpus.val.head(held_out_bytes),
        test=None if corpus.test is None else corpus.test.head(held_out_bytes),
        held_out={},
    )


def _in_memory(part: Part) -> Part:
    return Part.of_texts(list(part.documents())) if part.separated else Part.of_text(part.text)


def about(part: Part, times: float) -> str:
    """A part in words: its documents and bytes, "about" where `times` it is the whole."""
    documents = f"{round(len(part) * times):,} documents, " if part.separated else ""
    said = f"{documents}{np.round(part.n_bytes * times / 1e6, 1):,} MB"
    return said if times == 1 else f"about {said}"
