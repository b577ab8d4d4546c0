"""Bits per byte by kind of content and along the text, against cases worked by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import compared, named, seeds, with_content

from tokexp.analysis.content import (
    bits_along,
    bits_by_content,
    shares_of_bytes,
    sources,
    with_words_and_spacing,
)

BASES = {"char": {"heading": 1.0, "spacing": 2.0}, "bpe": {"heading": 2.0, "spacing": 3.0}}


def test_content_by_hand() -> None:
    """A mean over the seeds, each a tenth above the one before; a class without a byte is none."""
    made = with_content(seeds(0.5), "place", BASES, {"heading": 64, "spacing": 576, "none": 0})
    comparison = compared(made)
    bits = bits_by_content(comparison, "place")
    assert list(map(str, bits.index)) == ["char", "bpe"], "best total first"
    assert bits.iloc[0].to_dict() == pytest.approx({"heading": 1.1, "spacing": 2.1})
    shares = shares_of_bytes(comparison, "place")
    assert (shares["heading"], shares["spacing"]) == pytest.approx((0.1, 0.9))
    assert not len(bits_by_content(comparison, "word"))


def test_words_and_spacing_together_by_hand() -> None:
    same = {"word_first": 4.0, "word_rest": 2.0, "spacing": 1.0, "heading": 9.0}
    of = {"word_first": 64, "word_rest": 128, "spacing": 384, "heading": 64}
    made = with_content(seeds(0.5), "place", {"char": same, "bpe": same}, of)
    comparison = compared(made)
    bits, shares = with_words_and_spacing(bits_by_content(comparison, "place"), shares_of_bytes(comparison, "place"))
    mean = (64 * 4 + 128 * 2 + 384) / 576 + 0.1
    assert bits["words and spacing"].tolist() == pytest.approx([mean, mean])
    assert shares["words and spacing"] == pytest.approx(0.9)
    one_class = bits[["heading"]]
    assert list(with_words_and_spacing(one_class, shares)[0]) == ["heading"], "nothing to put together"


def test_few_bytes_of_context_say_nothing() -> None:
    bases = {arm: {"8": 2.0, "512": 1.0} for arm in ("char", "bpe")}
    comparison = compared(with_content(seeds(0.5), "context", bases, {"8": 100, "512": 99}))
    assert list(bits_by_content(comparison, "context")) == ["8"]
    assert shares_of_bytes(comparison, "context") == {}, "which are others for each tokenizer"


def test_along_the_text_by_hand() -> None:
    """A cell that is better on the first eighth alone by 0.8 is better by 0.1 of the whole."""
    made = seeds(0.5)
    of_bpe = made.blocks.name.str.startswith("bpe")
    first = {f"b{i}": made.blocks[f"b{i}"] - 0.8 * 10 * np.log(2) * of_bpe for i in range(8)}
    rows = named(bits_along(compared(made)))
    moved = named(bits_along(compared(dataclasses.replace(made, blocks=made.blocks.assign(**first)))))
    assert list(rows) == ["char", "bpe", "PPMd (adaptive)", "Kneser-Ney (static)"], "gzip's are not known"
    for name, bits in rows.items():
        assert bits - moved[name] == pytest.approx([0.8 if name == "bpe" else 0.0] + [0.0] * 7)
    assert [bits.mean() for bits in rows.values()] == pytest.approx([2.01, 2.51, 2.005, 2.3])


def test_a_lead_lies_in_the_classes_that_make_up_most_of_it() -> None:
    """Headings, a tenth of the bytes, cost 3 bits less: 0.3. Words and spacing are one class, and come to 0.16."""
    of = {"heading": 64, "word_first": 64, "word_rest": 128, "spacing": 320, "punctuation": 64}
    char = {"heading": 1.0, "word_first": 4.0, "word_rest": 2.0, "spacing": 1.0, "punctuation": 3.0}
    bpe = {"heading": 4.0, "word_first": 4.6, "word_rest": 2.0, "spacing": 1.2, "punctuation": 2.9}
    comparison = compared(with_content(seeds(0.5), "place", {"char": char, "bpe": bpe}, of))
    one, other = comparison.cells
    found = sources(comparison, one, other)
    assert [source.name for source in found] == ["heading", "words and spacing"]
    assert [(source.bits, source.share) for source in found] == [pytest.approx((0.3, 0.1)), pytest.approx((0.16, 0.8))]
    assert sources(comparison, other, one) == [], "which is behind"
    assert sources(compared(seeds(0.5)), one, other) == [], "without content"
    alone = compared(with_content(seeds(0.5), "place", {"char": {"heading": 0.0}, "bpe": {"heading": 9.0}}, of))
    assert [source.name for source in sources(alone, *alone.cells)] == ["heading"], "which are all of it"
