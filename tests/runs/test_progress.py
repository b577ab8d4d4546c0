"""What a person sees of time."""

from __future__ import annotations

from tokexp.runs.progress import duration


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (0.4, 99, 100, 5_940, 6_000, 90_000)] == [
        "0 s", "99 s", "2 min", "99 min", "1 h 40 min", "25 h 00 min",
    ]  # fmt: skip
