"""Trains a tokenizer on a corpus and encodes its parts, once for all runs that ask for the same."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.data.corpus import Corpus, cached_for, place_for
from tokexp.data.part import Part
from tokexp.encoding.checks import check_claim
from tokexp.encoding.encode import write_stream
from tokexp.encoding.stream import TokenStream, read_stream, separator_of
from tokexp.system.files import write_json
from tokexp.tokenizer import Tokenizer, identity, load_tokenizer, train_tokenizer

HELD_OUT = "held_out."  # before the names of further texts


@dataclass(frozen=True)
class TokenizedCorpus:
    """A corpus in the ids of one tokenizer."""

    train: TokenStream
    train_slice: TokenStream  # the beginning of train, as long as what evaluations read: what a training loss is of
    val: TokenStream
    test: TokenStream | None = None
    held_out: dict[str, TokenStream] = field(default_factory=dict)

    @property
    def context_id(self) -> int:
        """The id before a held-out text: the last one of the training part, between documents their separator."""
        return int(self.train.ids[-1])

    @property
    def scored(self) -> TokenStream:
        """What runs are ranked on."""
        return self.val if self.test is None else self.test


@dataclass(frozen=True)
class Prepared:
    """A tokenizer that learned from a corpus, and the corpus in its ids."""

    tokenizer: Tokenizer
    data: TokenizedCorpus
    tokenizer_train_seconds: float
    tokenizer_encode_seconds: float  # for the training part
    tokenizer_train_bytes: int  # of the training part, that it learned from


def prepare(
    kind: str,
    settings: dict[str, Any],
    corpus: Corpus,
    *,
    train_bytes: int | None = None,
    eval_bytes: int | None = None,
) -> Prepared:
    """Train a tokenizer and encode every part, or take what an earlier run has kept.

    `train_bytes`: of the training part, that the tokenizer learns from, at most; `eval_bytes`: of the validation part,
    that evaluations read: the training loss is of as much of the training part. None is all.
    The arrays are mapped from files, not read into memory. Raises InputError for what the user can put right,
    ValueError for a tokenizer whose spans do not tile the text or whose claim to be lossless is false.
    """
    learns_from = corpus.train.sample(train_bytes)
    parts = _parts(corpus, eval_bytes)

    def build(folder: Path) -> None:
        _build(kind, settings, learns_from, parts, folder)

    folder = cached_for(corpus, _what(kind, settings, learns_from, parts), build, __name__, resumable=True)
    streams = {name: read_stream(folder, name) for name in parts}
    seconds = json.loads((folder / "seconds.json").read_bytes())
    data = TokenizedCorpus(
        **{name: stream for name, stream in streams.items() if not name.startswith(HELD_OUT)},
        held_out={name: streams[HELD_OUT + name] for name in corpus.held_out},
    )
    loaded = load_tokenizer(folder / "tokenizer.json")
    return Prepared(loaded, data, seconds["train"], seconds["encode"], learns_from.n_bytes)


def is_prepared(
    kind: str, settings: dict[str, Any], corpus: Corpus, train_bytes: int | None, eval_bytes: int | None
) -> bool:
    """Whether an earlier run has kept what `prepare` makes."""
    what = _what(kind, settings, corpus.train.sample(train_bytes), _parts(corpus, eval_bytes))
    return place_for(corpus, what, __name__).exists()


def _what(kind: str, settings: dict[str, Any], learns_from: Part, parts: dict[str, Part]) -> dict[str, Any]:
    sizes = {"train_bytes": learns_from.n_bytes, "slice": parts["train_slice"].n_bytes}
    return {"tokenizer": kind, "settings": identity(settings), **sizes}


def _parts(corpus: Corpus, eval_bytes: int | None) -> dict[str, Part]:
    """What is encoded, the longest first, since what is wrong with a tokenizer shows in any."""
    slice_bytes = min(corpus.val.n_bytes, eval_bytes or corpus.val.n_bytes)
    parts = {"train": corpus.train, "train_slice": _slice(corpus, slice_bytes), "val": corpus.val}
    if corpus.test is not None:
        parts["test"] = corpus.test
    return parts | {HELD_OUT + name: part for name, part in corpus.held_out.items()}


def _slice(corpus: Corpus, n_bytes: int) -> Part:
    """The beginning of the training part: of a single text as many characters as evaluations read, else documents."""
    if corpus.train.separated:
        return corpus.train.head(n_bytes)
    characters = len(corpus.val.head(n_bytes).text)
    return Part.of_text(corpus.train.head(4 * n_bytes).text[:characters])


def _build(kind: str, settings: dict[str, Any], learns_from: Part, parts: dict[str, Part], folder: Path) -> None:
    """Fill a folder, which an earlier process may have begun to fill."""
    saved, timed = folder / "tokenizer.json", folder / "trained.json"
    if not (saved.exists() and timed.exists()):
        began = time.perf_counter()
        tokenizer = train_tokenizer(kind, learns_from.lines, **settings)
        write_json(timed, time.perf_counter() - began)
        tokenizer.save(saved)
    tokenizer = load_tokenizer(saved)
    if learns_from.separated:
        separator_of(tokenizer)  # refused now rather than after hours
    check_claim(tokenizer, parts["val"].head(1 << 20).text)
    seconds = {"train": json.loads(timed.read_bytes())}
    for name, part in parts.items():
        began = time.perf_counter()
        write_stream(tokenizer, part, folder, name)
        if name == "train":
            seconds["encode"] = time.perf_counter() - began
    timed.unlink()
    write_json(folder / "seconds.json", seconds)


def require_length(corpus: Corpus, data: TokenizedCorpus, block_size: int) -> None:
    """Raise InputError for a training part too short for one sequence of `block_size`."""
    if len(data.train) <= block_size:
        raise InputError(
            f"corpus {corpus.name}: the training part is {len(data.train)} tokens, expected at least "
            f"{block_size + 1} for block_size={block_size}; give a longer text or a smaller model.block_size "
            "(data.block_bytes, where that is set)"
        )
