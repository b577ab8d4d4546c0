"""What a person sees of time."""

from __future__ import annotations

import time

import pytest

from tokexp.runs import progress
from tokexp.runs.progress import Phases, Progress
from tokexp.system.meter import duration
from tokexp.training.record import EvalRow, Evaluation


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (0.4, 99, 100, 5_940, 6_000, 90_000)] == [
        "0 s", "99 s", "2 min", "99 min", "1 h 40 min", "25 h 00 min",
    ]  # fmt: skip


def test_each_phase_has_its_own_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """One within another is not counted twice; one that took under a second the last time is not told again."""
    clock, told = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    phases = Phases("run", told.append, {"preparing": 1.0})
    with phases("training"):
        clock[0] += 5
        for seconds in (3, 0.5, 0.25):
            with phases("evaluating"):
                clock[0] += seconds
    assert phases.seconds == {"preparing": 1.0, "training": 5.0, "evaluating": 3.75}
    assert told == ["training", "evaluating", "training", "evaluating", "training"]


def test_a_long_phase_has_a_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "SILENT", 0.01)
    phases = Phases("run")
    with caplog.at_level("INFO"):
        for phase in ("training", "baselines", "baselines"):
            with phases(phase):
                time.sleep(0.1)
        monkeypatch.setattr(progress, "SILENT", 60)
        with phases("sampling"):
            pass
    assert [record.getMessage() for record in caplog.records] == ["run: baselines ..."]


@pytest.mark.parametrize(
    ("afterwards", "said"), [(None, "20 s of training left"), (7.0, "27 s left")], ids=["unknown", "known"]
)
def test_the_time_left_is_of_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, afterwards: float | None, said: str
) -> None:
    """At the pace since the run went on, and with what follows training."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    shown = Progress("run", 100, 10, done=80, afterwards=afterwards)
    clock[0] += 20
    scores = Evaluation(1.0, 1.0, 2.0, 2.0, [1.0] * 64)
    with caplog.at_level("INFO"):
        shown.show(EvalRow(90, 900, 900, 1e9, 1000.0, 100.0, None, scores))
    assert caplog.text.rstrip().endswith(said)
