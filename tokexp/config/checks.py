"""Checks of settings: of a value's type and range, in one line that says what was got and what was expected."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints


class InputError(ValueError):
    """Raised where what the user gave cannot be used. The message is one line: got, expected, what to do."""


def require_name(what: str, name: str) -> None:
    """Raise InputError for what could not name a file, or would name one elsewhere."""
    plain = re.fullmatch(r"\w[\w.+-]*", name) is not None
    check(plain, what, repr(name), "letters, digits and . + - _, a letter or digit first")


def check(ok: bool, name: str, got: Any, expected: str) -> None:
    if not ok:
        raise InputError(f"{name}: got {got}, expected {expected}")


def one_of(name: str, got: str, *options: str) -> None:
    check(got in options, name, repr(got), "one of " + ", ".join(options))


def positive(name: str, got: float | None) -> None:
    check(got is None or 0 < got < math.inf, name, got, "more than 0, and finite")


def check_types(where: str, config: Any) -> None:
    """Refuse a value of another type than its field's."""
    for name, kind in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if not fits(value, kind):
            raise InputError(f"{where}{name}: got {value!r}, expected {describe_type(kind)}")


def fits(value: Any, kind: Any) -> bool:
    """Whether a value has a type as annotated; a whole number may stand for a float, and true for no number."""
    allowed = types_of(kind)
    return Any in allowed or type(value) in allowed or (float in allowed and type(value) is int)


def describe_type(kind: Any) -> str:
    """The words for a type as annotated, such as "int or null"."""
    return " or ".join("null" if t is type(None) else t.__name__ for t in types_of(kind))


def types_of(kind: Any) -> list[Any]:
    """The types that a union allows, without what is in a list or dict."""
    return [getattr(k, "__origin__", k) for k in (get_args(kind) if isinstance(kind, UnionType) else (kind,))]


def absolute(name: str, path: Any) -> Any:
    """Make a path, or a list of them, text that means the same from another folder; null stays null."""
    if isinstance(path, list | tuple) and path:
        return [absolute(name, item) for item in path]
    if isinstance(path, int) and not isinstance(path, bool):
        path = str(path)  # a file called 2024
    if path is None or (isinstance(path, str | Path) and str(path)):
        return None if path is None else str(Path(path).absolute())
    raise InputError(f"{name}: got {path!r}, expected a path or a list of paths")
