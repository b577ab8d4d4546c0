"""Lets a step end before a signal ends the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [signal.SIGTERM, signal.SIGINT]


class Interrupted(SystemExit):
    """The run was asked to stop and has saved itself; its code is 128 + the signal, as shells have it."""


class Request:
    """The signal that asked for an end, if one did."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def answer(self) -> Interrupted:
        return Interrupted(128 + (self.signal or signal.SIGTERM))


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

    def note(number: int, _: FrameType | None) -> None:
        if request:
            raise request.answer()
        request.signal = number

    noted = [*SIGNALS, *([signal.SIGUSR2] if callable(signal.getsignal(signal.SIGUSR2)) else [])]
    before = {number: signal.signal(number, note) for number in noted}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
