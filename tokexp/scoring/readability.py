"""How samples read, without eyes: each measure beside what the held-out text, written by people, gets.

A word is a run of letters, in small letters, with apostrophes and hyphens inside: `don't` is one, `--`
none. Punctuation and spacing stand between words and belong to none. In writing without spaces a run
between two marks is one word, and what counts words says little.

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
    longest_copy    characters of the longest run that stands verbatim in the training text; 0 below 16,
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

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import regex

from tokexp.data.corpus import Corpus
from tokexp.scoring.ngram import CharModel
from tokexp.system.cache import cached, source_hash
from tokexp.tokenizer.split import pieces

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
SHORTEST_COPY = 16  # characters
JUDGE_ORDER = 6
JUDGE_CHARS = 2_000_000  # fitted on at most so many, so that a long text costs no more
FEWEST_PASSAGES, MOST_PASSAGES = 4, 256  # of the held-out text
STRETCH = 1 << 20  # characters of the training text that are looked at together

WORD = regex.compile(r"[\p{L}\p{M}]+(?:['\u2019-][\p{L}\p{M}]+)*")
PARAGRAPH_BREAK = regex.compile(r"\n(?:[^\S\n]*\n)+")
HEADING = regex.compile(r"(?:\A\s*|\n[^\S\n]*\n)[^\S\n]*(\S[^\n]{0,38}):[^\S\n]*(?=\n|\Z)")


Band = dict[str, tuple[float, float]]  # by measure: mean and standard deviation


class Reader:
    """Reads samples beside a corpus. `chars`: the length of the samples, and so of the human passages."""

    def __init__(self, corpus: Corpus, chars: int = CHARS) -> None:
        self._corpus = corpus
        self._passages, self._judged = passages(corpus.val, chars)
        self.chars = len(self._passages[0])  # fewer where the held-out text is short: see `passages`
        learned = corpus.val[: len(corpus.val) // 2][-JUDGE_CHARS:]
        self._judge = CharModel(learned, JUDGE_ORDER) if learned else None

    def read(self, samples: Sequence[str]) -> list[dict[str, float]]:
        """The measures of each sample, in the order given. One pass over the training text for all of them."""
        columns: dict[str, Sequence[float]] = {
            **_in_words(self._corpus.train, samples),
            **_in_paragraphs(self._corpus.train, samples),
            "invalid_utf8": [_share(sample.count("\ufffd"), len(sample)) for sample in samples],
            "longest_copy": longest_copies(self._corpus.train, samples),
            "judge": [self._bits(sample) for sample in samples],
        }
        return [{name: float(columns[name][i]) for name in MEASURES} for i in range(len(samples))]

    def human(self) -> list[dict[str, float]]:
        """The measures of each human passage, kept for the next run; `judge` is NaN where the judge learned."""
        what = {
            "readability": self.chars,
            "train": self._corpus.train_sha256,
            "val": self._corpus.val_sha256,
            "code": source_hash(__name__),
        }

        def build(folder: Path) -> None:
            rows = self.read(self._passages)
            for row, judged in zip(rows, self._judged, strict=True):
                row["judge"] = row["judge"] if judged else float("nan")
            np.save(folder / "human.npy", np.array([[row[name] for name in MEASURES] for row in rows]))

        table = np.load(cached(what, build) / "human.npy")
        return [dict(zip(MEASURES, row, strict=True)) for row in table.tolist()]

    def _bits(self, sample: str) -> float:
        return float(self._judge.bits(sample).mean()) if self._judge and sample else float("nan")


def passages(val: str, chars: int = CHARS) -> tuple[list[str], list[bool]]:
    """Stretches of `chars` characters that lie end to end in `val`, and whether each is in its second half.

    At most 256, evenly spread. Where there are fewer than four they are cut shorter, to four and to at
    least a character: a band of shorter passages than samples is a rough one, above all for
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
    found: Band = {}
    for name in MEASURES:
        values = np.array([row[name] for row in rows])
        values = values[~np.isnan(values)]
        mean = float(values.mean()) if len(values) else float("nan")
        deviation = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        found[name] = (mean, max(deviation, least.get(name, CHARS_A_WORD / chars)))  # max keeps a first NaN
    return found


