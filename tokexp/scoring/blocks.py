"""Sums the cost of the held-out text over 64 blocks of equal length.

The sums are kept with every total. They say how much of a difference is this text's (`analysis/chance/statistics.py`),
and what the best of several checkpoints is worth. A token or character belongs to the block of its first byte.
"""

from __future__ import annotations

import numpy as np

BLOCKS = 64


def by_block(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sum values (n,) over the 64 blocks; starts (n + 1,) is where each begins, in bytes, and the text's length."""
    return np.bincount(block_of(starts), weights=values, minlength=BLOCKS)


def block_of(starts: np.ndarray) -> np.ndarray:
    """(n,) int, the block of each; the end of a last document, which has no bytes, is in the last one."""
    return np.minimum(starts[:-1] * BLOCKS // starts[-1], BLOCKS - 1)


def crossfit(block_nats: np.ndarray) -> np.ndarray:
    """Nats of the best of several checkpoints, the choice paid for: (checkpoints, 64) to (64,).

    The checkpoint that is best on the even blocks is scored on the odd ones, and the reverse, so that
    no block is scored by a checkpoint that was chosen on it. Neighbouring blocks are alike, so part of the price is
    still owed: by halves of the text in place of even and odd it has been up to 0.006 bits per byte more.
    """
    even, odd = block_nats[:, 0::2].sum(axis=1), block_nats[:, 1::2].sum(axis=1)
    chosen = block_nats[even.argmin()].copy()
    chosen[0::2] = block_nats[odd.argmin(), 0::2]
    return chosen
