"""dry=true: what would be trained, what it would cost, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import tokexp
from test_run import QUICK


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


def test_dry_says_what_it_would_cost_and_leaves_nothing(data: list[str], tmp_path: Path) -> None:
    done = tokexp("run", "-m", "tokenizer=char,bpe", "tokenizer.vocab_size=300", *data, "dry=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0].split("-")[0] for row in rows[2:4]] == ["char", "bpe"]
    assert rows[3][1] == "300"
    assert rows[2][3:5] == ["6", "384"], "steps, and tokens: 6 x 2 x 32"
    assert "2 of 2 to do" in done.stdout
    assert not list(tmp_path.glob("runs/*/*"))
    assert not (tmp_path / "reports").exists()
    assert tokexp("run", "-m", "tokenizer=char", *data, cwd=tmp_path).returncode == 0
    half = tokexp("run", "-m", "tokenizer=char,bpe", "tokenizer.vocab_size=300", *data, "dry=true", cwd=tmp_path)
    assert "2 of 2 to do" in half.stdout, "another vocabulary is another run"
    alone = tokexp("run", "tokenizer=char", *data, "dry=true", cwd=tmp_path)
    assert "1 of 1 to do" in alone.stdout
