"""Tokenizers in the format of Hugging Face's `tokenizer.json`: its library gives the same ids."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from conftest import needs_data, settings_of
from nasty import NASTY

from tokexp.config import InputError
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.foreign.export import export_hf, to_hf

EXPORTED: list[tuple[str, dict[str, Any]]] = [
    ("byte", {}), ("char", {}), ("char", {"byte_fallback": True}), ("word", {}), ("bpe", {"vocab_size": 400}),
    ("bpe", {"vocab_size": 400, "pattern": "gpt4"}), ("bpe", {"vocab_size": 300, "pattern": "none"}),
    ("bpe_fallback", {"vocab_size": 400}), ("bpe_classic", {"vocab_size": 400}), ("hf_bpe", {"vocab_size": 400}),
    ("hf_wordpiece", {"vocab_size": 400}), ("gpt2", {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "chosen"), EXPORTED)
def test_exported_tokenizer_gives_the_same_ids(text: str, tmp_path: Path, kind: str, chosen: dict[str, Any]) -> None:
    if kind == "gpt2":
        needs_data("gpt2/vocab.bpe")
    ours = train_tokenizer(kind, text, **chosen)
    export_hf(ours, tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.get_vocab_size() == ours.vocab_size
    for name, sample in {**NASTY, "text": text}.items():
        if (kind, name) != ("word", "case"):  # there the library's lower case makes two characters of one
            assert theirs.encode(sample, add_special_tokens=False).ids == ours.encode(sample), name


@pytest.mark.parametrize("kind", ["word_cased", "hf_unigram", "sp_bpe"])
def test_what_cannot_be_exported_says_why(text: str, kind: str) -> None:
    with pytest.raises(InputError, match=r"has no form in tokenizer\.json"):
        to_hf(train_tokenizer(kind, text, **settings_of(kind, Path(), text)))


@pytest.mark.parametrize(
    ("kind", "name", "chosen"),
    [
        ("bpe", "<pad>", {"vocab_size": 330, "pattern": "none"}),
        ("bpe_classic", "</w>", {"vocab_size": 80}),
        ("bpe_classic", "<unk>", {"vocab_size": 80}),
    ],
)
def test_a_text_that_spells_the_names_of_the_format(kind: str, name: str, chosen: dict[str, Any]) -> None:
    """Where two tokens would have one name, ids would move in silence."""
    tokenizer = train_tokenizer(kind, " ".join(f"{name}{letter}" for letter in "abcdefgh" * 9), **chosen)
    assert name.encode() in tokenizer.token_bytes()
    with pytest.raises(InputError, match=r"spells|as characters"):
        to_hf(tokenizer)


def test_a_file_of_tiktoken_ranks_stays_what_it_is(tmp_path: Path) -> None:
    lines = [f"{base64.b64encode(bytes([byte])).decode()} {byte}" for byte in range(256)]
    (tmp_path / "mine.tiktoken").write_text("\n".join(lines))
    with pytest.raises(InputError, match="tiktoken ranks, which other tools read"):
        to_hf(train_tokenizer("file", "", path=str(tmp_path / "mine.tiktoken")))
