"""The models of what a tokenizer loses: probabilities that sum to one, and costs that match by hand."""

from __future__ import annotations

import itertools
from math import log2

import numpy as np
import pytest

from tokexp.ngram import CODE_POINTS, Speller, WittenBell
from tokexp.restoration import PARTS, RestorationModel, restoration_cost
from tokexp.tokenizer import train_tokenizer


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


def test_lossless_text_costs_nothing(text: str) -> None:
    for kind in ("char", "bpe"):
        cost = restoration_cost(train_tokenizer(kind, text), text, text[:500])
        assert cost.total == 0
        assert cost.bits.shape[1] == len(PARTS)


def test_a_lower_case_text_with_known_words_still_pays_a_little(text: str) -> None:
    """What the tokenizer could have lost must be said to be absent; that is cheap, not free."""
    word = train_tokenizer("word", text.lower())
    cost = RestorationModel(word, text.lower()).cost(text.lower()[:2000])
    assert 0 < cost.by_part()["case"] < 60


@pytest.mark.parametrize(
    ("lost", "part"),
    [("KING", "case"), ("Xylophone", "spelling"), ("the   king", "spacing"), ("ZZé日", "spelling")],
)
def test_each_loss_is_charged_to_its_part(text: str, lost: str, part: str) -> None:
    word = train_tokenizer("word", text)
    model = RestorationModel(word, text)
    plain, changed = model.cost("the king of love"), model.cost(f"the king of love {lost}")
    extra = {name: changed.by_part()[name] - plain.by_part()[name] for name in PARTS}
    assert max(extra, key=lambda name: extra[name]) == part
    assert np.isfinite(changed.total)


def test_case_probabilities_sum_to_one(text: str) -> None:
    """Over the ways to write one word of known spelling, in its place."""
    word = train_tokenizer("word", text)
    model = RestorationModel(word, text)
    forms = ["".join(p) for p in itertools.product(*((c, c.upper()) for c in "king"))]
    costs = [model.cost(f"the {form}").bits[-1] for form in forms]
    escape = costs[0][2]  # the bits that say "this is the token's own word", the same for all
    assert sum(2 ** -cost[1] for cost in costs) == pytest.approx(1)
    assert all(cost[2] == escape for cost in costs)


def test_trailing_space_is_paid_for(text: str) -> None:
    word = train_tokenizer("word", text)
    model = RestorationModel(word, text)
    assert model.cost("the king  ").total > model.cost("the king").total + 5


def test_shakespeare_words_cost_what_was_measured(shakespeare: str) -> None:
    """DESIGN's reference: case 0.036, spacing 0.003, spelling 0.330 bits per character; at most 20 % more."""
    train, val = shakespeare[:1_003_854], shakespeare[1_003_854:]
    parts = restoration_cost(train_tokenizer("word", train), train, val).by_part()
    per_char = {name: bits / len(val) for name, bits in parts.items()}
    assert 0.02 < per_char["case"] < 0.036 * 1.2
    assert 0.001 < per_char["spacing"] < 0.003 * 1.2
    assert 0.25 < per_char["spelling"] < 0.330 * 1.2
