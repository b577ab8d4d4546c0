"""Ends a command as users expect: bad input is one line and exit code 2, Ctrl-C a line, a closed pipe nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps

from tokexp.config import InputError


def command(main: Callable[[], int]) -> Callable[[], int]:
    """Wrap `main`, which a `python -m tokexp.NAME` calls for its exit code."""

    @wraps(main)
    def run() -> int:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # for characters that it cannot show
        try:
            code = main()
            sys.stdout.flush()
        except InputError as error:
            code = failed(str(error))
        except BrokenPipeError:  # the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except OSError as error:
            code = failed(cannot_write(error))
        except KeyboardInterrupt:
            print("stopped; every file is whole, and the same command does all of it again", file=sys.stderr)
            code = 128 + signal.SIGINT
        return code

    return run


def failed(message: str) -> int:
    """Print `message` as an error, and return the exit code for it."""
    print(f"error: {message}", file=sys.stderr)
    return 2


def cannot_write(error: OSError) -> str:
    """One line about an error of the file system, and what to do about it."""
    what, why = error.filename or "a file", error.strerror or error
    return f"{what}: cannot be read or written ({why}); make room or choose another folder, and start again"
