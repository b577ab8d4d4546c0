"""Smoothed counts: how probable is a symbol after what came before it, with nothing ever impossible.

Small models that are fitted in seconds and whose probabilities sum to one. `WittenBell` is the
mechanism; `Speller` uses it to give every string a probability.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from math import log2

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
