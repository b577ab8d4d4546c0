"""What a report keeps of its runs."""

from __future__ import annotations

import json
from pathlib import Path

from made_up import segments

from tokexp.runs.gather import read_segments


def test_segments_of_the_samples_that_are_kept(tmp_path: Path) -> None:
    rows = segments(4)
    (tmp_path / "segments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = read_segments(tmp_path, "a run")
    assert [row.get("sample") for row in kept] == [0, 1, None]
    assert {row["name"] for row in kept} == {"a run"}
    assert read_segments(tmp_path / "nowhere", "a run") == []
