"""The published GPT-2 vocabulary."""

from __future__ import annotations

import pytest
from conftest import needs_data

from tokexp.config import InputError
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.base import NO_UTF8


def test_gpt2_is_the_published_one() -> None:
    needs_data("gpt2/vocab.bpe")
    gpt2 = train_tokenizer("gpt2", "")
    assert gpt2.encode("Not all heroes wear capes.") == [3673, 477, 10281, 5806, 1451, 274, 13]
    assert (gpt2.vocab_size, gpt2.trained_on) == (50_257, "external")
    *bytes_of_no_text, end = gpt2.never_drawn()
    assert {gpt2.token_bytes()[i] for i in bytes_of_no_text} == {bytes([byte]) for byte in NO_UTF8}
    assert end == 50_256
    with pytest.raises(InputError, match="expected null"):
        train_tokenizer("gpt2", "", vocab_size=1000)
