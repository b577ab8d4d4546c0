"""Settings are checked by type, by one rule wherever values come from outside."""

from __future__ import annotations

from typing import Any

import pytest

from tokexp.config import DataConfig, InputError, RunConfig, SampleConfig, describe_type, fits
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
    ("setting", "value"), [("top_p", 1e-300), ("tokens", 10**12), ("chars", 10**12), ("count", 10**9)]
)
def test_a_sample_that_would_not_end_or_not_begin_is_refused(setting: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"sample\.{setting}: got "):
        SampleConfig(**{setting: value})


def test_more_threads_than_any_machine_has_are_refused() -> None:
    with pytest.raises(InputError, match="threads: got 1000000000, expected from 1 to 65,536"):
        RunConfig(threads=10**9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"name": "text", "test_ids": ["a"]},
            r"data\.test_ids: got \['a'\], expected null: data=text has no documents",
        ),
        ({"val_ids": []}, r"data\.val_ids: got \[\], expected a list of different ids"),
        ({"val_ids": ["a", "a"]}, r"data\.val_ids: .* different ids"),
        ({"test_ids": [1]}, r"data\.test_ids: .* different ids"),
        ({"test_ids": "a"}, r"data\.test_ids: got 'a', expected list or null"),
        ({"test_ids": ["a"], "split_field": "part"}, r"data\.test_ids: .* data\.split_field says what is held out"),
        ({"val_ids": ["a"], "val": "b.jsonl"}, r"data\.val_ids: .* data\.val says what is held out"),
        ({"val_ids": ["a", "b"], "test_ids": ["c", "b"]}, r"data\.test_ids: .* data\.val_ids has 'b' too"),
    ],
)
def test_what_cannot_be_held_out_by_its_id_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        DataConfig(**{"name": "documents", **settings})
    assert "\n" not in str(caught.value)
