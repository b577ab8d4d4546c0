"""Smooths counts: how probable a symbol is after what came before it, with nothing ever impossible.

These are small models, fitted in seconds, whose probabilities sum to one. `WittenBell` is the
mechanism; `Speller` uses it to give every string a probability. `KneserNey` is for long texts;
`CharModel` is one over characters.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from math import log2

import numpy as np

CODE_POINTS = 0x110000 - 0x800  # characters that have a UTF-8 form: all but the surrogates


class WittenBell:
    """Interpolated Witten-Bell smoothing over any chain of contexts.

    P_k(x) = (n_k(x) + d_k P_{k-1}(x)) / (n_k + d_k), where n_k(x) counts x in the k-th context, n_k
    is their sum and d_k the number of different x seen there; P_{-1} is `base`. Contexts are given
    from the widest to the narrowest. Sums to one over all x where `base` does.

    Source: Witten and Bell (1991), in the interpolated form of Chen and Goodman (1999).
    """

    def __init__(self, base: Callable[[Hashable], float]) -> None:
        self.base = base
        self._seen: dict[Hashable, dict[Hashable, int]] = {}
        self._total: dict[Hashable, int] = {}

    def add(self, contexts: Sequence[Hashable], symbol: Hashable) -> None:
        for context in contexts:
            seen = self._seen.setdefault(context, {})
            seen[symbol] = seen.get(symbol, 0) + 1
            self._total[context] = self._total.get(context, 0) + 1

    def probability(self, contexts: Sequence[Hashable], symbol: Hashable) -> float:
        p = self.base(symbol)
        for context in contexts:
            seen = self._seen.get(context)
            if seen:
                d = len(seen)
                p = (seen.get(symbol, 0) + d * p) / (self._total[context] + d)
        return p

    def bits(self, contexts: Sequence[Hashable], symbol: Hashable) -> float:
        return -log2(self.probability(contexts, symbol))


class Speller:
    """A character n-gram model with an end symbol: gives every string a probability, the empty one too.

    Characters that the fitted strings lack share one escape, spread evenly over the rest of Unicode,
    so that no text has infinite cost: an escaped character costs log2(1,112,064 - alphabet) bits more.
    """

    END = ""

    def __init__(self, strings: Iterable[str], order: int = 5) -> None:
        """`order`: characters of context plus one."""
        strings = list(strings)
        self.order = order
        self.alphabet = {char for string in strings for char in string}
        outcomes = len(self.alphabet) + 2  # and the end, and the escape
        self._model = WittenBell(lambda _: 1 / outcomes)
        self._escape = log2(CODE_POINTS - len(self.alphabet))
        for string in strings:
            for contexts, symbol in self._events(string):
                self._model.add(contexts, symbol)
        self._known: dict[str, float] = {}

    def bits(self, string: str) -> float:
        """-log2 of the probability of `string`, its end included."""
        if string not in self._known:
            self._known[string] = sum(
                self._model.bits(contexts, symbol) + (self._escape if symbol is None else 0)
                for contexts, symbol in self._events(string)
            )
        return self._known[string]

    def _events(self, string: str) -> Iterable[tuple[list[tuple[str | None, ...]], str | None]]:
        """Each symbol with its contexts, from none to `order - 1` characters; None is the escape."""
        symbols = [char if char in self.alphabet else None for char in string]
        padded: list[str | None] = [*[self.END] * (self.order - 1), *symbols, self.END]
        for i in range(self.order - 1, len(padded)):
            yield [tuple(padded[i - k : i]) for k in range(self.order)], padded[i]


class KneserNey:
    """Interpolated Kneser-Ney over ids, for every order up to `order` at once.

    P_k(w | h) = max(c_k(hw) - D_k, 0) / c_k(h.) + D_k n_k(h.) / c_k(h.) P_{k-1}(w | h'), where h is the k - 1
    ids before w and h' is h without its first; n_k(h.) counts the different w after h. c_k are counts
    of the text at the order asked for, and below it the number of different ids that precede each gram.
    D_k = n1 / (n1 + 2 n2), of the grams counted once and twice. Below order 1: uniform over the ids.
    Where h was never seen, P_k is P_{k-1}. Sums to one over the ids.

    Source: Kneser and Ney (1995), in the interpolated form of Chen and Goodman (1999).
    """

    def __init__(self, ids: np.ndarray, order: int, vocab_size: int) -> None:
        """`ids`: the text to fit, (N,) int, each below `vocab_size`."""
        self.order, self.vocab_size = order, vocab_size
        self._keys: list[np.ndarray] = []  # of order k, sorted: (number of the gram's first k - 1 ids) * V + its last
        self._counted: list[tuple[_Counts, _Counts]] = []  # of order k: as the highest order, and below another
        grams: list[np.ndarray] = []  # of order k, (N,): the number of the gram that ends at each id, -1 for none
        firsts: list[np.ndarray] = []  # of order k: where each different gram ends first
        raw: list[np.ndarray] = []
        before = np.zeros(len(ids), dtype=np.int64)  # the number of the context of each id
        for _ in range(order):
            inside = np.flatnonzero(before >= 0)
            keys, first, gram, counts = np.unique(
                before[inside] * vocab_size + ids[inside], return_index=True, return_inverse=True, return_counts=True
            )
            grams.append(np.full(len(ids), -1))
            grams[-1][inside] = gram
            self._keys.append(keys)
            firsts.append(inside[first])
            raw.append(counts)
            before = np.concatenate([[-1], grams[-1][:-1]])
        contexts = 1
        for k in range(order):
            highest = _Counts(raw[k], self._keys[k] // vocab_size, contexts)
            preceded = raw[k]  # of the longest grams, for which it is never asked
            if k + 1 < order:
                preceded = np.bincount(grams[k][firsts[k + 1]], minlength=len(raw[k]))
            below = _Counts(preceded, self._keys[k] // vocab_size, contexts)
            self._counted.append((highest, below))
            contexts = len(raw[k])

    def bits(self, ids: np.ndarray, context: np.ndarray, order: int | None = None) -> np.ndarray:
        """-log2 P of each id given those before it, the first ones after `context`: (N,) float64.

        `order`: of the model, at most the one it was fitted with, which is the default.
        """
        order = order or self.order
        context = context[max(0, len(context) - order + 1) :]
        text = np.concatenate([context, ids]).astype(np.int64)
        p = np.full(len(text), 1 / self.vocab_size)
        before = np.zeros(len(text), dtype=np.int64)
        for k in range(order):
            if not len(self._keys[k]):  # the text is shorter than the order
                break
            gram = _find(self._keys[k], before * self.vocab_size + text, before >= 0)
            p = self._counted[k][k + 1 < order].smooth(p, gram, before)
            before = np.concatenate([[-1], gram[:-1]])
        return -np.log2(p[len(context) :])


class _Counts:
    """The counts of one order, as smoothing needs them."""

    def __init__(self, counts: np.ndarray, context_of: np.ndarray, contexts: int) -> None:
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once and twice else 0.5
        total = np.bincount(context_of, weights=counts, minlength=contexts)
        kinds = np.bincount(context_of[counts > 0], minlength=contexts)
        with np.errstate(invalid="ignore"):
            self._rest = np.where(total > 0, discount * kinds / total, 1.0)  # what is left for the order below
            # A gram that only the very beginning of the text has is preceded by nothing: its count is 0 of 0.
            self._kept = np.maximum(counts - discount, 0) / np.maximum(total[context_of], 1)

    def smooth(self, p: np.ndarray, gram: np.ndarray, context: np.ndarray) -> np.ndarray:
        """P of this order from `p` of the one below; -1 in `gram` and `context` is what was never seen."""
        rest = np.where(context >= 0, self._rest[context], 1.0)
        return rest * p + np.where(gram >= 0, self._kept[gram], 0.0)


def _find(keys: np.ndarray, wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The index in the sorted `keys` of each of `wanted`; -1 for one that is not there, or is not `known`."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(known & (keys[at] == wanted), at, -1)


class CharModel:
    """Kneser-Ney over the characters of a text, for every order up to `order`; gives any text a finite cost.

    Characters that the fitted text lacks share one escape, spread evenly over the rest of Unicode, as
    in `Speller`: an escaped character costs log2(1,112,064 - alphabet) bits more. The escape was never
    seen, so it has only what smoothing leaves it.
    """

    def __init__(self, text: str, order: int = 6) -> None:
        """`order`: characters of context plus one; of a text shorter than that, its length."""
        if not text:
            raise ValueError("got an empty text, expected at least one character to count; give a longer text")
        self._alphabet = np.unique(_code_points(text))  # sorted
        self.order = min(order, len(text))
        self._escape = len(self._alphabet)
        self._escape_bits = log2(CODE_POINTS - len(self._alphabet))
        self._model = KneserNey(self._ids(text), self.order, self._escape + 1)

    def bits(self, text: str, context: str = "", order: int | None = None) -> np.ndarray:
        """-log2 P of each character given those before it, the first ones after `context`: (characters,) float64.

        `order`: of the model, at most the one it was fitted with, which is the default.
        """
        ids = self._ids(text)
        last = self._ids(context[max(0, len(context) - self.order + 1) :])  # as many as the model looks at
        bits = self._model.bits(ids, last, min(order or self.order, self.order))
        return bits + np.where(ids == self._escape, self._escape_bits, 0.0)

    def _ids(self, text: str) -> np.ndarray:
        points = _code_points(text)
        at = np.minimum(np.searchsorted(self._alphabet, points), len(self._alphabet) - 1)
        return np.where(self._alphabet[at] == points, at, self._escape)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
