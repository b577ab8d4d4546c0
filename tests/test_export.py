"""`tokexp.export`: a run as a folder in Hugging Face's format, which the other commands read as they read the run."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run_here
from hf_models import assert_same_logits, random_model
from safetensors.torch import save_file
from test_experiment import settings

import tokexp.evaluate
import tokexp.export
import tokexp.sample
from tokexp.config import BudgetConfig
from tokexp.experiment import run_experiment
from tokexp.runs.load import load_run


@pytest.fixture(scope="module")
def run_folder(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "one"
    run_experiment(settings(text_file, "bpe", budget=BudgetConfig(steps=12)), folder)
    return folder


def test_needs_no_transformers(run_folder: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['transformers'] = None; import tokexp.export as e; sys.exit(e.main())"
    words = [str(run_folder), "--to", "hf", "--out", str(tmp_path / "hf")]
    subprocess.run([sys.executable, "-c", code, *words], check=True, timeout=120)


def test_command_exports_a_run(
    transformers: Any, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    sizes = load_run(folder).model.config
    save_file(random_model(**dataclasses.asdict(sizes)).state_dict(), folder / "best.safetensors")
    for weights, words in (("best", []), ("end", ["--weights", "end", "--out", tmp_path / "end"])):
        out = tmp_path / "end" if words else folder / "hf"
        assert run_here(tokexp.export, monkeypatch, folder, "--to", "hf", *words) == 0
        assert capsys.readouterr().out == f"{out}\n"
        theirs = transformers.GPT2LMHeadModel.from_pretrained(out)
        assert_same_logits(load_run(folder, weights).model, theirs.eval())


def test_an_exported_run_samples_and_scores_as_the_run(
    run_folder: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    run_here(tokexp.export, monkeypatch, run_folder, "--to", "hf")
    capsys.readouterr()
    found = {}
    for folder in (run_folder, run_folder / "hf"):
        asked = ["--weights", "best", "--text", text_file, "--json"]
        assert run_here(tokexp.evaluate, monkeypatch, folder, *asked) == 0
        (scores,) = json.loads(capsys.readouterr().out)["scores"]
        assert run_here(tokexp.sample, monkeypatch, folder, "--prompt", "the", "--tokens", 20) == 0
        found[folder] = {**scores, "run": capsys.readouterr().out}
    assert found[run_folder] == found[run_folder / "hf"]


def test_command_refuses_in_one_line_and_leaves_all_as_it_was(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    file.write_text("mine")
    for words, reason in (
        ((run_folder, "--out", full), "is there already"),
        ((run_folder, "--out", file), "is there already"),
        ((run_folder, "--out", file / "below"), "cannot be written"),
        ((tmp_path / "nowhere",), "no finished run there"),
    ):
        assert run_here(tokexp.export, monkeypatch, *words, "--to", "hf") == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert reason in error
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "mine.txt"]
