"""Memos of what a report asks for several times."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import pandas as pd

from tokexp.runs.study import Study

T = TypeVar("T")


REMEMBERED = 64


def once(make: Callable[..., T]) -> Callable[..., T]:
    """`make(study, runs, ...)`, remembered: tables, pictures and sentences of a report ask for the same.

    By which objects the two are, and they are never changed in place.
    """
    known: dict[tuple[Any, ...], tuple[Study, pd.DataFrame, T]] = {}

    @wraps(make)
    def get(study: Study, runs: pd.DataFrame, *more: Any) -> T:
        key = (id(study), id(runs), *more)
        if key not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[key] = study, runs, make(study, runs, *more)  # held, so that their ids remain theirs
        return known[key][2]

    return get
