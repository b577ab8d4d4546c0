"""Says how far a long stage has come and how long it still takes: a line after two seconds, then every ten."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

SILENT, AGAIN = 2.0, 10.0  # seconds before the first line, and between two


def duration(seconds: float) -> str:
    """Spell a duration, such as 42 s, 12 min, 3 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


class Meter:
    """The progress of a stage, of `total` units of work that take about equally long."""

    def __init__(self, stage: str, total: float, done: float = 0) -> None:
        """`done`: what an earlier process has done of it."""
        self._stage, self._total, self._done, self._before = stage, total, done, done
        self._began = time.monotonic()
        self._next = self._began + SILENT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._next > self._began + SILENT:
            log.info("%s: done in %s", self._stage, duration(time.monotonic() - self._began))

    def advance(self, amount: float = 1) -> None:
        """Note that `amount` more is done."""
        self._done += amount
        now = time.monotonic()
        if now < self._next or self._done >= self._total:
            return
        self._next = now + AGAIN
        share = self._done / self._total
        left = (now - self._began) * (self._total - self._done) / max(self._done - self._before, 1e-9)
        log.info("%s: %.0f %%, %s left", self._stage, 100 * share, duration(left))
