"""A tokenizer that lies is found out before anything is trained on what it says."""

from __future__ import annotations

import pytest

from tokexp.encoding.checks import check_claim
from tokexp.tokenizer import Tokenizer, train_tokenizer


def test_a_tokenizer_that_claims_to_be_lossless_and_is_not_fails_loudly(text: str) -> None:
    class Liar(type(train_tokenizer("bpe", text))):  # type: ignore[misc]
        def encode(self, text: str) -> list[int]:
            return super().encode(text.lower())

    liar: Tokenizer = Liar([])
    with pytest.raises(ValueError, match=r"declares itself lossless.*at character 0: got 'the'.*expected 'The'"):
        check_claim(liar, "The")
