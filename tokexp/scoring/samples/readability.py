"""Measures how samples read, and sets each measure against the held-out text, which people wrote.

A word is letters in a row, in small letters, with apostrophes and hyphens inside: `don't` is one, `--`
none. Punctuation and spacing stand between words and belong to none. In writing without spaces all
between two marks is one word, and the measures that count words say little.

    real_words      share of the words that the training text has. A model that copies gets 1.
    seen_bigrams    share of the word pairs that the training text has, seen_trigrams of the triples.
                    Both grow with the training text: nothing to compare over corpora.
    distinct_1, _2  different words (word pairs) over all, of the first 200 words: the ratio falls with
                    length. Undefined for fewer words. Blind to sense: shuffled words keep distinct_1.
                    Source: Li et al. (2016), who divide the pairs by the words too.
    repetition      share of the word 4-grams that the same sample had before. Misses a refrain with a
                    word changed, and a loop inside one long word.
    dialogue        share of the paragraphs (between empty lines) that are a heading, a line of at most 40
                    characters that ends with ":", and a line of speech below. The first and the last
                    paragraph are left out where there are others: a sample's edge may cut them. For plays.
    speaker_names   share of the headings whose name heads a paragraph of the training text.
    returning_speakers  share of the headings whose name heads another paragraph of the same sample: people
                    who talk answer each other. What an n-gram model, whose names come and go, cannot do.
    invalid_utf8    U+FFFD, what stands for bytes that are no UTF-8, as a share of the characters.
    longest_copy    characters of the longest substring that stands verbatim in the training text; 0 below 16,
                    some three words, which any two long texts have in common. Grows with the training text.
    copied_8grams   share of the word 8-grams that the training text has. Misses copies with a word changed.
    judge           bits per character under a Kneser-Ney model of order 6 fitted on the first half of
                    the held-out text, which no model learned from. Low is typical, not good: a loop is
                    cheap too. It sees five characters back, and no sense. Its band is wide where the second
                    half has more than one work: names that the judge met are cheap, new ones dear.

NaN is a measure without anything to count: no words, no paragraphs, no headings, no characters.
MAUVE and the Flesch-type indexes are left out: neither is valid for some twenty samples of this length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import regex

from tokexp.data.corpus import Corpus, cached_for
from tokexp.scoring.ngram import CharModel
from tokexp.scoring.samples.copies import longest_copies
from tokexp.scoring.samples.grams import word_grams, words

MEASURES = (
    "real_words",
    "seen_bigrams",
    "seen_trigrams",
    "distinct_1",
    "distinct_2",
    "repetition",
    "dialogue",
    "speaker_names",
    "returning_speakers",
    "invalid_utf8",
    "longest_copy",
    "copied_8grams",
    "judge",
)

CHARS = 1500  # of a sample
CHARS_A_WORD = 6  # with what follows it, about
FIRST_WORDS = 200  # what the distinct words are counted in; some 270 words stand in 1,500 characters
JUDGE_ORDER = 6
JUDGE_CHARS = 2_000_000  # fitted on at most so many, so that a long text costs no more
FEWEST_PASSAGES, MOST_PASSAGES = 4, 256  # of the held-out text

PARAGRAPH_BREAK = regex.compile(r"\n(?:[^\S\n]*\n)+")
HEADING = regex.compile(r"(?:\A\s*|\n[^\S\n]*\n)[^\S\n]*(\S[^\n]{0,38}):[^\S\n]*(?=\n|\Z)")

Band = dict[str, tuple[float, float]]  # by measure: mean and standard deviation


class Reader:
    """Measures samples of models that learned from a corpus, and passages of its held-out text likewise."""

    def __init__(self, corpus: Corpus, chars: int = CHARS) -> None:
        """`chars`: the length of the samples, and so of the human passages."""
        self._corpus = corpus
        self._train, val = corpus.train.lines, corpus.val.lines
        self._passages, self._judged = human_passages(val, chars)
        self.chars = len(self._passages[0])  # fewer where the held-out text is short: see `human_passages`
        learned = val[: len(val) // 2][-JUDGE_CHARS:]
        self._judge = CharModel(learned, JUDGE_ORDER) if learned else None

    def read(self, samples: Sequence[str]) -> list[dict[str, float]]:
        """The measures of each sample, in the order given. One pass over the training text for all of them."""
        columns: dict[str, Sequence[float]] = {
            **_in_words(self._train, samples),
            **_in_paragraphs(self._train, samples),
            "invalid_utf8": [_share(sample.count("\ufffd"), len(sample)) for sample in samples],
            "longest_copy": longest_copies(self._train, samples),
            "judge": [self._bits(sample) for sample in samples],
        }
        return [{name: float(columns[name][i]) for name in MEASURES} for i in range(len(samples))]

    def human(self) -> list[dict[str, float]]:
        """The measures of each human passage, kept for the next run; `judge` is NaN where the judge learned from it."""

        def build(folder: Path) -> None:
            rows = self.read(self._passages)
            for row, judged in zip(rows, self._judged, strict=True):
                row["judge"] = row["judge"] if judged else float("nan")
            np.save(folder / "human.npy", np.array([[row[name] for name in MEASURES] for row in rows]))

        folder = cached_for(self._corpus, {"readability": self.chars}, build, __name__)
        table = np.load(folder / "human.npy")
        return [dict(zip(MEASURES, row, strict=True)) for row in table.tolist()]

    def _bits(self, sample: str) -> float:
        return float(self._judge.bits(sample).mean()) if self._judge and sample else float("nan")


def human_passages(val: str, chars: int = CHARS) -> tuple[list[str], list[bool]]:
    """Passages of `chars` characters, end to end in `val`, and whether each lies in its second half.

    There are at most 256, evenly spread. Where there would be fewer than four, they are made shorter, down
    to a character each: a band of passages shorter than the samples is a rough one, above all for
    `longest_copy` and `repetition`, which grow with length.
    """
    chars = max(1, min(chars, len(val) // FEWEST_PASSAGES))
    starts = np.arange(0, len(val) - chars + 1, chars)
    if len(starts) > MOST_PASSAGES:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_PASSAGES).astype(int)]
    return [val[start : start + chars] for start in starts], [bool(start >= len(val) // 2) for start in starts]


def band(rows: Iterable[dict[str, float]], chars: int = CHARS) -> Band:
    """Mean and standard deviation (n - 1) of each measure over the rows that have it; NaN where none has.

    The deviation is at least the smallest event in a passage of `chars` characters: a character of a
    copy, an invalid character (1 / `chars`), else a word (6 / `chars`). So where all people do the same, a
    sample's distance counts such events. It is NaN where only one row has the measure. Measures that are
    mostly 0 or 1 (`copied_8grams`, `speaker_names`) are far from normal: read their distance as a scale.
    """
    least = {"longest_copy": 1.0, "invalid_utf8": 1 / chars}
    rows = list(rows)
    human: Band = {}
    for name in MEASURES:
        values = np.array([row[name] for row in rows])
        values = values[~np.isnan(values)]
        mean = float(values.mean()) if len(values) else float("nan")
        deviation = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        human[name] = (mean, max(deviation, least.get(name, CHARS_A_WORD / chars)))  # max keeps a first NaN
    return human


def distance(value: float, human: tuple[float, float]) -> float:
    """The distance of `value` from the human mean, in standard deviations of single human passages; above is positive.

    Below the band is not always worse, nor above it better: more real words than people use is copying
    or playing safe.
    """
    mean, deviation = human
    return (value - mean) / deviation


def paragraphs(text: str) -> list[str]:
    """The paragraphs of `text` that its edges cannot have cut; all of them where there are no others."""
    every = [paragraph for paragraph in PARAGRAPH_BREAK.split(text.strip()) if paragraph]
    return every[1:-1] or every


def _in_words(train: str, samples: Sequence[str]) -> dict[str, list[float]]:
    """The measures that count words."""
    written = [words(sample) for sample in samples]
    grams = word_grams(train, written, [2, 3, 4, 8])
    columns: dict[str, list[float]] = defaultdict(list)
    for sample, at in zip(written, grams.at, strict=True):
        for name, n in (("real_words", 1), ("seen_bigrams", 2), ("seen_trigrams", 3), ("copied_8grams", 8)):
            present = at[n][at[n] >= 0]
            columns[name].append(_share(grams.seen[n][present].sum(), len(present)))
        for name, n in (("distinct_1", 1), ("distinct_2", 2)):
            first = at[n][: FIRST_WORDS - n + 1]
            enough = len(sample) >= FIRST_WORDS
            columns[name].append(_share(len(np.unique(first)), len(first)) if enough else float("nan"))
        present = at[4][at[4] >= 0]
        columns["repetition"].append(_share(len(present) - len(np.unique(present)), len(present)))
    return columns


def _in_paragraphs(train: str, samples: Sequence[str]) -> dict[str, list[float]]:
    """The measures of a play's form."""
    headed = [[(HEADING.match(paragraph), "\n" in paragraph) for paragraph in paragraphs(sample)] for sample in samples]
    named = [[heading[1] for heading, _ in pairs if heading] for pairs in headed]
    wanted = {name for names in named for name in names}
    known = {heading[1] for heading in HEADING.finditer(train) if heading[1] in wanted}
    return {
        "dialogue": [_share(sum(bool(heading and below) for heading, below in pairs), len(pairs)) for pairs in headed],
        "speaker_names": [_share(sum(name in known for name in names), len(names)) for names in named],
        "returning_speakers": [_share(sum(names.count(name) > 1 for name in names), len(names)) for names in named],
    }


def _share(count: int, of: int) -> float:
    return count / of if of else float("nan")
