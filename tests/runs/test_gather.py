"""What a report keeps of its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.runs.gather import MOST_TOKENIZER_BYTES, add_tokenizer, read_segments, tokenizer_rows
from tokexp.system.files import sha256
from tokexp.tokenizer.base import saved_text


def test_segments_of_the_samples_that_are_kept(tmp_path: Path) -> None:
    rows = [{"of": "sample", "sample": i} for i in range(4)] + [{"of": "held out"}]
    (tmp_path / "segments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = read_segments(tmp_path, "a run")
    assert [row.get("sample") for row in kept] == [0, 1, None]
    assert {row["name"] for row in kept} == {"a run"}
    assert read_segments(tmp_path / "nowhere", "a run") == []


def test_a_small_tokenizer_that_its_result_names_is_kept(tmp_path: Path) -> None:
    saved = {"format": "tokexp-tokenizer", "version": 1, "kind": "byte"}
    raw = saved_text(saved).encode()
    digest, known = sha256(raw), dict[str, dict[str, Any]]()
    add_tokenizer(tmp_path, digest, known)
    (tmp_path / "tokenizer.json").write_bytes(raw)
    add_tokenizer(tmp_path, sha256(b"another"), known)
    (tmp_path / "tokenizer.json").write_bytes(raw[:-9])
    add_tokenizer(tmp_path, digest, known)
    (tmp_path / "tokenizer.json").write_bytes(raw)
    assert known == {}
    add_tokenizer(tmp_path, digest, known)
    assert known == {digest: saved}
    large = saved_text(saved | {"more": "x" * MOST_TOKENIZER_BYTES}).encode()
    (tmp_path / "tokenizer.json").write_bytes(large)
    add_tokenizer(tmp_path, sha256(large), known)
    assert known == {digest: saved}
    for used, rows in (([digest, "other"], [{"tokenizer_sha256": digest, "tokenizer": saved}]), (["other"], [])):
        assert tokenizer_rows(known, pd.DataFrame({"tokenizer_sha256": used})) == rows
