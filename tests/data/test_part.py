"""A part of a corpus: documents or a single text, its beginnings, its samples, and what it is told by."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tokexp.data import part as module
from tokexp.data.part import Part

LONG = "Il était une fois, 日本語 and 👩‍👧 " * 60  # characters of one to four bytes


def test_a_single_text() -> None:
    part = Part.of_text(LONG)
    assert (part.text, list(part.documents()), part.lines, len(part)) == (LONG, [LONG], LONG, 1)
    assert part.n_bytes == len(LONG.encode()) == part.lengths.sum()
    assert part.sha256 == hashlib.sha256(LONG.encode()).hexdigest()


def test_documents() -> None:
    part = Part.of_texts(["né\n", "日本", "\n \n"])
    assert (list(part.documents()), len(part), part.separated) == (["né\n", "日本", "\n \n"], 3, True)
    assert (part.text, part.lines) == ("né\n日本\n \n", "né\n日本\n\n \n"), "a line end where there is none"
    assert (part.n_bytes, part.lengths.tolist()) == (13, [4, 6, 3])


def test_other_borders_and_another_order_are_another_text() -> None:
    same = {Part.of_texts(texts).sha256 for texts in (["ab", "c"], ["ab", "c"])}
    others = [["a", "bc"], ["c", "ab"], ["abc"], ["ab", "c", ""]]
    assert len(same) == 1
    assert len(same | {Part.of_texts(texts).sha256 for texts in others}) == 5
    assert Part.of_texts(["ab"]).sha256 != Part.of_text("ab").sha256, "what ends a document is a part of the text"


def test_a_long_text_is_hashed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Part.of_text(LONG).sha256, Part.of_texts([LONG, "x", LONG]).sha256
    monkeypatch.setattr(module, "BLOCK", 7)
    assert (Part.of_text(LONG).sha256, Part.of_texts([LONG, "x", LONG]).sha256) == whole


def test_head_of_documents_is_whole_documents_and_at_least_one() -> None:
    part = Part.of_texts(["né", "日本", "abc"])
    for n_bytes, documents in ((1, 1), (3, 1), (8, 1), (9, 2), (11, 2), (12, 3), (99, 3), (None, 3)):
        head = part.head(n_bytes)
        assert list(head.documents()) == ["né", "日本", "abc"][:documents], n_bytes
        assert head.separated


def test_head_of_a_text_drops_a_character_that_is_cut() -> None:
    part, raw = Part.of_text(LONG), LONG.encode()
    for n_bytes in range(1, 90):
        assert part.head(n_bytes).text == raw[:n_bytes].decode(errors="ignore"), n_bytes
    assert part.head(None) is part.head(len(raw)) is part
    assert part.head(40).head(17).text == raw[:17].decode(errors="ignore")


@pytest.mark.parametrize("n_bytes", [300, 640, 1500])
def test_a_sample_of_a_text_is_from_all_over_it_and_ends_as_it_does(n_bytes: int) -> None:
    text = "".join(f"{i:04} né 日 " for i in range(1000))
    part = Part.of_text(text)
    sample = part.sample(n_bytes)
    stretches = list(sample._stretches())
    assert len(stretches) == 64
    assert sample.n_bytes <= n_bytes + 4 * 64, "about as many as asked for: a stretch may gain most of a character"
    assert sample.n_bytes > 0.7 * n_bytes
    assert all(stretch in text for stretch in stretches)
    places = sample.begins / part.n_bytes
    assert np.abs(np.diff(places) - 1 / 64).max() < 0.01, "evenly"
    assert text.endswith(stretches[-1])
    assert (sample.separated, list(sample.documents())) == (False, [sample.text]), "one text to whoever reads it"
    assert sample.sha256 == hashlib.sha256(sample.text.encode()).hexdigest()
    assert part.sample(part.n_bytes) is part.sample(None) is part


def test_a_sample_of_documents_is_their_beginning_since_they_are_in_no_order() -> None:
    part = Part.of_texts([f"document {i}" for i in range(50)])
    assert list(part.sample(30).documents()) == ["document 0", "document 1", "document 2"]


def test_a_sample_can_be_cut_further() -> None:
    sample = Part.of_text("".join(f"{i:04} né 日 " for i in range(1000))).sample(1000)
    for n_bytes in (1, 10, 100, 500, sample.n_bytes - 1):
        want = sample.text.encode()[:n_bytes].decode(errors="ignore")
        assert sample.head(n_bytes).text == want, n_bytes


def test_a_text_is_found_in_another_over_the_edges_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    part, raw = Part.of_text(LONG), LONG.encode()
    monkeypatch.setattr(module, "BLOCK", 16)
    for at in range(40):
        assert part.contains(raw[at : at + 15])
        assert part.contains(raw[at : at + 40])
    assert part.contains(raw)
    assert part.contains(raw[-9:])
    assert not part.contains(raw + b"x")
    assert not part.contains(b"il etait")
    inner = Part(part.raw, np.array([40]), np.array([80]))
    assert inner.contains(raw[40:80])
    assert not inner.contains(raw[:41])
