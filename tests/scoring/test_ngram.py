"""Smoothed counts: by hand, sums to one, and Kneser-Ney against the published formula in plain dicts."""

from __future__ import annotations

import itertools
from collections import Counter
from math import log2

import numpy as np
import pytest

from tokexp.scoring.ngram import CODE_POINTS, CharModel, KneserNey, Speller, WittenBell

V = 5  # the last id is never in the fitted texts
NOTHING = np.array([], dtype=np.int64)


def random_ids(seed: int, n: int = 150) -> list[int]:
    """Skewed, so that some grams are seen once, some often and some never."""
    return np.random.default_rng(seed).choice(V - 1, size=n, p=[0.5, 0.3, 0.15, 0.05]).tolist()


class PlainKneserNey:
    """The formula of Chen and Goodman (1999, section 2.7), gram by gram."""

    def __init__(self, ids: list[int], order: int) -> None:
        self.order = order
        self.seen = {k: Counter(zip(*(ids[i:] for i in range(k)), strict=False)) for k in range(1, order + 2)}

    def count(self, gram: tuple[int, ...]) -> int:
        k = len(gram)
        if k == self.order:
            return self.seen[k][gram]
        return len({longer[0] for longer in self.seen[k + 1] if longer[1:] == gram})

    def probability(self, context: tuple[int, ...], word: int) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        k = len(context) + 1
        lower = self.probability(context[1:], word) if context else 1 / V
        total = sum(self.count((*context, w)) for w in range(V))
        if total == 0:
            return lower
        times = Counter(self.count(gram) for gram in self.seen[k])
        discount = times[1] / (times[1] + 2 * times[2]) if times[1] and times[2] else 0.5
        followers = sum(self.count((*context, w)) > 0 for w in range(V))
        kept = max(self.count((*context, word)) - discount, 0)
        return kept / total + discount * followers / total * lower


def probabilities(model: KneserNey, context: tuple[int, ...], order: int | None = None) -> np.ndarray:
    """P of every id after `context`, by `bits`."""
    rows = [model.bits(np.array([w]), np.array(context, dtype=np.int64), order) for w in range(model.vocab_size)]
    return 2.0 ** -np.concatenate(rows)


def contexts(longest: int) -> list[tuple[int, ...]]:
    """Seen and unseen, shorter than the order and longer; those with id V - 1 are never seen."""
    return [c for n in range(longest + 1) for c in itertools.product(range(V), repeat=n)]


def test_a_bigram_by_hand() -> None:
    """0 1 0 1 0 2: bigrams 01 twice, 10 twice, 02 once; so D_2 = 1 / (1 + 2 x 2) = 0.2.

    Preceded by: 0 by {1}, 1 by {0}, 2 by {0}: three continuations, none of two, so D_1 = 0.5.
    """
    model = KneserNey(np.array([0, 1, 0, 1, 0, 2]), 2, 3)
    p1 = [0.5 / 3 + 0.5 * 3 / 3 / 3] * 3
    after_0 = [0.2 * 2 / 3 * p1[0], (2 - 0.2) / 3 + 0.2 * 2 / 3 * p1[1], (1 - 0.2) / 3 + 0.2 * 2 / 3 * p1[2]]
    assert probabilities(model, (0,)) == pytest.approx(after_0)
    assert probabilities(model, (2,)) == pytest.approx(p1)  # nothing was seen after 2


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_formula_in_plain_dicts(seed: int, order: int) -> None:
    ids = random_ids(seed)
    plain = PlainKneserNey(ids, order)
    model = KneserNey(np.array(ids), order, V)
    for context in contexts(order):
        expected = [plain.probability(context, w) for w in range(V)]
        assert probabilities(model, context) == pytest.approx(expected), context


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_lower_order_is_the_model_fitted_with_it(order: int) -> None:
    ids, text = np.array(random_ids(0)), np.array([*random_ids(1), V - 1, *random_ids(2)])
    asked, fitted = KneserNey(ids, 4, V), KneserNey(ids, order, V)
    assert asked.bits(text, ids, order) == pytest.approx(fitted.bits(text, ids))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_sums_to_one_after_any_context_at_every_order(order: int) -> None:
    model = KneserNey(np.array(random_ids(0)), 4, V)
    for context in contexts(3):
        assert probabilities(model, context, order).sum() == pytest.approx(1), context


def test_a_text_in_one_call_costs_its_ids_one_by_one() -> None:
    ids, text = random_ids(0), [*random_ids(1, 40), V - 1, *random_ids(2, 40)]
    model = KneserNey(np.array(ids), 4, V)
    one_by_one = [-np.log2(probabilities(model, (*ids, *text[:i]))[w]) for i, w in enumerate(text)]
    assert model.bits(np.array(text), np.array(ids)) == pytest.approx(one_by_one)


def test_a_context_longer_than_the_order_counts_by_its_end() -> None:
    model = KneserNey(np.array(random_ids(0)), 3, V)
    text = np.array([0, 1, 2])
    assert model.bits(text, np.array([3, 3, 0, 1])).tolist() == model.bits(text, np.array([0, 1])).tolist()
    assert model.bits(text, np.array([0, 1]))[0] != model.bits(text, np.array([1, 0]))[0]


@pytest.mark.parametrize("ids", [[0, 1] * 30, [0] * 40, [0, 1, 2, 3] * 2])
def test_without_grams_seen_once_or_twice_it_still_sums_to_one(ids: list[int]) -> None:
    model = KneserNey(np.array(ids), 3, V)
    for context in contexts(2):
        p = probabilities(model, context)
        assert (p > 0).all()
        assert p.sum() == pytest.approx(1)


