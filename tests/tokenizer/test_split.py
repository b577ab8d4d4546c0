"""Pretokens: the quick patterns against the published ones."""

from __future__ import annotations

import random

import pytest
import regex

from tokexp.tokenizer.split import PATTERNS, splitter


@pytest.mark.parametrize("pattern", PATTERNS)
def test_quick_patterns_cut_ascii_as_the_published_ones(pattern: str) -> None:
    published = regex.compile(PATTERNS[pattern][0])
    rng = random.Random(0)
    for _ in range(3000):
        sample = "".join(rng.choices("aB'sd 1 2.!\n\t\r\x0b\x1c\x1f_-", k=rng.randint(0, 12)))
        assert splitter(pattern)(sample) == published.findall(sample)
