"""The longest run of a sample that the training text has, against trying all runs."""

from __future__ import annotations

import random

import pytest

from tokexp.scoring.samples import copies
from tokexp.scoring.samples.copies import longest_copies


def brute_longest_copy(train: str, sample: str, least: int) -> int:
    lengths = (
        n for n in range(len(sample), least - 1, -1) for i in range(len(sample) - n + 1) if sample[i:][:n] in train
    )
    return next(lengths, 0)


@pytest.mark.parametrize("chunk", [1, 1 << 17])
def test_longest_copy_is_what_trying_all_gives(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "CHUNK", chunk)  # the training text in many chunks, and in one
    rng = random.Random(1)
    for trial in range(120):
        letters = "ab" if trial % 2 else "aabc\n\u00e9"
        train = "".join(rng.choices(letters, k=rng.randint(0, 200)))
        samples = ["".join(rng.choices(letters + "z", k=rng.randint(0, 60))) for _ in range(rng.randint(1, 4))]
        start = rng.randint(0, len(train))
        samples.append("z" + train[start : start + rng.randint(0, 60)] + samples[0])
        for least in (1, 5, 16):
            expected = [brute_longest_copy(train, sample, least) for sample in samples]
            assert longest_copies(train, samples, least) == expected
