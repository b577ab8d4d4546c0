"""Words, and n-grams of them numbered and looked up, against counting them one by one."""

from __future__ import annotations

import random

import pytest

from tokexp.scoring.samples.grams import word_grams, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't -- well-known 'tis!", ["don't", "well-known", "tis"]),
        ("it\u2019s O'er", ["it\u2019s", "o'er"]),
        ("a1b_c\ufffdd", ["a", "b", "c", "d"]),
        ("ÉTÉ हिन्दी 日本、語", ["été", "हिन्दी", "日本", "語"]),
        ("", []),
    ],
)
def test_a_word(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_word_grams_are_those_that_counting_gives() -> None:
    rng = random.Random(0)
    train = " ".join(rng.choices("abcde", k=300))
    samples = [rng.choices("abcdef", k=n) for n in (0, 1, 40, 7)]
    grams = word_grams(train, samples, [2, 3, 4, 8])
    known, numbered = train.split(), {}
    for sample, at in zip(samples, grams.at, strict=True):
        for n in (1, 2, 3, 4, 8):
            assert len(at[n]) == len(sample)
            for i, number in enumerate(at[n].tolist()):
                gram = tuple(sample[i : i + n])
                assert (number >= 0) == (len(gram) == n)
                if number >= 0:
                    assert numbered.setdefault((n, number), gram) == gram, "a number is one gram"
                    assert grams.seen[n][number] == any(tuple(known[j : j + n]) == gram for j in range(len(known)))
