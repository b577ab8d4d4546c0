"""Both loops train: neither is timed doing nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tokexp.model.gpt import GPTConfig
from tokexp.speed import loops
from tokexp.speed.loops import LOOPS, Training, take


@pytest.fixture
def training() -> Training:
    model = GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=1, n_embd=8)
    return Training(model, 2, "cpu", "float32", "never", 2)


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_really_trains(training: Training, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each next() is the steps it says, and they change the weights as AdamW at 3e-4 would."""
    models = []
    make = loops.model_and_ids
    monkeypatch.setattr(loops, "model_and_ids", lambda training: models.append(make(training)) or models[0])
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
