"""dry=true: what would be trained, what it would cost, and nothing is left behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from command_line import tokexp
from test_run import QUICK

from tokexp.config import BudgetConfig, DataConfig, ModelConfig, RunConfig, SampleConfig, TokenizerConfig
from tokexp.data import peek as peek_module
from tokexp.sweep.estimate import Estimator, describe_corpus


@pytest.fixture(scope="module")
def data(text_file: Path) -> list[str]:
    return ["data=text", f"data.path={text_file}", *QUICK]


def test_dry_says_what_it_would_cost_and_leaves_nothing(data: list[str], tmp_path: Path) -> None:
    done = tokexp("run", "-m", "tokenizer=char,bpe", "tokenizer.vocab_size=300", *data, "dry=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.startswith("corpus play: to train on 0.0 MB; validation 0.0 MB\n"), "the corpus first"
    assert rows[2][-5:] == ["preparing", "training", "evaluating", "after", "time"], "all stages"
    assert [row[0].split("-")[0] for row in rows[4:6]] == ["char", "bpe"]
    assert rows[5][1] == "300"
    assert rows[4][3:5] == ["6", "384"], "steps, and tokens: 6 x 2 x 32"
    assert "2 of 2 to do" in done.stdout
    assert not list(tmp_path.glob("runs/*/*"))
    assert not (tmp_path / "reports").exists()
    assert tokexp("run", "-m", "tokenizer=char", *data, cwd=tmp_path).returncode == 0
    half = tokexp("run", "-m", "tokenizer=char,bpe", "tokenizer.vocab_size=300", *data, "dry=true", cwd=tmp_path)
    assert "2 of 2 to do" in half.stdout, "another vocabulary is another run"
    alone = tokexp("run", "tokenizer=char", *data, "dry=true", cwd=tmp_path)
    assert "1 of 1 to do" in alone.stdout


def test_of_a_long_corpus_the_beginning_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (f'{{"text": "the king of {i} and his men"}}\n' for i in range(120_000))
    (tmp_path / "docs.jsonl").write_text("".join(lines))
    cfg = DataConfig("documents", path=str(tmp_path / "docs.jsonl"), val_fraction=0.1, test_fraction=0.1)
    whole, times = peek_module.peek(cfg)
    assert times == 1
    monkeypatch.setattr(peek_module, "AT_ONCE", 100_000)
    monkeypatch.setattr(peek_module, "BEGINNING", 1_500_000)
    assert peek_module.peek(cfg)[1] == 1, "what was read before is known"
    with (tmp_path / "docs.jsonl").open("a") as file:
        file.write('{"text": "one more"}\n')
    beginning, times = peek_module.peek(cfg)
    assert beginning.train.n_bytes < 1_510_000
    every = whole.train.n_bytes + whole.val.n_bytes + (whole.test.n_bytes if whole.test else 0)
    assert beginning.train.n_bytes * times == pytest.approx(every, rel=0.4), "read in blocks of a megabyte"
    assert describe_corpus(beginning, times).startswith("corpus docs: to train on about ")
    for ids, there in ((None, False), (["one"], True)):
        tested, _ = peek_module.peek(dataclasses.replace(cfg, test_fraction=0.0, test_ids=ids))
        assert (tested.test is not None) is there


def test_estimates_count_what_runs_share_once_and_epochs_of_all_of_a_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "play.txt").write_text(text * 200)
    quick = {
        "data": DataConfig("text", path=str(tmp_path / "play.txt")),
        "tokenizer": TokenizerConfig("char"),
        "model": ModelConfig(block_size=32, n_layer=1, n_head=1, n_embd=8),
        "sample": SampleConfig(count=0),
        "device": "cpu",
    }
    estimator = Estimator()
    first, second = (
        estimator.estimate(RunConfig(**quick, budget=BudgetConfig(epochs=2.0), seed=seed)) for seed in (0, 1)
    )
    assert first.preparing > 0 == second.preparing
    assert first.afterwards > second.afterwards, "the baselines"
    assert first.passes == pytest.approx(2, rel=0.01)
    characters = int(len(text * 200) * 0.9)
    assert first.steps == pytest.approx(2 * characters / (16 * 32), rel=0.01), "of the whole, though a part is read"
