"""How a tokenizer cuts a run's samples and a passage of the held-out text, and what of the samples is not new.

A run leaves `segments.jsonl`, so that a report can colour pieces without the tokenizer or the corpus:

    of          "sample", with the `equal`, `temperature` and `sample` of its row in samples.jsonl; or
                "held out", with its `text`, which is the same for every run on a corpus
    bytes       the length of each piece in UTF-8 bytes: end to end they are the text
    unknown     which of the pieces the tokenizer has no token for
    copied      [start, end] in bytes: words that stand in an 8-gram of words which the training text has,
                as `copied_8grams` of readability.py counts them
    new_words   [start, end] in bytes: words that the training text lacks, which `real_words` leaves out

A sample is cut here as its tokenizer cuts that text. The model may have drawn it in other pieces: a
lossless kind writes most texts in many ways, and a lossy one's unknown token writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from tokexp.data.corpus import Corpus
from tokexp.scoring.readability import PARAGRAPH_BREAK, STRETCH, WORD, words
from tokexp.tokenizer import Tokenizer
from tokexp.tokenizer.split import pieces

PASSAGE = 300  # characters
COPY = 8  # words in a row
SHOWN = 2  # samples of equal characters, at each temperature, that a report shows

Row = dict[str, Any]


def run_segments(tokenizer: Tokenizer, samples: Sequence[Row], corpus: Corpus) -> list[Row]:
    """The rows of a run's `segments.jsonl`; `samples` are those of its samples.jsonl."""
    texts = [row["text"] for row in samples]
    marks = marked(corpus.train, texts)
    rows: list[Row] = [
        {"of": "sample", **{key: row[key] for key in ("equal", "temperature", "sample")}, **cut, **mark}
        for row, cut, mark in zip(samples, segment_rows(tokenizer, texts), marks, strict=True)
    ]
    text = passage(corpus.val)
    return [*rows, {"of": "held out", "text": text, **segment_rows(tokenizer, [text])[0]}]


def piece_rows(row: Row) -> list[Row]:
    """A row a piece of a row that has its `text`: what it is, its length in bytes, whether there is a token for it."""
    raw, unknown = row["text"].encode(), set(row["unknown"])
    ends = accumulate(row["bytes"])
    return [
        {"piece": raw[end - length : end].decode(errors="replace"), "bytes": length, "unknown": n in unknown}
        for n, (length, end) in enumerate(zip(row["bytes"], ends, strict=True))
    ]


def segment_rows(tokenizer: Tokenizer, texts: Iterable[str]) -> list[Row]:
    """`bytes` and `unknown` of each text."""
    rows = []
    for text in texts:
        ids, spans = tokenizer.encode_with_spans(text)
        unknown = [] if tokenizer.lossless else [n for n, i in enumerate(ids) if i == tokenizer.unk_id]
        rows.append({"bytes": [end - start for start, end in spans], "unknown": unknown})
    return rows


def marked(train: str, texts: Sequence[str]) -> list[Row]:
    """`copied` and `new_words` of each text. One pass over `train` for all of them."""
    found = [[(match[0].lower(), *match.span()) for match in WORD.finditer(text)] for text in texts]
    number = {word: i for i, word in enumerate(dict.fromkeys(word for some in found for word, _, _ in some))}
    ids = [np.array([number[word] for word, _, _ in some], dtype=np.int64) for some in found]
    known, seen = _seen(train, number, {gram for own in ids for gram in _grams(own)})
    rows = []
    for text, some, own in zip(texts, found, ids, strict=True):
        at = [0, *accumulate(len(char.encode()) for char in text)]  # bytes before each character
        copied: list[list[int]] = []
        for i, gram in enumerate(_grams(own)):
            if gram in seen:
                start, end = at[some[i][1]], at[some[i + COPY - 1][2]]
                if copied and start <= copied[-1][1]:
                    copied[-1][1] = end
                else:
                    copied.append([start, end])
        new = [[at[start], at[end]] for word, start, end in some if not known[number[word]]]
        rows.append({"copied": copied, "new_words": new})
    return rows


def passage(val: str, chars: int = PASSAGE) -> str:
    """The first `chars` characters of `val` that begin after a paragraph break, or at its beginning."""
    found = PARAGRAPH_BREAK.search(val, 0, max(0, len(val) - chars))
    start = found.end() if found else 0
    return val[start : start + chars]


def _seen(train: str, number: dict[str, int], wanted: set[tuple[int, ...]]) -> tuple[np.ndarray, set[tuple[int, ...]]]:
    """Which of the words of `number` `train` has, (words,) bool, and which of the 8-grams `wanted`."""
    known = np.zeros(len(number), dtype=bool)
    seen: set[tuple[int, ...]] = set()
    before = np.zeros(0, dtype=np.int64)
    for piece in pieces(train, STRETCH):
        ids = np.concatenate([before, np.array([number.get(word, -1) for word in words(piece)], dtype=np.int64)])
        known[ids[ids >= 0]] = True
        if wanted:
            seen.update(gram for gram in _grams(ids) if gram in wanted)
        before = ids[max(0, len(ids) - COPY + 1) :]
    return known, seen


def _grams(ids: np.ndarray) -> Iterable[tuple[int, ...]]:
    some = ids.tolist()
    return zip(*(some[i:] for i in range(COPY)), strict=False)
