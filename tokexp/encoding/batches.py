"""Chooses the sequences that a step reads, from the seed and the step alone."""

from __future__ import annotations

import numpy as np


def batch_offsets(seed: int, step: int, train_tokens: int, batch_size: int, block_size: int) -> np.ndarray:
    """Where the sequences of a step begin, (batch_size,) int64: a pure function of the seed and the step.

    Each sequence reads `block_size` ids from its offset and predicts those one further on.
    """
    return np.random.default_rng((seed, step)).integers(0, train_tokens - block_size, size=batch_size)
