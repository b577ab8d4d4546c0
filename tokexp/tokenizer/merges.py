"""Byte-pair encoding: learns which adjacent symbols to join, and joins them.

What a symbol is (a byte, a character, a character that ends a word) is the caller's business. One
idea makes plain Python fast: a word is kept as a `str` whose code points are symbols, so that
joining a pair everywhere in it, left to right, is `str.replace`, which runs in C.

Source: Gage (1994); Sennrich et al. (2016).
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from heapq import heapify, heappop, heappush
from operator import add
from typing import Any, Generic, TypeVar

import numpy as np

from tokexp.config import InputError
from tokexp.system.meter import Meter

Piece = TypeVar("Piece", bytes, str)  # what a symbol writes
Pair = tuple[int, int]  # two symbols

LONG = 500  # symbols; longer words are merged rank by rank
SHORTEST = 16  # symbols of a chunk that a long word is cut into
MANY = 100  # words; more of them are merged side by side


def read_pair(line: str) -> Pair:
    """A merge as `tokenizer.json` has it: "left right"."""
    left, right = line.split()
    return int(left), int(right)


def learn_merges(words: Counter[str], alphabet: list[Piece], size: int) -> list[Pair]:
    """The pairs to join, in order, until there are `size` symbols or no pair is left.

    `words`: strings of symbols and how often each occurs; `alphabet`: what the first symbols write.
    Each round joins the pair with the highest count; of equals, the one with the smaller symbols.
    Two pairs may write the same piece, which then is one symbol.

    The heap is lazy: an entry whose count has changed since is corrected when it surfaces.
    """
    pairs = _PairCounts(words)
    heap = [(-n, pair) for pair, n in pairs.count.items()]
    heapify(heap)
    written = list(alphabet)
    symbol_of = {piece: symbol for symbol, piece in enumerate(written)}
    merges: list[Pair] = []
    meter = Meter("learning merges", max(1, size - len(written)))
    while heap and len(written) < size:
        negative, pair = heappop(heap)
        count = pairs.count[pair]
        if count != -negative:
            if count > 0:
                heappush(heap, (-count, pair))
            continue
        left, right = map(ord, pair)
        merges.append((left, right))
        meter.advance()
        piece = written[left] + written[right]
        if piece not in symbol_of:
            symbol_of[piece] = len(written)
            written.append(piece)
        for new in pairs.join(pair, chr(symbol_of[piece])):
            heappush(heap, (-pairs.count[new], new))
    return merges


class _PairCounts:
    """Counts how often each pair of neighbouring symbols occurs in words; a pair is a string of two symbols."""

    def __init__(self, words: Counter[str]) -> None:
        self._spelling, self._weight = list(words), list(words.values())
        self.count: defaultdict[str, int] = defaultdict(int)
        self._where: defaultdict[str, set[int]] = defaultdict(set)  # pair -> the words that may hold it
        for i, (word, n) in enumerate(zip(self._spelling, self._weight, strict=True)):
            for pair in map(add, word, word[1:]):
                self.count[pair] += n
                self._where[pair].add(i)

    def join(self, pair: str, joined: str) -> set[str]:
        """Write `joined` for `pair` in every word that holds it; the pairs that now hold `joined`."""
        left, right = pair[0], pair[1]
        count, where = self.count, self._where
        grown: set[str] = set()
        for i in where.pop(pair):
            # What stands around each occurrence; `split` meets them as `replace` does, left to right.
            around = self._spelling[i].split(pair)
            n = self._weight[i]
            for j, (before, after) in enumerate(itertools.pairwise(around), start=1):
                if before:
                    count[before[-1] + left] -= n
                    new = before[-1] + joined
                    count[new] += n
                    where[new].add(i)
                    grown.add(new)
                if after:
                    count[right + after[0]] -= n
                    new = joined + after[0]
                elif j < len(around) - 1:  # the next occurrence follows at once
                    count[right + left] -= n
                    new = joined + joined
                else:
                    continue
                count[new] += n
                where[new].add(i)
                grown.add(new)
            self._spelling[i] = joined.join(around)
        count[pair] = 0
        return grown


class Merges(Generic[Piece]):
    """Learned merges, ready to be applied: joins the earliest-learned pair present until none is left."""

    def __init__(self, pairs: list[Pair], alphabet: list[Piece]) -> None:
        """Raise InputError for a pair of symbols that do not exist yet, or that is there twice."""
        self.pairs = pairs
        self.written: list[Piece] = list(alphabet)  # symbol -> what it writes
        symbol_of = {piece: symbol for symbol, piece in enumerate(self.written)}
        self._rank: dict[str, int] = {}
        self._joined: list[int] = []
        self._reused: list[bool] = []  # whether a merge makes a symbol that an earlier one makes too
        for rank, (left, right) in enumerate(pairs):
            if not (0 <= left < len(self.written) and 0 <= right < len(self.written)):
                raise InputError(f"merge {rank} joins symbols {left} and {right}, expected ones defined before it")
            if self._rank.setdefault(chr(left) + chr(right), rank) != rank:
                raise InputError(f"merge {rank} joins symbols {left} and {right} a second time, expected once")
            piece = self.written[left] + self.written[right]
            if piece not in symbol_of:
                symbol_of[piece] = len(self.written)
                self.written.append(piece)
            self._joined.append(symbol_of[piece])
        self._none = len(pairs)  # the rank of a pair that is not to be joined
        self._separator = len(self.written)  # a symbol that no pair has
        keys = np.array([self._key(*pair) for pair in pairs], dtype=np.int64)
        self._rank_in_order = np.argsort(keys)
        self._keys = np.append(keys[self._rank_in_order], np.iinfo(np.int64).max)
        self._joined_symbol = np.array(self._joined, dtype=np.int64)
        self._bigrams = np.unique([self._key(*pair) for pair in self._neighbours(len(alphabet))])

    def apply(self, words: list[str]) -> list[list[int]]:
        """The symbols of each word, a string of symbols, with every merge made."""
        cut_words = [[word] if len(word) <= LONG else self._cut(word) for word in words]
        chunks = [chunk for word in cut_words for chunk in word]
        short, long = [c for c in chunks if len(c) <= LONG], [c for c in chunks if len(c) > LONG]
        merged_short = iter(self._many(short) if len(short) >= MANY else [list(map(ord, self._one(c))) for c in short])
        merged_long = iter(self._long(long) if long else [])
        merged = (next(merged_short if len(chunk) <= LONG else merged_long) for chunk in chunks)
        return [list(itertools.chain.from_iterable(itertools.islice(merged, len(word)))) for word in cut_words]

    def _cut(self, word: str) -> list[str]:
        """A word in chunks that no merge can join: cut between symbols that are neighbours in no piece."""
        symbols = _array(word)
        adjacent = np.isin(self._key(symbols[:-1], symbols[1:]), self._bigrams)
        edges: list[int] = [0]
        for edge in (np.flatnonzero(~adjacent) + 1).tolist():
            if edge - edges[-1] >= SHORTEST:
                edges.append(edge)
        return [word[start:end] for start, end in itertools.pairwise([*edges, len(word)])]

    def _one(self, word: str) -> str:
        """A short word with every merge made: joins the earliest-learned pair in it everywhere, until there is none."""
        while True:
            pairs = map(add, word, word[1:])
            rank = min(map(self._rank.get, pairs, itertools.repeat(self._none)), default=self._none)
            if rank == self._none:
                return word
            left, right = self.pairs[rank]
            word = word.replace(chr(left) + chr(right), chr(self._joined[rank]))

    def _many(self, words: list[str]) -> list[list[int]]:
        """Many short words with every merge made. Each round makes `_one`'s step in all of them."""
        symbols = _array(chr(self._separator).join([*words, ""]))
        which = np.arange(len(words))  # the words that are still being merged
        done: list[list[int]] = [[]] * len(words)
        ranks = np.append(self._ranks(symbols[:-1], symbols[1:]), self._none)
        while len(which):
            ends = np.flatnonzero(symbols == self._separator)
            starts = np.append(0, ends[:-1] + 1)
            lengths = ends - starts + 1  # the separator included
            least = np.minimum.reduceat(ranks, starts)
            finished = least == self._none
            flat = symbols[np.repeat(finished, lengths)].tolist()
            edges = itertools.accumulate(lengths[finished].tolist(), initial=0)
            for i, (start, end) in zip(which[finished].tolist(), itertools.pairwise(edges), strict=True):
                done[i] = flat[start : end - 1]
            join = np.flatnonzero((ranks == np.repeat(least, lengths)) & (ranks < self._none))
            join = _without_overlaps(join, join + 1)
            symbols[join] = self._joined_symbol[ranks[join]]
            keep = np.repeat(~finished, lengths)
            keep[join + 1] = False
            symbols, ranks, which = symbols[keep], ranks[keep], which[~finished]
            joined = (np.cumsum(keep) - 1)[join]  # where they are now; only the pairs that hold them are new
            new = np.concatenate([joined, joined[joined > 0] - 1])
            ranks[new] = self._ranks(symbols[new], symbols[new + 1])
        return done

    def _long(self, words: list[str]) -> list[list[int]]:
        """Long words with every merge made, rank by rank: the earliest-learned pair at once at all its places.

        A rank costs much the same for one place as for thousands, so that word by word a text of many would take long.
        """
        symbols = _array(chr(self._separator).join([*words, ""]))
        n = len(symbols)
        after = np.arange(1, n + 1)  # the next symbol that is still there; n past the end
        before = np.arange(-1, n - 1)
        places: dict[int, list[np.ndarray]] = {}  # rank -> where its pair has been seen
        queue: list[int] = []

        def add_places(at: np.ndarray) -> None:
            ranks = self._ranks(symbols[at], symbols[after[at]])
            at, ranks = at[ranks < self._none], ranks[ranks < self._none]
            if len(at):
                order = np.argsort(ranks, kind="stable")
                different, first = np.unique(ranks[order], return_index=True)
                for rank, group in zip(different.tolist(), np.split(at[order], first[1:]), strict=True):
                    if rank not in places:
                        places[rank] = []
                        heappush(queue, rank)
                    places[rank].append(group)

        add_places(np.arange(n - 1))
        while queue:
            rank = heappop(queue)
            at = np.unique(np.concatenate(places.pop(rank)))
            left, right = self.pairs[rank]
            at = at[(symbols[at] == left) & (after[at] < n)]
            at = at[symbols[after[at]] == right]
            at = _without_overlaps(at, after[at])
            gone = after[at]
            symbols[at], symbols[gone] = self._joined[rank], -1
            after[at] = after[gone]
            inside = at[after[at] < n]
            before[after[inside]] = inside
            preceded = before[at]
            add_places(np.concatenate([inside, preceded[preceded >= 0]]))
        left_over: np.ndarray = symbols[symbols >= 0]
        edges = [-1, *np.flatnonzero(left_over == self._separator).tolist()]
        return [left_over[start + 1 : end].tolist() for start, end in itertools.pairwise(edges)]

    def _neighbours(self, alphabet_size: int) -> set[Pair]:
        """The pairs of single symbols that are neighbours in a piece."""
        first, last = list(range(alphabet_size)), list(range(alphabet_size))
        neighbours = set()
        for (left, right), joined in zip(self.pairs, self._joined, strict=True):
            neighbours.add((last[left], first[right]))
            if joined == len(first):
                first.append(first[left])
                last.append(last[right])
        return neighbours

    def _ranks(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The rank of each pair of symbols."""
        keys = self._key(left, right)
        at = np.searchsorted(self._keys, keys)
        ranks = np.append(self._rank_in_order, self._none)[at]
        ranks[self._keys[at] != keys] = self._none
        return ranks

    def _key(self, left: Any, right: Any) -> Any:
        """One number for a pair."""
        return left * (self._separator + 1) + right


def _array(word: str) -> np.ndarray:
    return np.frombuffer(word.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)


def _without_overlaps(at: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The pairs that joining left to right takes, of those at `at` with their second symbols at `second`.

    Pairs overlap where one's second symbol is the next one's first, as "aa" does in "aaa"; of a row
    of them the first, the third, ... are taken.
    """
    overlaps = np.append(False, at[1:] == second[:-1])[: len(at)]
    places = np.arange(len(at))
    first = np.maximum.accumulate(np.where(overlaps, 0, places))  # of the row that each belongs to
    return at[(places - first) % 2 == 0]
