"""A text as ids: in the smallest type, whole or in chunks, in memory or mapped from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tokexp.config import InputError
from tokexp.encoding.stream import chunks_for, encode_stream, read_stream, write_stream
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.split import chunks


def test_ids_are_in_the_smallest_type_that_holds_them(text: str) -> None:
    assert encode_stream(train_tokenizer("char", text), text).ids.dtype == np.uint8
    assert encode_stream(train_tokenizer("bpe", text, vocab_size=400), text).ids.dtype == np.uint16


@pytest.mark.parametrize("kind", ["char", "word", "bpe", "bpe_classic"])
def test_a_text_in_chunks_is_encoded_as_it_is_whole(text: str, tmp_path: Path, kind: str) -> None:
    tokenizer = train_tokenizer(kind, text)
    long = "   " + text + " né 日本  "
    in_chunks = list(chunks(long, length=300))
    assert len(in_chunks) > 20
    write_stream(tokenizer, in_chunks, tmp_path, "long")
    whole, mapped = encode_stream(tokenizer, long), read_stream(tmp_path, "long")
    assert isinstance(mapped.ids, np.memmap)
    assert np.array_equal(mapped.ids, whole.ids)
    assert np.array_equal(mapped.starts, whole.starts)
    assert mapped.ids.dtype == whole.ids.dtype


def test_only_a_kind_that_never_joins_over_spaces_is_given_chunks(text: str) -> None:
    long = "the king of " * 100_000
    for pattern, cut in (("gpt2", True), ("none", False)):
        tokenizer = train_tokenizer("bpe", text[:500], vocab_size=262, pattern=pattern)
        assert (len(list(chunks_for(tokenizer, long))) > 1) == cut


def test_a_text_without_tokens_is_refused(tmp_path: Path, text: str) -> None:
    word = train_tokenizer("word", text)
    with pytest.raises(InputError, match="has no tokens"):
        encode_stream(word, "   ")
    with pytest.raises(InputError, match="has no tokens"):
        write_stream(word, ["   "], tmp_path, "empty")
