"""The benchmarks run end to end and print ratios. No time is asserted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch

from tokexp.bench import main
from tokexp.model.gpt import GPTConfig
from tokexp.speed import training as speed
from tokexp.speed.training import LOOPS, Training, take

TINY = ["--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "8", "--batch-size", "2"]


@pytest.fixture
def training() -> Training:
    model = GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=1, n_embd=8)
    return Training(model, 2, "cpu", "float32", "never", 2)


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


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_really_trains(training: Training, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each next() is the steps it says, and they change the weights as AdamW at 3e-4 would."""
    models = []
    make = speed._model_and_ids
    monkeypatch.setattr(speed, "_model_and_ids", lambda training: models.append(make(training)) or models[0])
    loop = LOOPS[name](training)
    take(loop, 1)
    model = models[0][0]
    before = [p.detach().clone() for p in model.parameters()]
    take(loop, 3)
    moved = max(float((p.detach() - q).abs().max()) for p, q in zip(model.parameters(), before, strict=True))
    assert 2e-4 < moved < 4 * 3e-4


def test_take_counts_steps() -> None:
    taken = []

    def loop() -> Iterator[int]:
        while True:
            taken.append(2)
            yield 2

    take(loop(), 5)
    assert taken == [2, 2, 2]
