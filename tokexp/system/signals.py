"""Lets a step end before a signal ends the program, answers the signal in words, and ends at once what may end so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = [signal.SIGTERM, signal.SIGINT]
ANSWER = "stopping as soon as all is saved; press Ctrl-C again to stop now"


class Interrupted(SystemExit):
    """The run was asked to stop and has saved itself; its code is 128 + the signal, as shells have it."""


class Request:
    """The signal that asked for an end, if one did."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._obeyed_at_once = False

    def __bool__(self) -> bool:
        return self.signal is not None

    def answer(self) -> Interrupted:
        return Interrupted(128 + (self.signal or signal.SIGTERM))

    @contextmanager
    def obeyed_at_once(self) -> Iterator[None]:
        """Raise Interrupted where the request has come or as it comes: around work that can be done over again."""
        if self:
            raise self.answer()
        self._obeyed_at_once = True
        try:
            yield
        finally:
            self._obeyed_at_once = False

    def note(self, number: int, _: FrameType | None) -> None:
        """Handle a signal: the first is answered in words, a second one ends the program at once."""
        if self:
            raise self.answer()
        self.signal = number
        answer_in_words(ANSWER)
        if self._obeyed_at_once:
            raise self.answer()


@contextmanager
def defer_signals() -> Iterator[Request]:
    """Only note SIGTERM and SIGINT within this context; a second one ends the program at once.

    SIGUSR2 is noted too where it has a handler: submitit's would queue the job again and end it wherever it stands.
    In a thread other than the main one signals cannot be handled, and stay as they are.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    noted = [*SIGNALS, *([signal.SIGUSR2] if callable(signal.getsignal(signal.SIGUSR2)) else [])]
    before = {number: signal.signal(number, request.note) for number in noted}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def answer_in_words(words: str) -> None:
    """Write a line to standard error from a handler of signals, where Python's own files may be in use."""
    if os.environ.get("RANK", "0") == "0":  # of processes that work together, one speaks
        with suppress(OSError):
            os.write(2, f"\n{words}\n".encode())
