"""Measures what a lossy tokenizer threw away, in bits: -log2 P(text | tokens).

For a deterministic tokenizer t = f(x), -log p(x) = -log p(t) - log p(x | t). A model's loss over t
is the first term alone; comparing it with a lossless tokenizer's is a free lunch. Here is the
second: a normalised model, fitted on the training part, that writes the piece of text of each token,
left to right, given the tokens and what was written before. It has three aspects, in the order in which
they are written, each given those before it:

    spelling  the letters of an UNK, which is no word of the vocabulary (and, by an escape, whatever the other two
              cannot express)
    spacing   the white space before a token, given it and its neighbour
    case      which letters are capitals, given the token and its neighbours

It is exactly zero where decode(encode(text)) == text. Otherwise it is the length of a code that can be
had: a test writes TinyShakespeare in so many bits, and reads it back from the tokens and those bits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import log2
from pathlib import Path

import numpy as np

from tokexp.data.corpus import Corpus, cached_for
from tokexp.data.part import Part
from tokexp.encoding.ends import trailing_bytes
from tokexp.scoring.ngram import CODE_POINTS, Speller, WittenBell
from tokexp.system.files import sha256
from tokexp.tokenizer.base import Tokenizer

ASPECTS = ("spacing", "case", "spelling")


@dataclass(frozen=True)
class Restoration:
    """Bits that restore a text from its tokens, by token and aspect: `bits` is (tokens, 3) float64."""

    bits: np.ndarray

    @property
    def total(self) -> float:
        return float(self.bits.sum())


def restoration_cost(tokenizer: Tokenizer, train: Part, text: Part) -> Restoration:
    """The bits that restore `text` from its tokens, given what `train` teaches; none where decoding does it.

    A reader must be told which of the two it is: one bit for a whole text, which is left out.
    """
    tokens, restored = 0, True
    for document in text.documents():
        ids, _ = tokenizer.encode_with_spans(document)  # those that a model is scored on
        tokens += len(ids) + text.separated
        restored = restored and tokenizer.decode(ids) == document
    if restored:
        return Restoration(np.zeros((tokens, len(ASPECTS))))
    if tokenizer.exact_but_unk and _is_exact_but_unk(tokenizer, text):
        return unknown_characters(tokenizer, train, text)
    return RestorationModel(tokenizer, train).cost(text)


def unknown_characters(tokenizer: Tokenizer, train: Part, text: Part) -> Restoration:
    """The bits that say for each UNK which character it is, where nothing else is lost; as a word's, they are spelling.

    P is Witten and Bell's of order one, fitted on the UNKs of `train`, over the characters that have no token: where
    `train` has none all are equally probable.
    """
    known = sum(len(piece) > 0 for piece in tokenizer.token_bytes())
    model = WittenBell(lambda _: 1 / (CODE_POINTS - known))
    for _, characters in _unknown(tokenizer, train):
        for char in characters.values():
            model.add([()], char)
    rows = []
    for n_tokens, characters in _unknown(tokenizer, text):
        bits = np.zeros((n_tokens, len(ASPECTS)))
        for at, char in characters.items():
            bits[at, ASPECTS.index("spelling")] = model.bits([()], char)
        rows.append(bits)
    return Restoration(np.concatenate(rows))


def _is_exact_but_unk(tokenizer: Tokenizer, text: Part) -> bool:
    """Whether it does what the kind declares: no id but UNK, which is one character, stands for bytes not its own."""
    written = tokenizer.token_bytes()
    for document in text.documents():
        raw = document.encode()
        for i, (start, end) in zip(*tokenizer.encode_with_spans(document), strict=True):
            piece = raw[start:end]
            if len(piece.decode(errors="replace")) != 1 if i == tokenizer.unk_id else piece != written[i]:
                return False
    return True


def _unknown(tokenizer: Tokenizer, text: Part) -> Iterator[tuple[int, dict[int, str]]]:
    """Of each document its tokens, the one that ends it too, and the characters of its UNKs by their places."""
    for document in text.documents():
        ids, spans = tokenizer.encode_with_spans(document)
        raw = document.encode()
        unknown = {n: raw[slice(*spans[n])].decode() for n, i in enumerate(ids) if i == tokenizer.unk_id}
        yield len(ids) + text.separated, unknown


def restoration_of(tokenizer: Tokenizer, corpus: Corpus, text: Part) -> Restoration:
    """The bits that restore a held-out text of a corpus, kept for the next run: fitting the model takes seconds.

    It learns from the beginning of the training part, or from all of it (`Corpus.learned`).
    """
    saved = sha256(json.dumps(tokenizer.to_json()).encode())
    what = {"restoration": saved, "kind": tokenizer.kind, "text": text.sha256}

    def build(folder: Path) -> None:
        np.save(folder / "bits.npy", restoration_cost(tokenizer, corpus.learned, text).bits)

    folder = cached_for(corpus, what, build, __name__, type(tokenizer).__module__)
    return Restoration(np.load(folder / "bits.npy"))


@dataclass(frozen=True)
class Token:
    """A token in its text. The piece that it stands for is `gap`, of white space, and then `surface`."""

    id: int
    gap: str
    surface: str
    word: str  # what the token writes; of an UNK, the surface in small letters
    shape: str | None  # how the letters of `surface` are cased; "" without letters, None where it is another word


# The shapes that a word with 0, 1, 2 or more cased letters can have; "other" is any other mixture.
SHAPES = ((), ("lower", "title"), ("lower", "title", "upper", "other"))

SEPARATOR = "\0end"  # the word of what ends a document: no text has it, since a token's word has no control character

NEW = None  # the symbol for every gap that the training text lacks; which one it is must be spelled


class RestorationModel:
    """P(text | tokens), fitted on a training text. Gives any text a finite cost."""

    def __init__(self, tokenizer: Tokenizer, train: Part) -> None:
        self._tokenizer = tokenizer
        self._separator = -1 if tokenizer.eos_id is None else tokenizer.eos_id
        self._written = [raw.decode("utf-8", errors="replace") for raw in tokenizer.token_bytes()]
        tokens = [token for document in train.documents() for token in self._tokens(document, train.separated)]
        self._known_gaps = {token.gap for token in tokens}
        self._gap_speller = Speller(self._known_gaps, order=2)
        self._speller = Speller({token.word for token in tokens if token.word != SEPARATOR}, order=5)
        known = sum(2 ** -self._speller.bits(word) for word in tokenizer.never_unknown())
        self._unknown = log2(1 - known)  # of the probability that a word is none of those: added to its bits
        self._gaps = WittenBell(lambda gap: 1.0 if gap is NEW else 2 ** -self._gap_speller.bits(str(gap)))
        self._escapes = WittenBell(lambda _: 0.5)
        self._shapes = [_uniform(len(shapes)) for shapes in SHAPES]
        for token, gap_contexts, shape_contexts in self._in_context(tokens):
            self._gaps.add(gap_contexts, token.gap)
            if self._written[token.id]:
                self._escapes.add([()], token.shape is None)
            if token.shape:
                self._shapes[min(_letters(token.word), 2)].add(shape_contexts, token.shape)

    def cost(self, text: Part) -> Restoration:
        """The bits that restore `text` from its tokens, in the order of the tokens."""
        tokens = [token for document in text.documents() for token in self._tokens(document, text.separated)]
        rows = []
        for token, gap_contexts, shape_contexts in self._in_context(tokens):
            spacing, case, spelling = self._gap_bits(gap_contexts, token.gap), 0.0, 0.0
            if token.word == SEPARATOR:
                pass  # its white space is all that there is to restore
            elif self._written[token.id]:
                spelling += self._escapes.bits([()], token.shape is None)
                if token.shape is None:
                    spelling += self._speller.bits(token.surface)
            else:
                spelling += self._speller.bits(token.word) + self._unknown
            if token.shape:
                letters = _letters(token.word)
                case = self._shapes[min(letters, 2)].bits(shape_contexts, token.shape)
                if token.shape == "other":
                    case += log2(2**letters - 3)  # all but: all small, the first capital, all capital
            rows.append((spacing, case, spelling))
        return Restoration(np.array(rows).reshape(-1, len(ASPECTS)))

    def _gap_bits(self, contexts: list[tuple], gap: str) -> float:
        if gap in self._known_gaps:
            return self._gaps.bits(contexts, gap)
        # A sum of logarithms: the probability of a long gap is too small for a float.
        return self._gaps.bits(contexts, NEW) + self._gap_speller.bits(gap)

    def _tokens(self, text: str, separated: bool = False) -> Iterator[Token]:
        """The tokens of a text; `separated`: then its end, with the white space before it, as `encode_piece` has it."""
        raw = text.encode()
        ids, spans = self._tokenizer.encode_with_spans(text)
        trailing = 0
        if separated:
            trailing = trailing_bytes(self._tokenizer, ids[-1], raw, spans[-1][0]) if ids else len(raw)
            spans = [*spans[:-1], *((start, end - trailing) for start, end in spans[-1:])]
        for i, (start, end) in zip(ids, spans, strict=True):
            piece = raw[start:end].decode("utf-8", errors="surrogateescape")
            known = bool(self._written[i])
            word = self._written[i].lstrip(" ")  # a space that the token stands for may have been another gap
            cut = max(0, len(piece) - len(word if known else piece.lstrip()))
            gap, surface = piece[:cut], piece[cut:]
            word = word if known else "".join(map(_small, surface))
            yield Token(i, gap, surface, word, _shape(surface, word))
        if separated:
            yield Token(self._separator, raw[len(raw) - trailing :].decode(), "", SEPARATOR, "")

    def _in_context(self, tokens: list[Token]) -> Iterator[tuple[Token, list[tuple], list[tuple]]]:
        """Each token with its contexts for spacing and for case, from the widest to the narrowest."""
        before, kinds, shape = -1, ("start", "start"), None
        for token in tokens:
            around = (*kinds, shape)
            kind = _kind(token.word)
            gap_contexts: list[tuple] = [(), (kinds[1], kind), (before, token.id)]
            case_contexts: list[tuple] = [(), around, (token.id,), (token.id, *around)]
            yield token, gap_contexts, case_contexts
            before, kinds, shape = token.id, (kinds[1], kind), token.shape


def _uniform(outcomes: int) -> WittenBell:
    return WittenBell(lambda _: 1 / outcomes)


def _has_case(char: str) -> bool:
    """Whether `char` is a small letter with exactly one capital, which has exactly it."""
    capital = char.upper()
    return capital != char and len(capital) == 1 and capital.lower() == char


def _small(char: str) -> str:
    small = char.lower()
    return small if _has_case(small) and small.upper() == char else char


def _letters(word: str) -> int:
    return sum(map(_has_case, word))


def _shape(surface: str, word: str) -> str | None:
    """The shape in which `surface` writes the letters of `word`: "" without letters, None where it is another word."""
    if len(surface) != len(word):
        return None
    capitals = []
    for written, char in zip(surface, word, strict=True):
        if _has_case(char):
            if written not in (char, char.upper()):
                return None
            capitals.append(written != char)
        elif written != char:
            return None
    if not capitals:
        return ""
    if not any(capitals):
        return "lower"
    if capitals[0] and not any(capitals[1:]):
        return "title"
    return "upper" if all(capitals) else "other"


def _kind(word: str) -> str:
    """A coarse class of token: a word, a newline, or the punctuation mark itself."""
    return "word" if not word or word[0].isalnum() else word
