"""The held-out text in blocks: what belongs to which, and the price of choosing a checkpoint."""

from __future__ import annotations

import numpy as np

from tokexp.scoring.blocks import BLOCKS, by_block, crossfit


def test_a_token_belongs_to_the_block_of_its_first_byte() -> None:
    starts = np.array([0, 1, 63, 65, 128])  # tokens of 1, 62, 2 and 63 bytes; blocks of 2 bytes
    blocks = by_block(np.array([1.0, 10.0, 100.0, 1000.0]), starts)
    assert len(blocks) == BLOCKS
    assert {i: v for i, v in enumerate(blocks) if v} == {0: 11.0, 31: 100.0, 32: 1000.0}


def test_crossfit_by_hand() -> None:
    """A is best on even blocks, B on odd ones: each is scored where it was not chosen."""
    a = np.array([1.0, 5.0] * 32)
    b = np.array([2.0, 4.0] * 32)
    both = np.array([a, b])
    assert crossfit(both).tolist() == [2.0, 5.0] * 32
    assert both.tolist() == [a.tolist(), b.tolist()], "the checkpoints themselves stay"
    assert crossfit(a[None]).tolist() == a.tolist()
