"""What was chosen by looking at held-out text, as a line of conf/ says it."""

from __future__ import annotations

import pytest

from tokexp.config.chosen import Chosen


def test_a_line_has_setting_value_what_was_looked_at_and_the_corpus() -> None:
    line = "tokenizer.vocab_size=1024 by the study vocab_size on tinyshakespeare"
    assert Chosen.of(line) == Chosen("tokenizer.vocab_size", "1024", "the study vocab_size", "tinyshakespeare")


@pytest.mark.parametrize("line", ["train.lr", "train.lr by hand", "a=1 by b", "a=1 on c", "a b=1 by c on d", ""])
def test_other_text_is_none(line: str) -> None:
    assert Chosen.of(line) is None


def test_numbers_may_be_written_otherwise() -> None:
    assert Chosen("train.lr", "2e-3", "", "").is_at(0.002)
    assert not Chosen("train.lr", "2e-3", "", "").is_at(0.0021)
    assert not Chosen("train.lr", "2e-3", "", "").is_at(None)
    assert Chosen("model", "micro", "", "").is_at("micro")
    assert not Chosen("model", "micro", "", "").is_at("nano")