def test_a_gram_that_nothing_precedes() -> None:
    """Id 0 stands only at the beginning: below the highest order 0 1 has no count, and nor has any gram after 0."""
    model = KneserNey(np.array([0, 1, 2, 1, 2, 2, 1]), 3, V)
    assert probabilities(model, (2, 0)) == pytest.approx(probabilities(model, ()))


def test_a_text_shorter_than_the_order() -> None:
    assert np.isfinite(KneserNey(np.array([0, 1]), 4, V).bits(np.array([0, 1, 2]), NOTHING)).all()


def test_characters_cost_what_their_ids_do() -> None:
    """Against a model over ids numbered here, with the escape."""
    text, held_out = "abracadabra, cadabra", "a bar,é"
    number = {char: i for i, char in enumerate(sorted(set(text)))}
    escape = len(number)
    ids = KneserNey(np.array([number[c] for c in text]), 3, escape + 1)
    expected = ids.bits(np.array([number.get(c, escape) for c in held_out]), np.array([number[c] for c in text]))
    expected[-1] += log2(CODE_POINTS - len(number))
    assert CharModel(text, order=3).bits(held_out, text) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("context", ["", "a", "abra", "é", "zé", "never seen"])
def test_characters_and_the_escaped_ones_sum_to_one(order: int, context: str) -> None:
    text = "abracadabra, cadabra"
    model = CharModel(text, order=4)
    escaped = CODE_POINTS - len(set(text))
    total = sum(2 ** -model.bits(char, context, order)[0] for char in set(text))
    total += escaped * 2 ** -model.bits("é", context, order)[0]
    assert total == pytest.approx(1)


def test_an_unseen_character_costs_the_rest_of_unicode() -> None:
    """Of "aab" at order 1: three characters counted, of two kinds."""
    bits = CharModel("aab", order=1).bits("aé")
    outcomes = 3  # a, b, the escape
    discount = 1 / (1 + 2 * 1)  # one kind seen once, one twice
    rest = discount * 2 / 3 / outcomes
    assert bits[0] == pytest.approx(-log2((2 - discount) / 3 + rest))
    assert bits[1] == pytest.approx(-log2(rest) + log2(CODE_POINTS - 2))


def test_bits_are_one_a_character_whatever_its_bytes() -> None:
    model = CharModel("naïve café 日本語 😀 " * 3)
    bits = model.bits("日本 😀 naïve ü𝄞", "naïve ")
    assert bits.shape == (13,)
    assert np.isfinite(bits).all()
    assert bits[-2:].min() > 19 > bits[:-3].max()  # those two alone are escaped
    assert model.bits("").shape == (0,)


def test_the_context_is_what_stands_before() -> None:
    model = CharModel("the king of the kingdom is the king " * 3, order=4)
    assert model.bits("ing", "the k").tolist() == model.bits("the king", "of ")[-3:].tolist()
    assert model.bits("ing", "the k")[0] < 1 < model.bits("ing", "dom")[0]
    assert model.bits("ing", "the k", order=1).tolist() == model.bits("ing", order=1).tolist()


@pytest.mark.parametrize("text", ["a", "ab", "\ufeffTitle", "Xaba"])
def test_tiny_texts_have_finite_costs(text: str) -> None:
    """Also after their own beginning, which nothing precedes."""
    model = CharModel(text)
    for order in (None, 1, 2, 6):
        assert np.isfinite(model.bits(f"z{text}é{text}", order=order)).all()


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ValueError, match="empty text"):
        CharModel("")


def test_shakespeare_costs_what_was_measured(shakespeare: str) -> None:
    """The design's reference figures, bits a character, orders 1 to 6."""
    train, val = shakespeare[:1_003_854], shakespeare[1_003_854:]
    model = CharModel(train, order=6)
    got = [model.bits(val, train, order).mean() for order in range(1, 7)]
    assert got == pytest.approx([4.83, 3.58, 2.95, 2.49, 2.28, 2.248], abs=0.006)
    assert got[-1] == pytest.approx(2.248, abs=0.001)


def test_witten_bell_by_hand() -> None:
    model = WittenBell(lambda _: 0.5)
    for symbol in "aab":
        model.add(["all"], symbol)
    assert model.probability(["all"], "a") == pytest.approx((2 + 2 * 0.5) / (3 + 2))
    assert model.probability(["all", "unseen context"], "b") == pytest.approx((1 + 2 * 0.5) / (3 + 2))


def test_witten_bell_sums_to_one_through_every_context() -> None:
    model = WittenBell(lambda _: 1 / 4)
    for i, symbol in enumerate("abcabdaab"):
        model.add([(), (i % 2,), (i % 2, i % 3)], symbol)
    for contexts in ([()], [(), (1,)], [(), (0,), (0, 2)], [(), (9,), (9, 9)]):
        assert sum(model.probability(contexts, s) for s in "abcd") == pytest.approx(1)


def test_speller_sums_to_one_over_all_strings() -> None:
    """Over every string of at most n letters, plus what is left for longer ones, which shrinks."""
    speller = Speller(["a", "ab", "b", ""], order=3)
    total = 0.0
    for n in range(10):
        total += sum(2 ** -speller.bits("".join(s)) for s in itertools.product("ab", repeat=n))
    escaped = 2 ** -speller.bits("é") * (CODE_POINTS - 2)
    assert 0.9 < total + escaped <= 1


def test_unseen_character_costs_the_rest_of_unicode() -> None:
    speller = Speller(["abc", "abd"], order=1)
    outcomes, n, d = 4 + 2, 8, 5  # letters, end and escape; symbols seen; different ones
    assert speller.bits("é") == pytest.approx(
        -log2(d / outcomes / (n + d)) + log2(CODE_POINTS - 4) - log2((2 + d / outcomes) / (n + d))
    )
