"""A corpus under a tokenizer: ids, the bytes that each stands for, and the batches of every step."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokexp.cache import cached, source_hash
from tokexp.config import InputError
from tokexp.corpus import Corpus
from tokexp.files import write_json
from tokexp.provenance import versions
from tokexp.tokenizer import Tokenizer, identity, load_tokenizer, train_tokenizer
from tokexp.tokenizer.split import SAFE_CUT, pieces

SOURCES = [Path(__file__), *Path(__file__).with_name("tokenizer").glob("*.py")]


@dataclass(frozen=True)
class TokenStream:
    """A text as ids, in the smallest unsigned type that holds the vocabulary, and where each begins."""

    ids: np.ndarray  # (tokens,)
    starts: np.ndarray  # (tokens + 1,) int64, in bytes; the last is the length of the text

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_bytes(self) -> int:
        return int(self.starts[-1])


@dataclass(frozen=True)
class TokenizedCorpus:
    train: TokenStream
    train_slice: TokenStream  # the beginning of train, as long as val: what a training loss is measured on
    val: TokenStream

    @property
    def context_id(self) -> int:
        """What stands before the held-out text: the last id of the training part."""
        return int(self.train.ids[-1])


@dataclass(frozen=True)
class Prepared:
    """A tokenizer that learned from a corpus, and the corpus in its ids."""

    tokenizer: Tokenizer
    data: TokenizedCorpus
    tokenizer_train_seconds: float
    tokenizer_encode_seconds: float  # for the training part


def prepare(kind: str, settings: dict[str, Any], corpus: Corpus) -> Prepared:
    """Train the tokenizer and encode both parts, or take what an earlier run has made of the same.

    The arrays are mapped from files, not read into memory.
    Raises InputError for what the user can put right, ValueError for a tokenizer that lies.
    """
    what = {
        "kind": kind,
        "settings": identity(settings),
        "train": corpus.train_sha256,
        "val": corpus.val_sha256,
        "code": source_hash(*SOURCES),
        "versions": versions("regex", "tokenizers", "sentencepiece"),
    }

    def build(folder: Path) -> None:
        began = time.perf_counter()
        tokenizer = train_tokenizer(kind, corpus.train, **settings)
        trained = time.perf_counter()
        tokenizer.save(folder / "tokenizer.json")
        check_claim(tokenizer, corpus.val)
        encoding = time.perf_counter()
        write_stream(tokenizer, stretches(tokenizer, corpus.train), folder, "train")
        seconds = {"train": trained - began, "encode": time.perf_counter() - encoding}
        write_stream(tokenizer, stretches(tokenizer, corpus.train[: len(corpus.val)]), folder, "train_slice")
        write_stream(tokenizer, stretches(tokenizer, corpus.val), folder, "val")
        write_json(folder / "seconds.json", seconds)

    folder = cached(what, build)
    streams = {name: read_stream(folder, name) for name in ("train", "train_slice", "val")}
    seconds = json.loads((folder / "seconds.json").read_bytes())
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    return Prepared(tokenizer, TokenizedCorpus(**streams), seconds["train"], seconds["encode"])


def require_length(corpus: Corpus, data: TokenizedCorpus, block_size: int) -> None:
    """Raise InputError for a training part too short for one sequence of `block_size`."""
    if len(data.train) <= block_size:
        raise InputError(
            f"corpus {corpus.name}: the training part is {len(data.train)} tokens, expected at least "
            f"{block_size + 1} for block_size={block_size}; give a longer text or a smaller model.block_size "
            "(data.block_bytes, where that is set)"
        )


def encode_array(tokenizer: Tokenizer, text: str) -> np.ndarray:
    """The ids of `text`, (tokens,) in the smallest unsigned type that holds the vocabulary."""
    return np.array(tokenizer.encode(text), dtype=id_type(tokenizer))


def id_type(tokenizer: Tokenizer) -> np.dtype:
    return np.dtype(np.min_scalar_type(tokenizer.vocab_size - 1))


def encode_stream(tokenizer: Tokenizer, text: str) -> TokenStream:
    """`text` under `tokenizer`, in memory. Raises InputError where it has no tokens."""
    ids, starts = _encode(tokenizer, text)
    if not len(ids):
        raise InputError(
            f"a text of {len(text.encode())} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text"
        )
    return TokenStream(ids, np.append(starts, len(text.encode())))


def _encode(tokenizer: Tokenizer, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids, and where in the text each begins, in bytes."""
    ids, spans = tokenizer.encode_with_spans(text)
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    check_spans(tokenizer, ids, edges, text.encode())
    return np.array(ids, dtype=id_type(tokenizer)), edges[:, 0]


