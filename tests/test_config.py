"""Settings are checked by type, by one rule wherever values come from outside."""

from __future__ import annotations

from typing import Any

import pytest

from tokexp.config import RunConfig, TokenizerConfig, describe_type, fits
from tokexp.tokenizer import check_settings


@pytest.mark.parametrize(
    ("value", "kind", "fitting"),
    [
        (1, int, True),
        (1, float, True),  # a whole number stands for a float
        (1.0, int, False),
        (True, int, False),
        (True, float, False),
        (None, int | None, True),
        (None, int, False),
        (1, float | None, True),
        ([1], list[str], True),  # what it holds is not looked at
        ({}, dict[str, Any], True),
        ([], dict[str, Any], False),
        (object(), Any, True),
        ("1", float | None, False),
    ],
)
def test_fits(value: Any, kind: Any, fitting: bool) -> None:
    assert fits(value, kind) is fitting


def test_a_type_is_described_as_a_settings_file_would_write_it() -> None:
    assert describe_type(float | None) == "float or null"
    assert describe_type(list[str]) == "list"


def test_a_whole_number_stands_for_a_tokenizers_float_too() -> None:
    check_settings("bpe_fallback", {"coverage": 1})


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
    for given in ("", "file"):
        assert RunConfig(tokenizer=TokenizerConfig("file", settings={"path": path}), arm=given).arm == arm
    assert RunConfig(tokenizer=TokenizerConfig("file", settings={"path": path}), arm="ours").arm == "ours"
