"""Times several things in turn, and prints the ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Contestants = dict[str, Callable[[], Callable[[], object]]]  # name -> what makes a fresh thing to time


def time_in_turn(title: str, contestants: Contestants, rounds: int) -> None:
    """Time each in turn, `rounds` times over; print the medians, and the first's speed over each other's."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, prepare in contestants.items():
            timed = prepare()
            began = time.perf_counter()
            timed()
            seconds[name].append(time.perf_counter() - began)
    ours = next(iter(contestants))
    print(f"{title} ({rounds} rounds, in turn)")
    for name, times in seconds.items():
        line = f"  {name:<22} {statistics.median(times):8.3f} s"
        if name != ours:
            ratios = sorted(theirs / our for our, theirs in zip(seconds[ours], times, strict=True))
            line += f"   {ours} is {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(line, flush=True)
