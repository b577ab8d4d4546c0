"""Shows how a tokenizer cuts a run's samples and a passage of the held-out text, and what of the samples is not new.

A run leaves `segments.jsonl`, so that a report can colour pieces without the tokenizer or the corpus:

    of          "sample", with the `equal`, `temperature` and `sample` of its row in samples.jsonl; or
                "held out", with its `text`, which is the same for every run on a corpus
    bytes       the length of each piece in UTF-8 bytes: end to end they are the text
    unknown     which of the pieces the tokenizer has no token for
    bits        held out: what each piece costs, the model's bits and restoration, in the windows of the score
    copied      [start, end] in bytes: words that stand in an 8-gram of words which the training text has,
                as `copied_8grams` of readability.py counts them
    new_words   [start, end] in bytes: words that the training text lacks, which `real_words` leaves out

A sample is cut here as its tokenizer cuts that text. The model may have drawn it in other pieces: a
lossless kind writes most texts in many ways, and a lossy one's unknown token writes nothing. The passage, too, is
cut by itself, so that its first and last pieces may be parts of longer ones of the held-out text; their bits are
those of their bytes (`byte_bits` in `tokexp/scoring/content.py`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from tokexp.data.corpus import Corpus
from tokexp.scoring.samples.grams import WORD_OF_LETTERS, word_grams
from tokexp.scoring.samples.readability import PARAGRAPH_BREAK
from tokexp.tokenizer import Tokenizer

PASSAGE_CHARS = 300  # characters
COPY = 8  # words in a row
FIRST_WORDS = re.compile(r"\S+(?:\s+\S+){0,2}")
PROMPT_CHARS = 40
SAMPLES_SHOWN = 2  # samples of equal characters, at each temperature, that a report shows

Row = dict[str, Any]


@dataclass(frozen=True)
class Segmentation:
    """A text in pieces, as its tokenizer cuts it."""

    bytes: list[int]  # the length of each piece
    unknown: list[int]  # the pieces that there is no token for


@dataclass(frozen=True)
class Marks:
    """Places in a sample: what the training text has, and the words that it lacks: [start, end] in bytes."""

    copied: list[list[int]]
    new_words: list[list[int]]


def run_segments(tokenizer: Tokenizer, samples: Sequence[Row], corpus: Corpus, bits: np.ndarray) -> list[Row]:
    """The rows of a run's `segments.jsonl`; `samples` are those of its samples.jsonl.

    `bits`: of each byte of the held-out text.
    """
    texts = [row["text"] for row in samples]
    rows: list[Row] = [
        {
            "of": "sample",
            **{key: row[key] for key in ("equal", "temperature", "sample")},
            **dataclasses.asdict(segment(tokenizer, row["text"])),
            **dataclasses.asdict(marks),
        }
        for row, marks in zip(samples, mark_copies_and_new_words(corpus.train.lines, texts), strict=True)
    ]
    val = corpus.val.text
    text = shown_passage(val)
    passage = segment(tokenizer, text)
    costs = piece_bits(passage.bytes, bits[len(val[: passage_start(val)].encode()) :])
    return [*rows, {"of": "held out", "text": text, **dataclasses.asdict(passage), "bits": costs}]


def piece_bits(lengths: Sequence[int], bits: np.ndarray) -> list[float]:
    """The bits of pieces of so many bytes, end to end from the first of `bits` on, which are of bytes."""
    up_to = np.append(0, np.cumsum(bits[: sum(lengths)]))
    edges = np.append(0, np.cumsum(lengths, dtype=int))
    return np.diff(up_to[edges]).round(4).tolist()


def piece_rows(row: Row) -> list[Row]:
    """The pieces of a row that has its `text`: the text of each, its length in bytes, whether it is unknown."""
    unknown = set(row["unknown"])
    return [
        {"piece": piece, "bytes": length, "unknown": n in unknown}
        for n, (piece, length) in enumerate(zip(pieces_of(row["text"], row["bytes"]), row["bytes"], strict=True))
    ]


def pieces_of(text: str, lengths: Sequence[int]) -> list[str]:
    """Cut `text` into pieces of so many bytes; a part of a character becomes U+FFFD."""
    raw = text.encode()
    return [raw[end - n : end].decode(errors="replace") for n, end in zip(lengths, accumulate(lengths), strict=True)]


def segment(tokenizer: Tokenizer, text: str) -> Segmentation:
    """`text` as `tokenizer` cuts it."""
    ids, spans = tokenizer.encode_with_spans(text)
    unknown = [] if tokenizer.lossless else [n for n, i in enumerate(ids) if i == tokenizer.unk_id]
    return Segmentation([end - start for start, end in spans], unknown)


def mark_copies_and_new_words(train: str, texts: Sequence[str]) -> list[Marks]:
    """Mark in each text what `train` has and which words it lacks. One pass over `train` for all of them."""
    matches = [list(WORD_OF_LETTERS.finditer(text)) for text in texts]
    grams = word_grams(train, [[match[0].lower() for match in words] for words in matches], [2, 4, COPY])
    marks = []
    for text, words, at in zip(texts, matches, grams.at, strict=True):
        byte_at = [0, *accumulate(len(char.encode()) for char in text)]
        spans = [(byte_at[match.start()], byte_at[match.end()]) for match in words]
        copied: list[list[int]] = []
        for i in np.flatnonzero((at[COPY] >= 0) & np.append(grams.seen[COPY], False)[at[COPY]]):
            start, end = spans[i][0], spans[i + COPY - 1][1]
            if copied and start <= copied[-1][1]:
                copied[-1][1] = end
            else:
                copied.append([start, end])
        new = [list(span) for span, word in zip(spans, at[1], strict=True) if not grams.seen[1][word]]
        marks.append(Marks(copied, new))
    return marks


def first_words(val: str) -> str:
    """The first three words of the passage that is shown, in 40 characters at most: what samples continue."""
    words = FIRST_WORDS.match(shown_passage(val).lstrip() or val.lstrip())
    assert words, "a held-out text has more than white space"
    return words[0][:PROMPT_CHARS]


def shown_passage(val: str, chars: int = PASSAGE_CHARS) -> str:
    """The first `chars` characters of `val` that begin after a paragraph break, or at its beginning."""
    start = passage_start(val, chars)
    return val[start : start + chars]


def passage_start(val: str, chars: int = PASSAGE_CHARS) -> int:
    """The character of `val` at which `shown_passage` begins."""
    paragraph_break = PARAGRAPH_BREAK.search(val, 0, max(0, len(val) - chars))
    return paragraph_break.end() if paragraph_break else 0
