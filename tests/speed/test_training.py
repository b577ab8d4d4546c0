"""The benchmark of training runs end to end and prints ratios. No time is asserted."""

from __future__ import annotations

import re

import pytest
import torch

from tokexp.bench import main
from tokexp.config import ModelConfig
from tokexp.speed.training import trainings_of

TINY = ["--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "8", "--batch-size", "2"]


def test_train_prints_ratios(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["train", "--rounds", "2", "--steps", "2", "--vocab", "11", "--device", "cpu", *TINY]
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    assert main() == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert f"torch {torch.__version__}" in first
    assert "cores" in first
    printed = "\n".join(rest)
    assert re.search(r"plain loop +\d+\.\d+ s   tokexp is \d+\.\d\d times as fast \(\d+\.\d+ to \d+\.\d+\)", printed)
    assert re.search(r"plain loop +\d+ MB  tokexp takes \d+\.\d\d of it", printed)
    assert re.search(r"in turn, 2 threads .* at once, 1 thread each is \d+\.\d\d times as fast", printed)


def test_an_unknown_device_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "train", "--device", "abacus"])
    assert main() == 2
    assert "error: device: got 'abacus'" in capsys.readouterr().err


def test_a_training_a_vocabulary() -> None:
    trainings = trainings_of(ModelConfig(n_embd=8), [11, 300], 2, "cpu", 5)
    assert [training.model.vocab_size for training in trainings] == [11, 300]
    assert [training.title for training in trainings] == ["vocabulary 11", "vocabulary 300"]
    assert {(t.model.n_embd, t.batch_size, t.precision, t.compile, t.pause_every) for t in trainings} == {
        (8, 2, "float32", "never", 5)
    }


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["train", "--steps", "0"], "--steps: got 0, expected at least 1"),
        (["train", "--vocab", "69", "0"], "--vocab: got 0"),
        (["train", "--batch-size", "-1"], "--batch-size: got -1"),
        (["train", "--n-layer", "1000000"], "needs at least"),
        (["train", "--steps", "1000000000000"], "at most 1,000,000,000"),
        (["tokenizers", "--rounds", "0"], "--rounds: got 0"),
    ],
)
def test_what_would_not_end_is_refused(
    asked: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *asked])
    assert main() == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
