"""Which sequences a step reads."""

from __future__ import annotations

import numpy as np

from tokexp.encoding.batches import batch_offsets


def test_batches_are_a_pure_function_of_seed_and_step() -> None:
    first = batch_offsets(3, 7, 1000, 16, 64)
    batch_offsets(3, 8, 1000, 16, 64)
    assert np.array_equal(first, batch_offsets(3, 7, 1000, 16, 64))
    assert not np.array_equal(first, batch_offsets(4, 7, 1000, 16, 64))
    assert not np.array_equal(first, batch_offsets(3, 8, 1000, 16, 64))


def test_every_offset_fits_and_both_ends_are_reached() -> None:
    offsets = np.concatenate([batch_offsets(0, step, 20, 50, 16) for step in range(20)])
    assert (offsets.min(), offsets.max()) == (0, 3), "the last sequence predicts the last id"
