"""Options of conf/ without Hydra: what a tokenizer is called."""

from __future__ import annotations

import pytest

from tokexp.config import TokenizerConfig
from tokexp.sweep.options import arm_of


@pytest.mark.parametrize(
    ("path", "arm"),
    [
        ("down/mine.json", "mine.json"),
        ("down/llama/tokenizer.model", "llama-tokenizer.model"),
        ("tokenizer.json", "tokenizer.json"),
        ("a b/(1) é.json", "_1__é.json"),
        (None, "file"),
    ],
)
def test_a_file_is_called_by_its_name(path: str | None, arm: str) -> None:
    tokenizer = TokenizerConfig("file", settings={"path": path})
    assert arm_of("file", tokenizer) == arm
    assert arm_of("ours", tokenizer) == "ours", "an option of its own"
