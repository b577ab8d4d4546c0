"""A text as ids: its lengths and edges, its documents, its beginnings."""

from __future__ import annotations

import numpy as np

from tokexp.encoding.stream import TokenStream

END = 2
STREAM = TokenStream(np.array([5, 6, END, 7, END, 8, 9, END]), np.array([1, 2, 0, 3, 1, 2, 2, 0], np.uint8), END)


def test_starts_and_lengths_are_the_same_told_twice() -> None:
    assert STREAM.starts.tolist() == [0, 1, 3, 3, 6, 7, 9, 11, 11]
    again = TokenStream.of_starts(STREAM.ids, STREAM.starts)
    assert again.lengths.tolist() == STREAM.lengths.tolist()
    assert (STREAM.n_bytes, len(STREAM), again.separator) == (11, 8, None)
    many = TokenStream(np.zeros(300, np.uint8), np.full(300, 255, np.uint8))
    assert many.n_bytes == many.starts[-1] == 300 * 255, "more than a byte holds"


def test_bytes_of_sequences() -> None:
    assert STREAM.bytes_of(np.array([0, 3]), 2) == 3 + 4
    assert STREAM.bytes_of(np.array([1, 1]), 3) == 2 * 5


def test_each_token_is_of_a_document_and_its_end_too() -> None:
    assert STREAM.document_of.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert TokenStream(STREAM.ids, STREAM.lengths).document_of.tolist() == [0] * 8


def test_head_is_of_whole_documents_or_of_whole_tokens() -> None:
    for n_bytes, tokens in ((1, 3), (3, 3), (6, 3), (7, 5), (10, 5), (11, 8), (None, 8)):
        assert len(STREAM.head(n_bytes)) == tokens, n_bytes
        assert STREAM.head(n_bytes).separator == END
    single = TokenStream(STREAM.ids, STREAM.lengths)
    for n_bytes, tokens in ((1, 1), (3, 3), (6, 4), (8, 5), (11, 8)):
        assert len(single.head(n_bytes)) == tokens, n_bytes
    assert len(single.head(0)) == 1


def test_without_separators_their_bytes_are_those_of_the_token_before() -> None:
    plain = STREAM.without_separators()
    assert plain.ids.tolist() == [5, 6, 7, 8, 9]
    assert plain.lengths.tolist() == [1, 2, 4, 2, 2]
    assert plain.separator is None
    single = TokenStream(STREAM.ids, STREAM.lengths)
    assert single.without_separators() is single
    first = TokenStream(np.array([END, 5]), np.array([2, 1]), END).without_separators()
    assert (first.lengths.tolist(), first.n_bytes) == ([3], 3), "white space alone, before any token"
