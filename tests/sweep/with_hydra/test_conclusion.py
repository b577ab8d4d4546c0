"""What a sweep says at its end of what failed, and what the same command then does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_line import tokexp
from test_run import QUICK


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


def planned(cwd: Path, sweep: list[str]) -> list[str]:
    """The names of a sweep's runs, in their order, from its dry run."""
    done = tokexp("run", *sweep, "dry=true", cwd=cwd)
    return re.findall(r"^ *(\S+-s\d+-[0-9a-f]{8}) ", done.stdout, flags=re.MULTILINE)


def test_a_failed_run_is_named_with_its_reason_and_tried_again(data: list[str], tmp_path: Path) -> None:
    """A folder that cannot be entered stands for any failure; the diverged one is a result."""
    sweep = ["-m", "sweep=mine", "tokenizer=char", "train.lr=1e30,1e-3,2e-3", "train.min_lr=0", *data]
    assert tokexp("run", *sweep, "dry=true", cwd=tmp_path).returncode == 0
    names = planned(tmp_path, sweep)
    broken = tmp_path / "runs/mine" / names[2]
    broken.mkdir(parents=True)
    (broken / "model.safetensors").write_text("mine")
    done = tokexp("run", *sweep, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 3 runs done, 1 diverged, 1 not started" in done.stderr
    assert re.search(rf"diverged: {names[0]}: DivergedError: step 2 of 6.*run\.log", done.stderr)
    report = (tmp_path / "reports/mine/README.md").read_text()
    assert f"- {names[0]}: diverged" in report
    assert f"- {names[2]}: not started" in report
    shutil.rmtree(broken)
    again = tokexp("run", *sweep, cwd=tmp_path)
    assert again.returncode == 1
    assert "2 of 3 runs done (1 before), 1 diverged" in again.stderr
    assert "diverged in an earlier try" in again.stderr
    assert "step 1 of" not in again.stderr
    rerun = tokexp("run", *sweep, "rerun=true", cwd=tmp_path)
    assert "diverged in an earlier try" not in rerun.stderr