def check_spans(tokenizer: Tokenizer, ids: list[int], spans: np.ndarray, raw: bytes) -> None:
    """Raise ValueError where spans (tokens, 2) do not tile `raw`, or a lossless kind's ids do not write it.

    Quick enough for every text that is encoded, the training part included. That the tokens' bytes, end
    to end, are the text is what lossless means: nothing that was folded, collapsed or normalised passes.
    """
    liar = f"tokenizer kind {tokenizer.kind!r}"
    if len(ids) != len(spans):
        raise ValueError(f"{liar}: got {len(spans)} spans, expected {len(ids)}, one a token; correct its spans")
    starts, ends = spans[:, 0], spans[:, 1]
    due = np.concatenate([[0], ends[:-1]])
    if len(wrong := np.flatnonzero((starts != due) | (ends < starts))):
        at = wrong[0]
        raise ValueError(
            f"{liar}: got bytes {starts[at]} to {ends[at]} as the span of token {at}, expected it to begin at "
            f"{due[at]} and not to end before; make its spans tile the text"
        )
    if len(spans) and ends[-1] != len(raw):
        raise ValueError(
            f"{liar}: got spans that end at byte {ends[-1]}, expected the text's end at {len(raw)}; "
            "count UTF-8 bytes of the text that was given, not characters nor what decoding gives back"
        )
    if not tokenizer.lossless:
        return
    written = tokenizer.token_bytes()
    lengths = np.array([len(piece) for piece in written])[np.array(ids, dtype=np.int64)]
    if b"".join([written[i] for i in ids]) != raw or not np.array_equal(lengths, ends - starts):
        pairs = ((written[i], raw[start:end]) for i, (start, end) in zip(ids, spans.tolist(), strict=True))
        at, got, expected = next(((n, *pair) for n, pair in enumerate(pairs) if pair[0] != pair[1]), (0, b"", raw))
        raise ValueError(
            f"{liar} declares itself lossless, but the bytes of token {at} are not those of its span: "
            f"got {got[:40]!r}, expected {expected[:40]!r}; correct token_bytes() or the spans, or declare it lossy"
        )


def stretches(tokenizer: Tokenizer, text: str) -> Iterable[str]:
    """`text` in parts that can be encoded one by one."""
    return pieces(text) if tokenizer.cuts_at_spaces else [text]


def file_stretches(path: Path, characters: int = 1 << 20) -> Iterator[str]:
    """A UTF-8 file in parts that can be encoded one by one, never more than a few of them in memory."""
    rest = ""
    with path.open(encoding="utf-8", newline="") as file:
        while block := file.read(characters):
            rest += block
            cuts = list(SAFE_CUT.finditer(rest, max(0, len(rest) - characters // 2)))
            if cuts:
                yield rest[: cuts[-1].start()]
                rest = rest[cuts[-1].start() :]
    yield rest


def encode_file(tokenizer: Tokenizer, path: Path, folder: Path, name: str = "text") -> TokenStream:
    """A file too large for memory under `tokenizer`: written to `folder` part by part, and mapped from there."""
    parts = file_stretches(path) if tokenizer.cuts_at_spaces else [path.read_bytes().decode("utf-8")]
    write_stream(tokenizer, parts, folder, name)
    return read_stream(folder, name)


def write_stream(tokenizer: Tokenizer, parts: Iterable[str], folder: Path, name: str) -> None:
    """Encode `parts` one by one into NAME.ids and NAME.starts, arrays without a header, and NAME.json."""
    position = tokens = 0
    with (folder / f"{name}.ids").open("wb") as ids_file, (folder / f"{name}.starts").open("wb") as starts_file:
        for part in parts:
            ids, starts = _encode(tokenizer, part)
            if tokens == 0:
                starts[:1] = -position  # what came before the first token belongs to it
            ids.tofile(ids_file)
            (starts + position).tofile(starts_file)
            position, tokens = position + len(part.encode()), tokens + len(ids)
        np.array([position], dtype=np.int64).tofile(starts_file)
    if tokens == 0:
        raise InputError(
            f"{name}: a text of {position} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text"
        )
    write_json(folder / f"{name}.json", {"dtype": id_type(tokenizer).str, "tokens": tokens})


def read_stream(folder: Path, name: str) -> TokenStream:
    """What `write_stream` wrote, mapped read-only."""
    shape = json.loads((folder / f"{name}.json").read_bytes())
    ids = np.memmap(folder / f"{name}.ids", dtype=shape["dtype"], mode="r", shape=(shape["tokens"],))
    starts = np.memmap(folder / f"{name}.starts", dtype=np.int64, mode="r", shape=(shape["tokens"] + 1,))
    return TokenStream(ids, starts)


def check_claim(tokenizer: Tokenizer, text: str) -> None:
    """Raise ValueError where a tokenizer declares itself lossless and `text` shows that it is not."""
    if not tokenizer.lossless:
        return
    got = tokenizer.decode(tokenizer.encode(text))
    if got != text:
        at = next((i for i, (a, b) in enumerate(zip(got, text, strict=False)) if a != b), min(len(got), len(text)))
        raise ValueError(
            f"tokenizer kind {tokenizer.kind!r} declares itself lossless, but decode(encode(text)) differs from text "
            f"at character {at}: got {got[at : at + 20]!r}, expected {text[at : at + 20]!r}; "
            "correct encode() or decode(), or declare it lossy"
        )


def batch_offsets(seed: int, step: int, train_tokens: int, batch_size: int, block_size: int) -> np.ndarray:
    """Where the sequences of a step begin, (batch_size,) int64: a pure function of the seed and the step.

    Each sequence reads `block_size` ids from its offset and predicts those one further on.
    """
    return np.random.default_rng((seed, step)).integers(0, train_tokens - block_size, size=batch_size)
