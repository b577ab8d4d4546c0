"""The published GPT-2 vocabulary."""

from __future__ import annotations

import pytest
from conftest import needs_data

from tokexp.config import InputError
from tokexp.tokenizer import train_tokenizer


def test_gpt2_is_the_published_one() -> None:
    needs_data("gpt2/vocab.bpe")
    gpt2 = train_tokenizer("gpt2", "")
    assert gpt2.encode("Not all heroes wear capes.") == [3673, 477, 10281, 5806, 1451, 274, 13]
    assert (gpt2.vocab_size, gpt2.trained_on) == (50_257, "external")
    assert gpt2.never_drawn() == [50_256]
    with pytest.raises(InputError, match="expected null"):
        train_tokenizer("gpt2", "", vocab_size=1000)
