"""What Python code may rely on: `import tokexp`, the main job from a notebook, and the old import paths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

import tokexp
from tokexp.config import (
    BudgetConfig,
    DataConfig,
    InputError,
    ModelConfig,
    RunConfig,
    SampleConfig,
    TokenizerConfig,
    TrackingConfig,
    TrainConfig,
)
from tokexp.rendering.notebook import StudyReport

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "numpy", "pandas", "matplotlib", "wandb", "hydra", "scipy", "tokenizers", "regex")
NAMES = {
    "train_tokenizer", "load_tokenizer", "GPT", "GPTConfig", "RunConfig", "run_experiment", "load_run", "load_study",
    "compare",
}  # fmt: skip


def test_nothing_heavy_is_imported_until_it_is_asked_for() -> None:
    code = f"import sys, tokexp; sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_all_names_are_there() -> None:
    assert set(tokexp.__all__) == NAMES
    assert set(dir(tokexp)) >= NAMES
    assert all(callable(getattr(tokexp, name)) for name in NAMES)
    with pytest.raises(AttributeError, match="no attribute 'train_tokeniser'; it has GPT, GPTConfig, RunConfig"):
        _ = tokexp.train_tokeniser


def test_the_paths_that_others_rely_on() -> None:
    from tokexp.experiment import run_experiment
    from tokexp.model import GPT, GPTConfig
    from tokexp.results import RESULTS_VERSION, load_run
    from tokexp.tokenizer import load_tokenizer, train_tokenizer

    assert RESULTS_VERSION == 3
    assert (GPT, GPTConfig, load_run, run_experiment) == (
        tokexp.GPT, tokexp.GPTConfig, tokexp.load_run, tokexp.run_experiment,
    )  # fmt: skip
    assert (load_tokenizer, train_tokenizer) == (tokexp.load_tokenizer, tokexp.train_tokenizer)


@pytest.fixture(scope="module")
def base() -> RunConfig:
    return RunConfig(
        model=ModelConfig(block_size=16, n_layer=1, n_head=2, n_embd=16),
        train=TrainConfig(batch_size=4, lr=1e-2, min_lr=1e-3, eval_every=5),
        budget=BudgetConfig(steps=10),
        sample=SampleConfig(tokens=10, count=1, chars=20),
        tracking=TrackingConfig(mode="disabled"),
    )


@pytest.fixture(scope="module")
def report(base: RunConfig, text: str, tmp_path_factory: pytest.TempPathFactory) -> StudyReport:
    folder = tmp_path_factory.mktemp("runs")
    return tokexp.compare(["char", "byte"], text=text, seeds=[0, 1], base=base, folder=folder)


def test_the_main_job_from_a_notebook(report: StudyReport) -> None:
    assert sorted(zip(report.results.arm, report.results.seed, strict=True)) == [
        ("byte", 0), ("byte", 1), ("char", 0), ("char", 1),
    ]  # fmt: skip
    (row,) = report.differences.to_dict("records")
    means = report.results.groupby("arm").val_bpb.mean()
    assert (row["better"], row["worse"]) == tuple(means.sort_values().index)
    assert row["difference"] == pytest.approx(abs(means["char"] - means["byte"]))
    assert isinstance(report.figures["with_baselines"], Figure)
    assert {"bits_per_byte", "differences", "cost"} <= set(report.tables)
    assert all(isinstance(table, pd.DataFrame) for table in report.tables.values())


def test_the_answer_is_shown_as_html(report: StudyReport) -> None:
    shown = report._repr_html_()
    assert f"<code>{report.differences.better[0]}</code> " in shown
    assert "<table>" in shown
    assert "data:image/png;base64," in shown
    assert "<script" not in shown


def test_what_is_done_is_not_trained_again(
    base: RunConfig, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tokexp.compare(["char"], text=text, seeds=[0], base=base, folder=tmp_path)
    monkeypatch.setattr("tokexp.stages.prepare.train", lambda *_, **__: pytest.fail("trained again"))
    again = tokexp.compare(["char"], text=text, seeds=[0], base=base, folder=tmp_path)
    assert again.results.val_bpb.tolist() == first.results.val_bpb.tolist()


def test_a_path_and_settings_do_as_well(base: RunConfig, text_file: Path, tmp_path: Path) -> None:
    settings = TokenizerConfig("bpe", 300)
    report = tokexp.compare([settings], path=text_file, seeds=[3], base=base, folder=tmp_path)
    assert report.results[["arm", "vocab_size", "seed", "corpus"]].iloc[0].tolist() == ["bpe", 300, 3, "play"]


def test_what_cannot_be_compared_is_one_line(base: RunConfig, text: str, tmp_path: Path) -> None:
    for wrong in ({"tokenizers": []}, {"seeds": []}, {"text": text, "path": "a.txt"}, {"tokenizers": ["nope"]}):
        with pytest.raises(InputError, match="got") as refused:
            tokexp.compare(**{"base": base, "folder": tmp_path, **wrong})
        assert "\n" not in str(refused.value)


def test_settings_of_an_option_make_the_same_run_as_the_command_line(
    base: RunConfig, text_file: Path, tmp_path: Path
) -> None:
    """Or a study would be trained again from a notebook."""
    from command_line import tokexp as command

    small = [
        "model.block_size=16", "model.n_layer=1", "model.n_head=2", "model.n_embd=16", "train.batch_size=4",
        "train.lr=1e-2", "train.min_lr=1e-3", "train.eval_every=5", "budget.steps=10", "sample.tokens=10",
        "sample.count=1", "sample.chars=20", "tracking.mode=disabled",
    ]  # fmt: skip
    arguments = ["tokenizer=word", "data=text", f"data.path={text_file}", *small]
    done = command("run", *arguments, "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = tokexp.compare(["word"], path=text_file, seeds=[0], base=base, folder=tmp_path / "notebook")
    assert report.results.config_hash[0] == tokexp.load_run(tmp_path / "run").result.identity.config_hash


def test_a_committed_study() -> None:
    study = tokexp.load_study("lowest", ROOT / "reports")
    assert len(study.results) == 3
    assert tokexp.load_study(ROOT / "reports/lowest").results.equals(study.results)
    with pytest.raises(InputError, match="report 'nothing': no finished run"):
        tokexp.load_study("nothing", ROOT / "reports")
    assert DataConfig().name == "auto"
