"""What a sweep is to do: the list of its runs, and which of them count as done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import tokexp
from test_run import QUICK


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


def test_what_is_committed_counts_as_done(data: list[str], tmp_path: Path) -> None:
    """A study grows over machines: here the folders of the first half are not there any more."""
    sweep = ["-m", "tokenizer=char", *data, "sweep=study"]
    assert tokexp("run", *sweep, "seed=0,1", cwd=tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "runs")
    done = tokexp("run", *sweep, "seed=0,1,2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("done before, in reports/study") == 2
    assert "3 of 3 runs done (2 before)" in done.stderr
    rows = (tmp_path / "reports/study/data/results.csv").read_text().splitlines()
    assert len(rows) == 1 + 3
    assert "The seeds are 0, 1 and 2." in (tmp_path / "reports/study/README.md").read_text()
    pruned = tokexp("report", "study", "--prune", cwd=tmp_path)
    assert pruned.returncode == 0, pruned.stderr
    assert len((tmp_path / "reports/study/data/results.csv").read_text().splitlines()) == 1 + 1


def test_the_list_of_runs_is_that_of_their_folders(data: list[str], tmp_path: Path) -> None:
    """Of several tokenizers and sizes, since a name is that of the settings which are current."""
    sweep = ["-m", "sweep=mine", "tokenizer=char,byte", "seed=0,1", *[word for word in data if "model=" not in word]]
    done = tokexp("run", *sweep, "model=nano,micro", "budget.steps=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = json.loads((tmp_path / "runs/mine/sweep.json").read_bytes())["runs"]
    left = sorted(path.parent.name for path in tmp_path.glob("runs/mine/*/result.json"))
    assert sorted(names) == left
    assert [name.split("-")[0] for name in names] == ["char"] * 4 + ["byte"] * 4
    assert "8 of 8 runs done" in done.stderr
