"""Reads a tokenizer that you already have: a Hugging Face `tokenizer.json`, a SentencePiece `.model`, tiktoken ranks.

Whether it loses anything is not taken on trust: it is declared lossless only where it returns the
training text and a probe of awkward characters exactly. What a lossy one drops is charged for.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import sentencepiece
import tokenizers

from tokexp.config import InputError
from tokexp.data.text import read_file
from tokexp.system.reading import parse_json
from tokexp.tokenizer.base import Span, Tokenizer, refuse_surrogates, spans_of_ends, spans_of_lengths
from tokexp.tokenizer.foreign.sp import SPACE
from tokexp.tokenizer.gpt2 import BYTE_OF_CHAR, written
from tokexp.tokenizer.merges import Merges
from tokexp.tokenizer.split import PretokenEncoder, splitter

PROBE = "Ab  c\t\r\n\n é e\u0301 ﬁ İ ß ½ 日本 👩\u200d👩 \0 ▁ Ġ <unk> [UNK] </s> <|endoftext|> A"
ENDS = ("<|endoftext|>", "</s>", "<eos>", "<|end_of_text|>", "<|im_end|>", "[SEP]")  # the first that a file has counts


@dataclass(frozen=True)
class Foreign:
    """A tokenizer from a file, whichever its format."""

    written: list[bytes]  # by id; b"" for specials and the unknown token
    encode: Callable[[str], tuple[list[int], list[Span]]]
    decode: Callable[[list[int]], str]
    unk_id: int | None = None
    eos_id: int | None = None  # None where it has no token for an end


class FileTokenizer(Tokenizer):
    kind: ClassVar[str] = "file"
    trained_on = "external"
    cuts_at_spaces = False  # nobody knows

    def __init__(self, content: bytes, pattern: str, lossless: bool) -> None:
        self.content, self.pattern, self.lossless = content, pattern, lossless
        self._foreign = _read(content, pattern)
        self.unk_id, self.eos_id = self._foreign.unk_id, self._foreign.eos_id

    @classmethod
    def train(cls, text: str, *, path: str | None = None, pattern: str = "gpt4", vocab_size: None = None) -> Self:
        """Read the file at `path`; `pattern` says how tiktoken ranks cut text, which their file does not."""
        if path is None:
            raise InputError(
                "tokenizer=file needs tokenizer.path: a tokenizer.json, a SentencePiece .model or tiktoken ranks"
            )
        content = read_file(Path(path))
        try:
            tokenizer = cls(content, pattern, lossless=False)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        lossless = all(tokenizer._returns(sample) for sample in (PROBE, text))
        return cls(content, pattern, lossless) if lossless else tokenizer

    def _returns(self, text: str) -> bool:
        """Whether `text` comes back, and each token writes its own bytes of it."""
        ids, _ = self._foreign.encode(text)
        return self.decode(ids) == text and b"".join(self._foreign.written[i] for i in ids) == text.encode()

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        return self._foreign.encode(text)[0]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        refuse_surrogates(text)
        ids, spans = self._foreign.encode(text)
        if self.lossless:  # where a token is only a part of a character, its bytes say more than its place
            return ids, spans_of_lengths([len(self._foreign.written[i]) for i in ids])
        return ids, spans

    def decode(self, ids: list[int]) -> str:
        return self._foreign.decode(ids)

    def token_bytes(self) -> list[bytes]:
        return list(self._foreign.written)

    def to_json(self) -> dict[str, Any]:
        content = base64.b64encode(self.content).decode("ascii")
        return {"content": content, "pattern": self.pattern, "lossless": self.lossless}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(base64.b64decode(data["content"], validate=True), data["pattern"], data["lossless"])


def _read(content: bytes, pattern: str) -> Foreign:
    """Read `content` in whichever of the three formats it is."""
    try:
        settings = parse_json(content)
    except ValueError:
        settings = None
    if isinstance(settings, dict) and "model" in settings:
        return _hugging_face(settings)
    if not content:
        raise InputError("got an empty file, expected tokenizer.json, .model or tiktoken ranks")
    ranks = _ranks(content)
    return _tiktoken(ranks, pattern) if ranks else _sentencepiece(content)


def _hugging_face(settings: dict[str, Any]) -> Foreign:
    """Read a `tokenizer.json`. Its special tokens are taken out of the library's hands: in a text they are text."""
    added = [token for token in settings.get("added_tokens", []) if not token.get("special")]
    unk_name = settings["model"].get("unk_token")
    try:
        plain = {**settings, "added_tokens": added, "truncation": None, "padding": None}
        library = tokenizers.Tokenizer.from_str(json.dumps(plain))
    except Exception as error:  # the library raises bare Exceptions
        raise InputError(f"Hugging Face's tokenizers cannot read it ({error})") from error
    shown: dict[int, str] = {i: piece for piece, i in library.get_vocab().items()}
    specials = {token["content"] for token in settings.get("added_tokens", []) if token.get("special")} | {unk_name}
    byte_level = '"ByteLevel"' in json.dumps([settings.get("pre_tokenizer"), settings.get("decoder")])

    def write(piece: str) -> bytes:
        if piece in specials:
            return b""
        if byte_level and all(char in BYTE_OF_CHAR for char in piece):
            return written(piece)
        return _piece_bytes(piece.removeprefix("##"))

    bytes_of = [write(shown[i]) if i in shown else b"" for i in range(max(shown) + 1)]

    def encode(text: str) -> tuple[list[int], list[Span]]:
        encoding = library.encode(text, add_special_tokens=False)
        return encoding.ids, spans_of_ends(text, [end for _, end in encoding.offsets])

    def decode(ids: list[int]) -> str:
        if byte_level:
            return b"".join([bytes_of[i] for i in ids]).decode("utf-8", errors="replace")
        text: str = library.decode(ids, skip_special_tokens=False)
        return text

    ids_of = {shown[i]: i for i in shown if shown[i] in specials}
    end = next((ids_of[name] for name in ENDS if name in ids_of and name != unk_name), None)
    return Foreign(bytes_of, encode, decode, ids_of.get(unk_name), end)


