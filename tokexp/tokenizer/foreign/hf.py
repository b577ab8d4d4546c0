"""Hugging Face's `tokenizers`, trained here: byte-level BPE, WordPiece and Unigram.

The library cuts the names of its special tokens out of the text wherever they are spelled in it, so
none is registered with it: our four stand before the library's ids.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from tokexp.config import InputError
from tokexp.tokenizer.base import SPECIALS, UNK, Span, Tokenizer, check_vocab_size, refuse_surrogates, spans_of_ends
from tokexp.tokenizer.bpe import ALPHABET
from tokexp.tokenizer.gpt2 import written

FIRST = len(SPECIALS)
LIBRARY_UNK = "\0unk"  # the library wants an unknown token in its vocabulary; no text is likely to spell this one
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what UNK is shown as


class HFTokenizer(Tokenizer):
    """A tokenizer of the library without special tokens, its ids moved past our four."""

    has_unk: ClassVar[bool]  # whether the library's id 0 is its unknown token, which is our UNK

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: the library's own JSON."""
        self.settings = {**settings, "added_tokens": []}
        self._library = tokenizers.Tokenizer.from_str(json.dumps(self.settings))
        by_id = sorted(self._library.get_vocab().items(), key=lambda item: item[1])
        self.shown = [piece for piece, _ in by_id][self.has_unk :]
        self._offset = FIRST - self.has_unk
        self._bytes = self.token_bytes()

    def _our_ids(self, ids: list[int]) -> list[int]:
        return [UNK if self.has_unk and i == 0 else i + self._offset for i in ids]

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        return self._our_ids(self._library.encode(text, add_special_tokens=False).ids)

    def to_json(self) -> dict[str, Any]:
        return {"library": self.settings}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["library"])


class HFLossyTokenizer(HFTokenizer):
    """A kind that loses spacing or unknown characters: the library says where in the text a token stands."""

    lossless = False
    has_unk = True

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        refuse_surrogates(text)
        encoding = self._library.encode(text, add_special_tokens=False)
        return self._our_ids(encoding.ids), spans_of_ends(text, [end for _, end in encoding.offsets])


class HFBPETokenizer(HFTokenizer):
    kind: ClassVar[str] = "hf_bpe"
    lossless = True
    has_unk = False

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024) -> Self:
        """Byte-level, with GPT-2's pattern: what our own `bpe` is held to."""
        check_vocab_size(vocab_size, FIRST + len(ALPHABET), "256 bytes")
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - FIRST,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        cutter = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return cls(learn(models.BPE(), cutter, trainer, text))

    def decode(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return [b""] * FIRST + [written(piece) for piece in self.shown]


class HFWordPieceTokenizer(HFLossyTokenizer):
    kind: ClassVar[str] = "hf_wordpiece"

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024) -> Self:
        """BERT's, with its case: words cut at white space and marks; the pieces inside a word begin with ##."""
        cutter = pre_tokenizers.BertPreTokenizer()
        refuse_surrogates(text)
        inner = sorted({char for word, _ in cutter.pre_tokenize_str(text) for char in word[1:]})
        check_vocab_size(vocab_size, FIRST + len(inner) + 1, "the characters")
        # Left to itself, the library numbers the pieces of one character in an order that changes from
        # process to process, and with them the ties between pairs.
        first = [LIBRARY_UNK, *(f"##{char}" for char in inner)]
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size - FIRST + 1, special_tokens=first, show_progress=False
        )
        return cls(learn(models.WordPiece(unk_token=LIBRARY_UNK), cutter, trainer, text))

    def decode(self, ids: list[int]) -> str:
        """One space between words: how they were spaced, and lines, are lost."""
        shown = ["", UNKNOWN, "", "", *self.shown]
        return "".join(f" {shown[i]}" for i in ids if shown[i]).replace(" ##", "").removeprefix(" ")

    def token_bytes(self) -> list[bytes]:
        return [b""] * FIRST + [piece.removeprefix("##").encode() for piece in self.shown]


class HFUnigramTokenizer(HFLossyTokenizer):
    kind: ClassVar[str] = "hf_unigram"

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024) -> Self:
        """Kudo's unigram model (2018); a space goes with the word after it. Characters unseen are lost.

        The only kind whose training is not the same in every process: the library sums in the order of a
        hash table with a random seed, so that scores differ by some 5e-4 and the order of ids with them.
        """
        check_vocab_size(vocab_size, FIRST + 1, "a character")
        trainer = trainers.UnigramTrainer(
            vocab_size=vocab_size - FIRST + 1,
            special_tokens=[LIBRARY_UNK],
            unk_token=LIBRARY_UNK,
            show_progress=False,
        )
        cutter = pre_tokenizers.Metaspace(prepend_scheme="never")
        return cls(learn(models.Unigram(), cutter, trainer, text))

    def decode(self, ids: list[int]) -> str:
        shown = ["", UNKNOWN, "", "", *self.shown]
        return "".join(shown[i] for i in ids).replace("▁", " ")

    def token_bytes(self) -> list[bytes]:
        return [b""] * FIRST + [piece.replace("▁", " ").encode() for piece in self.shown]


def learn(model: Any, cutter: Any, trainer: Any, text: str) -> dict[str, Any]:
    """Train the library's tokenizer; returns its JSON."""
    refuse_surrogates(text)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = cutter
    try:
        tokenizer.train_from_iterator([text], trainer)
        tokenizers.Tokenizer.from_str(tokenizer.to_str())  # refuses scores that are no numbers, as of a text of NULs
    except Exception as error:  # the library raises bare Exceptions
        what = f"Hugging Face's tokenizers cannot learn this ({error})"
        raise InputError(f"{what}; try a larger vocab_size or another text") from error
    settings: dict[str, Any] = json.loads(tokenizer.to_str())
    return settings
