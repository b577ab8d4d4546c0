"""End the program at an error around a sweep, with one line where it is the user's to put right."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from tokexp.config import InputError
from tokexp.system.command import cannot_write, failed

log = logging.getLogger(__name__)


@contextmanager
def errors_end_the_program() -> Iterator[None]:
    """Exit with code 2 and a line for bad input, with 1 and a traceback for a mistake of ours.

    Hydra makes a warning of what a callback raises, and a traceback of what a sweeper does.
    """
    try:
        yield
    except InputError as error:
        sys.exit(failed(str(error)))
    except (HydraException, OmegaConfBaseException) as error:  # of which one is an OSError too
        sys.exit(failed(in_a_line(error)))
    except OSError as error:
        sys.exit(failed(cannot_write(error)))
    except Exception:
        log.exception("tokexp itself failed")
        sys.exit(1)


def in_a_line(error: Exception) -> str:
    """Make one line of what Hydra says over many."""
    head, *rest = [line.strip() for line in str(error).split("Config search path")[0].splitlines() if line.strip()]
    if rest and rest[0].startswith("Available options"):
        return f"{head}; {rest[0]} {', '.join(rest[1:])}"
    why = str(error.__cause__ or "").strip().splitlines()
    return f"{head} ({why[0]})" if why else head
