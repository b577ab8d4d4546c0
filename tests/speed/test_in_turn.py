"""Things are timed in turn, and their ratios printed."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tokexp.speed.in_turn import time_in_turn


def test_medians_and_ratios_round_by_round(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Our 1, 2 and 4 s against 3, 2 and 12 s; what makes a contestant ready is not timed."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def takes(*seconds: float) -> Callable[[], Callable[[], object]]:
        rounds = iter(seconds)

        def prepare() -> Callable[[], object]:
            clock[0] += 100
            return lambda: clock.__setitem__(0, clock[0] + next(rounds))

        return prepare

    time_in_turn("a title", {"ours": takes(1, 2, 4), "theirs": takes(3, 2, 12)}, 3)
    title, ours, theirs = capsys.readouterr().out.splitlines()
    assert title == "a title (3 rounds, in turn)"
    assert ours.split() == ["ours", "2.000", "s"]
    assert theirs.split(maxsplit=3)[:3] == ["theirs", "3.000", "s"]
    assert theirs.endswith("ours is 3.00 times as fast (1.00 to 3.00)")
