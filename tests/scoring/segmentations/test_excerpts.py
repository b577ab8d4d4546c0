"""The excerpts that the marginal is estimated on: where they lie in the text, and what cuts them."""

from __future__ import annotations

import numpy as np
import pytest

from tokexp.encoding.encode import encode_stream
from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.scoring.segmentations.excerpts import all_matches, choose_excerpts
from tokexp.tokenizer import train_tokenizer

T = 16  # block size: excerpts of at most 8 bytes, 8 tokens of context


@pytest.mark.parametrize("count", [2, 5, 1000])
def test_excerpts_are_runs_of_the_text_apart_from_each_other(text: str, count: int) -> None:
    bpe = train_tokenizer("bpe", text, vocab_size=300)
    raw = text[1000:4000].encode()
    stream = encode_stream(bpe, raw.decode())
    chosen = choose_excerpts(bpe, TokenizedCorpus(stream, stream, stream), raw, T, count)
    assert chosen
    assert min(count, 300) <= len(chosen) <= count
    written, ends = bpe.token_bytes(), [0]
    for excerpt in chosen:
        here = b"".join(written[i] for i in excerpt.ids)
        assert 0 < excerpt.n_bytes == len(here) <= T // 2
        assert len(excerpt.context) <= T // 2
        before = b"".join(written[i] for i in excerpt.context[1:])
        ends.append(raw.index(before + here, max(0, ends[-1] - len(before))) + len(before + here))
    spacing = len(raw) / min(count, len(raw) // (T // 2))
    assert np.abs(np.diff(ends[1:]) - spacing).max() < T, "evenly"
    assert ends[-1] > len(raw) - spacing


def test_matches_by_hand() -> None:
    """abc is a, bc or ab, c or abc; no token begins with c but c itself, and bd leads nowhere."""
    ids_of = {b"a": [0], b"ab": [1, 5], b"bc": [2], b"c": [3], b"abc": [4], b"bd": [6]}
    matches, segmentations = all_matches(b"abc", ids_of, [1, 2, 3])
    assert segmentations == 4, "ab has two ids"
    assert matches == [[(0, 1), (1, 2), (5, 2), (4, 3)], [(2, 3)], [(3, 3)]]
    assert all_matches(b"ad", ids_of, [1, 2, 3]) == ([[], []], 0)
