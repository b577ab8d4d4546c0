"""One run from the command line, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from command_line import start, tokexp, wait_for
from test_run import QUICK


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


def test_a_folder_deleted_under_a_run(data: list[str], tmp_path: Path) -> None:
    process = start("tokenizer=char", *data, "budget.steps=3000", "hydra.run.dir=mine", cwd=tmp_path)
    wait_for("step 3 of", process)
    shutil.rmtree(tmp_path / "mine")
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert "Traceback" not in rest
    assert re.search(r"error: \S+mine: .*deleted while a run was at work in it", rest)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("kept", "left"),
    [("none", set()), ("best", {"best.safetensors"}), ("all", {"best.safetensors", "model.safetensors"})],
)
def test_weights_are_kept_as_asked(data: list[str], tmp_path: Path, kept: str, left: set[str]) -> None:
    done = tokexp("run", "tokenizer=char", *data, f"keep_weights={kept}", "hydra.run.dir=mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "mine").glob("*.safetensors")} == left
    sampled = tokexp("sample", "mine", "--tokens", "3", cwd=tmp_path)
    assert (sampled.returncode == 0) == (kept != "none")
    assert ("keep_weights=none" in sampled.stderr) == (kept == "none")


def test_threads_are_shared_by_the_runs_of_a_machine(data: list[str], tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    assert tokexp("run", "tokenizer=char", *data, "threads=1", "hydra.run.dir=one", cwd=tmp_path).returncode == 0
    shared = tokexp(
        "run",
        "tokenizer=char",
        *data,
        "hydra.run.dir=two",
        cwd=tmp_path,
        TOKEXP_WORKERS=str(cores),
        OMP_NUM_THREADS="7",
    )
    assert shared.returncode == 0, shared.stderr
    results = [json.loads((tmp_path / name / "result.json").read_bytes()) for name in ("one", "two")]
    assert [(row["threads"], row["workers"]) for row in results] == [(1, 1), (1, cores)]
