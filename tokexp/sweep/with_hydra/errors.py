"""End the program at an error around a sweep, with one line where it is the user's to put right."""

from __future__ import annotations

import difflib
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from tokexp.config import GROUP_TYPES, InputError, RunConfig, to_dict
from tokexp.system.command import cannot_write, failed

log = logging.getLogger(__name__)


# Who reads the command line and the yaml. What goes wrong within them, their own mistakes too, came of what was typed.
READERS = {"hydra", "omegaconf", "antlr4", "yaml", "argparse.py"}
DETAILS = ("full_key:", "object_type=", "reference_type=")  # lines that say where in Hydra's tree a value stands


@contextmanager
def errors_end_the_program() -> Iterator[None]:
    """Exit with code 2 and a line for bad input, with 1 and a traceback for a mistake of ours.

    Hydra makes a warning of what a callback raises, and a traceback of much that is typed wrong.
    """
    try:
        yield
    except InputError as error:
        sys.exit(failed(str(error)))
    except (HydraException, OmegaConfBaseException) as error:  # of which one is an OSError too
        ours = next((one for one in _causes(error) if isinstance(one, InputError)), None)
        sys.exit(failed(str(ours) if ours else in_a_line(error)))
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        sys.exit(failed(cannot_write(error)))
    except Exception as error:
        if raised_by_a_reader(error):
            sys.exit(failed(in_a_line(error)))
        log.exception("tokexp itself failed")
        sys.exit(1)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from, such as the one within a resolver."""
    while error is not None:
        yield error
        error = error.__cause__


def did_you_mean(key: str) -> str:
    """Name the settings that `key` may have meant: of the same last part, else the ones that are written most alike."""
    every = dict(_settings(to_dict(RunConfig())))
    settings = [*(name for name, value in every.items() if not isinstance(value, dict)), *GROUP_TYPES]
    last = key.rpartition(".")[2]
    same = [name for name in settings if name.rpartition(".")[2] == last]
    alike = same or difflib.get_close_matches(key, settings, n=1, cutoff=0.8)
    return f"did you mean {' or '.join(alike)}?" if alike else "python -m tokexp.run --help lists them"


def _settings(tree: dict[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name."""
    for name, value in tree.items():
        yield f"{where}{name}", value
        if isinstance(value, dict):
            yield from _settings(value, f"{where}{name}.")


def raised_by_a_reader(error: Exception) -> bool:
    """Whether an error was raised by what reads the command line."""
    where = traceback.extract_tb(error.__traceback__)[-1].filename
    return not READERS.isdisjoint(Path(where).parts)


def in_a_line(error: Exception) -> str:
    """Make one line of what Hydra says over many."""
    lines = [line.strip() for line in str(error).split("Config search path")[0].splitlines()]
    head, *rest = [line for line in lines if line and not line.startswith(DETAILS)] or [type(error).__name__]
    if named := re.match(r"Could not override '([\w.]+)'", head):
        return f"{named[1]}: there is no such setting; {did_you_mean(named[1])}"
    if (file := re.search(r"Could not find 'data/(.+)'", head)) and Path(file[1]).exists():
        return f"data={file[1]}: got a file, expected an option; type data=text data.path={file[1]}"
    if rest and rest[0].startswith("Available options"):
        return f"{head}; {rest[0]} {', '.join(rest[1:])}"
    why = str(error.__cause__ or "").strip().splitlines()
    said = "; ".join([head, *rest])
    return f"{said} ({why[0]})" if why and why[0] not in said else said
