"""Show people how a run gets on: its phases, and of a training a bar in a terminal, a line an evaluation elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from types import TracebackType
from typing import Self

from tqdm import tqdm

from tokexp.system.meter import duration
from tokexp.training.record import EvalRow, Row

log = logging.getLogger(__name__)

PREPARING, TRAINING, EVALUATING = "preparing", "training", "evaluating"
AFTER_TRAINING = ("measuring", "sampling", "baselines", "saving")  # phases of a run, in their order
LIVE = "TOKEXP_LIVE"  # in the environment where one table shows all runs of a sweep
SILENT = 2  # seconds that a phase may work without a word


class Phases:
    """What a process is at, one phase within another: a line says so of each that takes over two seconds."""

    def __init__(
        self, name: str, tell: Callable[[str], None] = lambda phase: None, seconds: Mapping[str, float] | None = None
    ) -> None:
        """`tell`: is told each phase as it begins. `seconds`: that earlier processes have spent in each."""
        self.seconds = dict(seconds or {})
        self._name, self._tell = name, tell
        self._phase, self._since = "", 0.0
        self._last: dict[str, float] = {}  # seconds that each took the last time
        self._said: set[str] = {TRAINING}  # which has lines of its own

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Spend this context in `phase`, whose seconds are not counted for the one around it."""
        outer, notable = self._phase, self._last.get(phase, SILENT) >= SILENT / 2
        self._enter(phase, tell=notable)
        line = Timer(SILENT, self._say, [phase])
        line.daemon = True
        line.start()
        began = self._since
        try:
            yield
        finally:
            line.cancel()
            self._enter(outer, tell=notable and bool(outer))
            self._last[phase] = self._since - began

    def _enter(self, phase: str, *, tell: bool) -> None:
        now = time.monotonic()
        if self._phase:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now
        if tell:
            self._tell(phase)

    def _say(self, phase: str) -> None:
        if phase not in self._said:
            self._said.add(phase)
            log.info("%s: %s ...", self._name, phase)


class Progress:
    """The training of a run, as a bar or in lines; and after it what the run is at."""

    def __init__(
        self, name: str, steps: int, tokens_per_step: int, done: int = 0, afterwards: float | None = None
    ) -> None:
        """`done`: steps that an earlier process has taken. `afterwards`: seconds from the end of training, if known."""
        self._name, self._steps, self._tokens_per_step, self._done = name, steps, tokens_per_step, done
        self._afterwards = afterwards
        self._began = time.monotonic()
        self._bpb = "-"
        terminal = sys.stderr.isatty() and LIVE not in os.environ
        layout = "{desc} {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}<{remaining}]{postfix}"
        self._bar = None
        if terminal:
            self._bar = tqdm(total=steps, initial=done, desc=name, bar_format=layout, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away, which has nothing to say after training."""
        if self._bar is not None:
            self._bar.close()

    def show(self, row: Row) -> None:
        if isinstance(row, EvalRow):
            self._bpb = f"{row.scores.val_bpb:.3f}"
            if self._bar is not None:
                self._bar.set_postfix_str(f"loss {row.scores.val_loss:.3f} held out, {self._bpb} bits/byte")
            else:
                log.info(
                    "%s: step %d of %d, loss %.3f (train %.3f), %s bits/byte, %s tokens/s, %s",
                    self._name, row.step, self._steps, row.scores.val_loss, row.scores.train_loss, self._bpb,
                    f"{row.tokens_per_second:,.0f}", self._left(row.step),
                )  # fmt: skip
        elif self._bar is not None:
            elapsed = time.monotonic() - self._began
            speed = (row.step - self._done) * self._tokens_per_step / elapsed
            postfix = f"loss {row.loss:.3f}, {self._bpb} bits/byte, {speed:,.0f} tok/s"
            self._bar.set_postfix_str(postfix, refresh=False)
            self._bar.update()

    def _left(self, step: int) -> str:
        """Say how long it takes from `step` on, at the pace of this process, to the end of all that follows."""
        elapsed = time.monotonic() - self._began
        training = elapsed * (self._steps - step) / max(1, step - self._done)
        if self._afterwards is None:
            return f"{duration(training)} of training left"
        return f"{duration(training + self._afterwards)} left"
