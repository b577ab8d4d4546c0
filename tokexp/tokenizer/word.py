"""The seed experiment's word tokenizer: words, punctuation and newlines, lower-cased, other spacing dropped.

It loses case, spacing and every word outside its vocabulary, and says so (`lossless = False`);
`scoring/restoration.py` measures in bits what was lost.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar, Self

from tokexp.config import InputError
from tokexp.tokenizer.base import SPECIALS, UNK, Span, Tokenizer, check_vocab_size, refuse_surrogates, spans_of_ends
from tokexp.tokenizer.split import counted_chunks

TOKEN = re.compile(r"\w+|[^\w\s]|\n")
NO_SPACE_BEFORE = set(".,:;!?')]}-\n")
NO_SPACE_AFTER = set("'([{-\n")


def fold(surface: str) -> str:
    """Lower case, character by character, where that keeps the number of characters."""
    lower = surface.lower()
    if len(lower) == len(surface):
        return lower
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in surface)


class WordTokenizer(Tokenizer):
    kind: ClassVar[str] = "word"
    lossless = False

    def __init__(self, words: list[str]) -> None:
        if len(set(words)) != len(words):
            raise InputError("the vocabulary names a word twice, expected each once")
        self.words = words
        self._id_of = {word: i for i, word in enumerate(words, start=len(SPECIALS))}
        self._word_of = ["", "<unk>", "", "", *words]

    @classmethod
    def train(cls, text: str, *, vocab_size: int | None = None, min_frequency: int = 2) -> Self:
        """The words of `text` seen `min_frequency` times or more, most frequent first, at most `vocab_size`."""
        refuse_surrogates(text)
        check_vocab_size(vocab_size, len(SPECIALS) + 1, "a word")
        if min_frequency < 1:
            raise InputError(f"tokenizer.min_frequency: got {min_frequency}, expected at least 1")
        surfaces: Counter[str] = Counter()
        for chunk in counted_chunks(text):
            surfaces.update(TOKEN.findall(chunk))
        counts: Counter[str] = Counter()
        for surface, count in surfaces.items():
            counts[fold(surface)] += count
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        words = [word for word, count in ranked if count >= min_frequency]
        if not words:
            raise InputError(
                f"tokenizer.min_frequency: got {min_frequency}, expected one that some word reaches; "
                f"the commonest is there {max(counts.values(), default=0)} times"
            )
        return cls(words if vocab_size is None else words[: vocab_size - len(SPECIALS)])

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        return [self._id_of.get(fold(surface), UNK) for surface in TOKEN.findall(text)]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        """A token's span begins with the spacing before it; the last one's ends with the text."""
        return self.encode(text), spans_of_ends(text, [match.end() for match in TOKEN.finditer(text)])

    def never_unknown(self) -> list[str]:
        """Those of the vocabulary that are in it however their letters are cased (a last sigma may not be)."""
        return [word for word in self.words if fold(word.upper()) == word]

    def decode(self, ids: list[int]) -> str:
        """Words joined by single spaces, none around newlines and where punctuation wants none."""
        words: list[str] = []
        last = "\n"
        for i in ids:
            word = self._word_of[i]
            if word:
                if last not in NO_SPACE_AFTER and word not in NO_SPACE_BEFORE:
                    words.append(" ")
                words.append(word)
                last = word
        return "".join(words)

    def token_bytes(self) -> list[bytes]:
        return [b""] * len(SPECIALS) + [word.encode() for word in self.words]

    def to_json(self) -> dict[str, Any]:
        return {"words": self.words}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["words"])
