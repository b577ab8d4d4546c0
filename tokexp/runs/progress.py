"""Show people how a training gets on: a bar in a terminal, a line an evaluation elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from tokexp.training.record import EvalRow, Row

log = logging.getLogger(__name__)


class Progress:
    def __init__(self, name: str, steps: int, tokens_per_step: int, done: int = 0) -> None:
        """`done`: steps that an earlier process has taken."""
        self._name, self._steps, self._tokens_per_step, self._done = name, steps, tokens_per_step, done
        self._began = time.monotonic()
        self._bpb = "-"
        terminal = sys.stderr.isatty()
        layout = "{desc} {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}<{remaining}]{postfix}"
        self._bar = None
        if terminal:
            self._bar = tqdm(total=steps, initial=done, desc=name, bar_format=layout, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, row: Row) -> None:
        if isinstance(row, EvalRow):
            self._bpb = f"{row.scores.val_bpb:.3f}"
            if self._bar is not None:
                self._bar.set_postfix_str(f"loss {row.scores.val_loss:.3f} held out, {self._bpb} bits/byte")
            else:
                elapsed = time.monotonic() - self._began
                left = elapsed * (self._steps - row.step) / max(1, row.step - self._done)
                log.info(
                    "%s: step %d of %d, loss %.3f (train %.3f), %s bits/byte, %s tokens/s, %s left",
                    self._name, row.step, self._steps, row.scores.val_loss, row.scores.train_loss, self._bpb,
                    f"{row.tokens_per_second:,.0f}", duration(left),
                )  # fmt: skip
        elif self._bar is not None:
            elapsed = time.monotonic() - self._began
            speed = (row.step - self._done) * self._tokens_per_step / elapsed
            postfix = f"loss {row.loss:.3f}, {self._bpb} bits/byte, {speed:,.0f} tok/s"
            self._bar.set_postfix_str(postfix, refresh=False)
            self._bar.update()


def duration(seconds: float) -> str:
    """Spell a duration, such as 42 s, 12 min, 3 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
