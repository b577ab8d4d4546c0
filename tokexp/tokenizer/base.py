"""Defines the protocol of every tokenizer, and reads and writes `tokenizer.json`.

Nothing here knows a kind; the kinds know nothing of each other.
"""

from __future__ import annotations

import codecs
import itertools
import json
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from tokexp.config import InputError
from tokexp.system.files import write_text
from tokexp.system.reading import read_json as read_any_json

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")  # ids 0 to 3 of every kind trained here; never made from text
PAD, UNK, BOS, EOS = range(4)

FORMAT_VERSION = 1

NO_UTF8 = frozenset([0xC0, 0xC1, *range(0xF5, 0x100)])  # bytes that no text has

Span = tuple[int, int]  # start and end, in UTF-8 bytes of the text that was encoded


class Tokenizer(Protocol):
    """Text to ids and back. A kind is one class that fills this in; its contract is
    `tests/tokenizer/test_contract.py`.

    First stands what a kind must have, then what it inherits and may replace.
    """

    kind: ClassVar[str]
    lossless: bool  # declares decode(encode(s)) == s for every s that has a UTF-8 form; checked before use
    trained_on: str = "train"  # "external" for what learned from something else than the training part
    unk_id: int | None = UNK  # what stands for the unknown in kinds that are not lossless
    eos_id: int | None = EOS  # what stands after a document, where there are several; never made from text
    exact_but_unk: bool = False  # every id stands for its own bytes, and UNK for one character: it is all that is lost
    cuts_at_spaces: bool = True  # a text may be encoded in `split.chunks`, and the ids joined

    @classmethod
    def train(cls, text: str) -> Self:
        """Learn from `text`; a kind's settings are further keyword-only arguments, each with a default."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; never a special, except UNK in kinds that are not lossless."""
        ...

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        ...

    def token_bytes(self) -> list[bytes]:
        """The bytes that each id writes, by id; b"" for specials."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The plain values from which `from_json` makes an equal tokenizer."""
        ...

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self: ...

    @property
    def vocab_size(self) -> int:
        return len(self.token_bytes())

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        """The ids, and for each the bytes of `text` that it stands for, as (start, end).

        The spans tile the text: the first begins at 0, each begins where the one before ends, the
        last ends at the end, whatever the tokenizer threw away included.
        """
        written = self.token_bytes()
        ids = self.encode(text)
        return ids, spans_of_lengths([len(written[i]) for i in ids])

    def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
        """The ids of each of `texts`, (tokens,) uint32: for long texts, where lists take time."""
        return [np.array(self.encode(text), dtype=np.uint32) for text in texts]

    def never_drawn(self) -> list[int]:
        """The ids that a sampler must not draw, since no text has them; a lossy kind's UNK some text has."""
        never = [i for i, piece in enumerate(self.token_bytes()) if not piece or not NO_UTF8.isdisjoint(piece)]
        return never if self.lossless else [i for i in never if i != self.unk_id]

    def never_unknown(self) -> list[str]:
        """Words, as their letters are spelled where UNK stands for a word, for which it never does."""
        return []

    def fallback_ids(self) -> list[int]:
        """The ids that spell a byte of what has no token of its own."""
        return []

    def save(self, path: Path | str) -> None:
        """Write `tokenizer.json`: the format's version and the kind, then what the kind needs."""
        head = {"format": "tokexp-tokenizer", "version": FORMAT_VERSION, "kind": self.kind}
        write_text(Path(path), saved_text({**head, **self.to_json()}))


class StreamingDecoder:
    """Text from ids as they come: a character is held back until the last of its bytes is there."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._bytes = tokenizer.token_bytes()
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._ids: list[int] = []  # of a kind that spaces its tokens by their neighbours
        self._shown = 0

    def feed(self, i: int) -> str:
        """The text that id `i` completes. All such texts and `finish`, end to end, are what decoding all ids gives."""
        if self._tokenizer.lossless:
            return self._utf8.decode(self._bytes[i])
        self._ids.append(i)
        return self._new(self._tokenizer.decode(self._ids).rstrip("\ufffd"))  # which may be half a character

    def finish(self) -> str:
        """The text that was held back and will not be completed."""
        if self._tokenizer.lossless:
            return self._utf8.decode(b"", final=True)
        return self._new(self._tokenizer.decode(self._ids))

    def _new(self, text: str) -> str:
        """The rest of `text`, which has not been returned yet; counts it as returned."""
        new, self._shown = text[self._shown :], len(text)
        return new


def saved_text(values: dict[str, Any]) -> str:
    """The text of a `tokenizer.json` that has `values`."""
    return json.dumps(values, indent=0) + "\n"


def read_json(path: Path | str) -> dict[str, Any]:
    """The values that `Tokenizer.save` wrote. Raises InputError for any other file."""
    try:
        data = read_any_json(Path(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a tokexp tokenizer.json") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON, perhaps cut short ({error}); save the tokenizer again") from error
    if not isinstance(data, dict) or data.get("format") != "tokexp-tokenizer":
        raise InputError(f"{path}: not a tokexp tokenizer.json; expected one that Tokenizer.save wrote")
    if data.get("version") != FORMAT_VERSION:
        raise InputError(f"{path}: got format version {data.get('version')}, expected {FORMAT_VERSION}; train it again")
    return data


def refuse_surrogates(text: str) -> None:
    """Raise InputError where `text` has a lone surrogate, and so no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"got the lone surrogate U+{ord(text[error.start]):04X} at character {error.start}, "
            "expected text that has a UTF-8 form; remove or replace it"
        ) from None


def byte_lengths(texts: list[str]) -> list[int]:
    """The length of each text in UTF-8 bytes."""
    return [len(text) if text.isascii() else len(text.encode()) for text in texts]


def spans_of_lengths(lengths: list[int]) -> list[Span]:
    """Spans that lie end to end."""
    spans, start = [], 0
    for length in lengths:
        spans.append((start, start + length))
        start += length
    return spans


def spans_of_ends(text: str, ends: list[int]) -> list[Span]:
    """Spans of tokens that end at the characters `ends`; each has the text since the one before, the last the rest."""
    if not ends:
        return []
    edges = [0, *ends[:-1], len(text)]
    return spans_of_lengths(byte_lengths([text[start:end] for start, end in itertools.pairwise(edges)]))


def check_vocab_size(got: int | None, smallest: int, what: str) -> None:
    """Raise InputError where a vocabulary of `got` cannot hold the specials and `what`."""
    if got is not None and got < smallest:
        raise InputError(
            f"tokenizer.vocab_size: got {got}, expected at least {smallest} ({len(SPECIALS)} specials and {what})"
        )


def unreachable_bytes(alphabet: set[str]) -> list[int]:
    """The byte tokens that no text has, in a kind that spells only characters outside `alphabet` in bytes."""
    return [byte for byte in range(128) if chr(byte) in alphabet] + sorted(NO_UTF8)