def distance(value: float, human: tuple[float, float]) -> float:
    """How far `value` lies above the human mean, in human standard deviations, those of single passages.

    Below the band is not always worse, nor above it better: more real words than people use is copying
    or playing safe.
    """
    mean, deviation = human
    return (value - mean) / deviation


def words(text: str) -> list[str]:
    """The words of `text`. One that its beginning or end cuts in two counts as it stands."""
    found: list[str] = WORD.findall(text.lower())
    return found


def paragraphs(text: str) -> list[str]:
    """The paragraphs of `text` that its edges cannot have cut; all of them where there are no others."""
    found = [part for part in PARAGRAPH_BREAK.split(text.strip()) if part]
    return found[1:-1] or found


def longest_copies(train: str, samples: Sequence[str], least: int = SHORTEST_COPY) -> list[int]:
    """The length of the longest run of characters of each sample that `train` has too; 0 below `least`.

    Exact, without hashing. Runs of a power of two are numbered in the samples and looked up in `train`;
    any other length is two of them that overlap. What holds for a length holds for a shorter one, so
    that the longest is found by bisection, and only where a stretch of `train` has more than those
    before it: nothing is ever paired with each of its copies.
    """
    points = [_code_points(sample) for sample in samples]
    longest = max(map(len, points), default=0)
    alphabet = np.unique(np.concatenate([np.zeros(0, np.uint32), *points]))
    spans = _spans(points)
    grams = _Grams(_joined([_find(alphabet, p) for p in points]), [1 << k for k in range(1, longest.bit_length())])
    best = [least - 1] * len(samples)
    step = max(STRETCH // 8, longest)  # small, so that a loop's copies are found before all of its places are looked at
    for start in range(0, len(train), step):
        there = grams.look_up(_find(alphabet, _code_points(train[start : start + step + longest])))
        hits = {n: np.flatnonzero(at >= 0) for n, at in there.items() if 2 * n > least}
        for i, span in enumerate(spans):
            size = span.stop - span.start
            copied = partial(_in_common, grams, span, there, hits)
            if best[i] < size and copied(best[i] + 1):
                best[i] = _largest(copied, best[i] + 1, size)
    return [length if length >= least else 0 for length in best]


def _largest(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The last of low..high for which `holds` is true, as it is for `low` and all between."""
    return low + bisect_left(range(low + 1, high + 1), True, key=lambda n: not holds(n))


def _in_common(
    grams: _Grams, span: slice, there: dict[int, np.ndarray], hits: dict[int, np.ndarray], length: int
) -> bool:
    """Whether a run of `length` in the `span` of `grams` is one of the sequence that `there` is the look-up of.

    `hits`: where each of `there` is a gram.
    """
    n = 1 << (length.bit_length() - 1)
    if n not in hits:
        return False
    mine = _ends(grams.at[n][span], np.arange(span.stop - span.start), length - n)
    own = np.zeros(grams.size[n], dtype=bool)
    own[mine] = True
    theirs = _ends(there[n], hits[n][own[there[n][hits[n]]]], length - n)
    return bool((_find(np.unique(mine[0] * grams.size[n] + mine[1]), theirs[0] * grams.size[n] + theirs[1]) >= 0).any())


def _ends(at: np.ndarray, where: np.ndarray, shift: int) -> np.ndarray:
    """The numbers `at` the places `where` and `shift` further on, (2, places), where both have one."""
    where = where[where + shift < len(at)]
    both = np.stack([at[where], at[where + shift]])
    return both[:, (both >= 0).all(axis=0)]


def _in_words(train: str, samples: Sequence[str]) -> dict[str, list[float]]:
    """The measures that count words. Indexes the samples and passes once over `train`."""
    written = [words(sample) for sample in samples]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(word for some in written for word in some))}
    ids = [np.array([vocabulary[word] for word in some], dtype=np.int64) for some in written]
    grams = _Grams(_joined(ids), [2, 3, 4, 8])
    seen = {n: np.zeros(size, dtype=bool) for n, size in grams.size.items()}
    before = np.zeros(0, dtype=np.int64)
    for piece in pieces(train, STRETCH):
        stretch = np.concatenate([before, np.array([vocabulary.get(word, -1) for word in words(piece)], np.int64)])
        for n, at in grams.look_up(stretch).items():
            seen[n][at[at >= 0]] = True
        before = stretch[-7:]

    columns: dict[str, list[float]] = defaultdict(list)
    for span in _spans(ids):
        own = {n: at[span] for n, at in grams.at.items()}
        for name, n in (("real_words", 1), ("seen_bigrams", 2), ("seen_trigrams", 3), ("copied_8grams", 8)):
            some = own[n][own[n] >= 0]
            columns[name].append(_share(seen[n][some].sum(), len(some)))
        for name, n in (("distinct_1", 1), ("distinct_2", 2)):
            some = own[n][: FIRST_WORDS - n + 1]
            enough = span.stop - span.start >= FIRST_WORDS
            columns[name].append(_share(len(np.unique(some)), len(some)) if enough else float("nan"))
        some = own[4][own[4] >= 0]
        columns["repetition"].append(_share(len(some) - len(np.unique(some)), len(some)))
    return columns


def _in_paragraphs(train: str, samples: Sequence[str]) -> dict[str, list[float]]:
    """The measures of a play's form."""
    headed = [[(HEADING.match(part), "\n" in part) for part in paragraphs(sample)] for sample in samples]
    named = [[heading[1] for heading, _ in parts if heading] for parts in headed]
    wanted = {name for names in named for name in names}
    known = {heading[1] for heading in HEADING.finditer(train) if heading[1] in wanted}
    return {
        "dialogue": [_share(sum(bool(heading and below) for heading, below in parts), len(parts)) for parts in headed],
        "speaker_names": [_share(sum(name in known for name in names), len(names)) for names in named],
        "returning_speakers": [_share(sum(names.count(name) > 1 for name in names), len(names)) for names in named],
    }


class _Grams:
    """The n-grams of a sequence of numbers, numbered without collisions, to be looked up in other sequences.

    A gram is two of the largest power of two below its length, which may overlap; -1 is a boundary,
    which no gram crosses. Source: Karp, Miller and Rosenberg (1972).
    """

    def __init__(self, ids: np.ndarray, lengths: Sequence[int]) -> None:
        """`lengths`: increasing, each with the power of two below it or 1."""
        self.at = {1: ids}  # of each length, (N,): the number of the gram that begins there, -1 for none
        self.size = {1: int(ids.max(initial=-1)) + 1}  # different grams of each length
        self._keys: dict[int, np.ndarray] = {}
        for n in lengths:
            keys = self._key(self.at, n)
            self._keys[n] = np.unique(keys[keys >= 0])
            self.at[n], self.size[n] = _find(self._keys[n], keys), len(self._keys[n])

    def look_up(self, ids: np.ndarray) -> dict[int, np.ndarray]:
        """Of each length, the number of the gram that begins at each of `ids`, -1 where there is none such.

        Without the lengths of which there is none at all.
        """
        at = {1: ids}
        for n, keys in self._keys.items():
            if _half(n) in at:
                found = _find(keys, self._key(at, n))
                if (found >= 0).any():
                    at[n] = found
        return at

    def _key(self, at: dict[int, np.ndarray], n: int) -> np.ndarray:
        half = _half(n)
        keys = np.full(len(at[half]), -1)
        first, second = at[half][: max(0, len(keys) - n + half)], at[half][n - half :]
        keys[: len(first)] = np.where((first >= 0) & (second >= 0), first * self.size[half] + second, -1)
        return keys


def _half(n: int) -> int:
    """The largest power of two below `n`."""
    return 1 << ((n - 1).bit_length() - 1)


def _find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of `wanted` stands in the sorted `keys`, -1 for one that does not or is negative."""
    found = np.full(len(wanted), -1)
    if len(keys):
        some = np.flatnonzero(wanted >= 0)
        at = np.minimum(np.searchsorted(keys, wanted[some]), len(keys) - 1)
        found[some] = np.where(keys[at] == wanted[some], at, -1)
    return found


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """`parts` end to end, each followed by the boundary -1."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.append(part, -1) for part in parts)])


def _spans(parts: list[np.ndarray]) -> list[slice]:
    """Where each of `parts` lies once they are joined."""
    ends = accumulate((len(part) + 1 for part in parts), initial=0)
    return [slice(start, end - 1) for start, end in pairwise(ends)]


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _share(some: int, of: int) -> float:
    return some / of if of else float("nan")
