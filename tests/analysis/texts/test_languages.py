"""Premiums of languages, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import compared, language, on_test, study, together, with_units

from tokexp.analysis.comparison import comparisons
from tokexp.analysis.texts.languages import ENGLISH, Premium, in_languages, ratio_over_pages


def test_a_paragraph_by_hand() -> None:
    """Forty pages of 4780 bytes in 160 paragraphs; a token of BPE has two bytes, those that part pages left out."""
    made = in_languages([compared(language(ENGLISH, 1.0))])
    char, bpe = made
    assert (char.cell, bpe.cell) == ("char", "bpe")
    assert char.tokens_per_paragraph == pytest.approx(4780 / 160)
    assert char.bits_per_paragraph == pytest.approx(2.0 * 4780 / 160, rel=1e-3)
    assert bpe.tokens_per_paragraph == pytest.approx((4780 - 20) / 2 / 160), "twenty pages of an odd length"
    assert char.bits_premium is None, "English has none"
    assert (char.unk_rate, char.restoration) == (0.0, 0.0)


def test_premiums_are_ratios_over_the_same_pages() -> None:
    found = in_languages(comparisons(together(language("de", 2.0), language(ENGLISH, 1.0))))
    assert [(row.language, row.cell) for row in found] == [
        (ENGLISH, "char"), (ENGLISH, "bpe"), ("de", "char"), ("de", "bpe"),
    ]  # fmt: skip
    german = found[2]
    assert german.tokens_premium is not None
    assert german.tokens_premium.value == pytest.approx(2.0)
    assert german.tokens_premium.interval == pytest.approx((2.0, 2.0))
    assert german.bits_premium is not None
    assert german.bits_premium.value == pytest.approx(2.0)


def test_pages_that_one_language_lacks_are_left_out() -> None:
    made = together(language("de", 2.0), language(ENGLISH, 1.0))
    lost = (made.units["name"].str.endswith(ENGLISH)) & (made.units.unit < 5)
    dear = made.units["name"].str.endswith("de") & (made.units.unit < 5)
    units = made.units.assign(tokens=made.units.tokens.where(~dear, 1e6))[~lost]
    german = in_languages(comparisons(dataclasses.replace(made, units=units)))[2]
    assert german.tokens_premium is not None
    assert german.tokens_premium.value == pytest.approx(2.0), "of the other 35"
    assert german.tokens_premium.interval is not None


def test_pages_without_names_have_no_interval() -> None:
    made = together(language("de", 2.0), language(ENGLISH, 1.0))
    german = in_languages(comparisons(dataclasses.replace(made, units=made.units.assign(document=""))))[2]
    assert german.tokens_premium is not None
    assert german.tokens_premium.value == pytest.approx(2.0)
    assert german.tokens_premium.interval is None


def test_without_english_there_are_no_premiums() -> None:
    assert all(row.tokens_premium is None for row in in_languages([compared(language("de", 2.0))]))
    assert in_languages([compared(study([on_test("char")]))]) == [], "no language"


def test_models_of_several_languages_give_a_row_for_each() -> None:
    runs = [on_test("bpe", language="en-US+de")]
    made = with_units(with_units(with_units(study(runs)), ENGLISH), "de", sizes=3.0)
    english, german = in_languages([compared(made)])
    assert (english.language, german.language, german.together) == (ENGLISH, "de", "en-US+de")
    assert german.tokens_premium is not None
    assert german.tokens_premium.value == pytest.approx(3.0, rel=0.01)
    assert german.unk_rate is None, "not known of one language"


def test_the_interval_holds_the_ratio_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        lines = rng.integers(1, 30, 60).astype(float)
        english = lines * rng.gamma(20, 1, 60)
        german = english * rng.gamma(15, 1.5 / 15, 60)
        premium = ratio_over_pages(german, lines, english, lines)
        assert premium.interval is not None
        held += premium.interval.low < 1.5 < premium.interval.high
    assert 0.91 < held / 400 < 0.985


def test_few_pages_have_no_interval() -> None:
    ones = np.ones(29)
    assert ratio_over_pages(2 * ones, ones, ones, ones) == Premium(pytest.approx(2.0), None)
    ones = np.ones(30)
    assert ratio_over_pages(2 * ones, ones, ones, ones).interval == pytest.approx((2.0, 2.0))