def _sentencepiece(content: bytes) -> Foreign:
    try:
        library = sentencepiece.SentencePieceProcessor(model_proto=content)
    except RuntimeError as error:
        raise InputError("got a file of no known format, expected tokenizer.json, .model or tiktoken ranks") from error

    def write(i: int) -> bytes:
        unwritten = library.is_control(i) or library.is_unknown(i)
        return b"" if unwritten else _piece_bytes(library.id_to_piece(i))

    bytes_of = [write(i) for i in range(library.vocab_size())]

    def encode(text: str) -> tuple[list[int], list[Span]]:
        pieces = library.encode(text, return_type="proto").pieces
        ends = [piece.end for piece in pieces[:-1]] + ([len(text.encode())] if pieces else [])
        return [piece.id for piece in pieces], list(itertools.pairwise([0, *ends]))

    end = None if library.eos_id() < 0 else library.eos_id()
    return Foreign(bytes_of, encode, library.decode, library.unk_id(), end)


def _piece_bytes(piece: str) -> bytes:
    """The bytes of a piece as SentencePiece shows it: ▁ is a space, <0x41> a byte."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE, " ").encode()


def _ranks(content: bytes) -> dict[bytes, int] | None:
    """Read tiktoken's format: a line a token, its bytes in base64 and its rank. None for any other file."""
    try:
        lines = [line.split() for line in content.decode("ascii").splitlines() if line]
        return {base64.b64decode(token, validate=True): int(rank) for token, rank in lines} or None
    except (ValueError, binascii.Error):
        return None


def _tiktoken(ranks: dict[bytes, int], pattern: str) -> Foreign:
    """Turn ranks into merges of our own: a token joins the two that the tokens of lower rank make of its bytes."""
    split = splitter(pattern)
    order = sorted(ranks, key=ranks.__getitem__)
    alphabet = [token for token in order if len(token) == 1]
    if len(alphabet) != 256:
        raise InputError(f"got tiktoken ranks with {len(alphabet)} single bytes, expected all 256")
    symbol_of = {token: i for i, token in enumerate([*alphabet, *(token for token in order if len(token) > 1)])}
    pairs = []
    for token in order:
        if len(token) > 1:
            tokens = [bytes([byte]) for byte in token]
            while len(tokens) > 2:
                joins = [ranks.get(a + b, len(ranks)) for a, b in itertools.pairwise(tokens)]
                at = joins.index(min(joins))
                tokens[at : at + 2] = [tokens[at] + tokens[at + 1]]
            pairs.append((symbol_of[tokens[0]], symbol_of[tokens[1]]))
    merger = Merges(pairs, alphabet)
    id_of = [ranks[piece] for piece in merger.written]
    bytes_of = [b""] * (max(ranks.values()) + 1)
    for token, rank in ranks.items():
        bytes_of[rank] = token

    def encode_new(pretokens: list[str]) -> list[list[int]]:
        words = ["".join(chr(symbol_of[bytes([byte])]) for byte in pretoken.encode()) for pretoken in pretokens]
        return [[id_of[symbol] for symbol in word] for word in merger.apply(words)]

    encode_pretokens = PretokenEncoder(encode_new)

    def encode(text: str) -> tuple[list[int], list[Span]]:
        ids = encode_pretokens(split(text)).tolist()
        return ids, spans_of_lengths([len(bytes_of[i]) for i in ids])

    def decode(ids: list[int]) -> str:
        return b"".join([bytes_of[i] for i in ids]).decode("utf-8", errors="replace")

    return Foreign(bytes_of, encode, decode)
