"""Reads files that may be damaged, or no files at all, and checks what is in them.

Only regular files are read, up to a size that is stated for each sort: a FIFO, a device or a socket is refused before
it is opened, so that nothing waits for it. Raises OSError, with a line as its `strerror`, for what cannot be read, and
ValueError for content that is none; the caller, who knows what to do about it, makes one InputError of either.
"""

from __future__ import annotations

import errno
import json
import math
import os
import reprlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, BinaryIO, get_args, get_origin

import yaml

# The most bytes that are read of each sort of file.
JSON_BYTES = 1 << 28  # a large tokenizer has some 20 MB
LINES_BYTES = 1 << 32  # a million steps have 200 MB
YAML_BYTES = 1 << 20
TABLE_BYTES = 1 << 30
TEXT_BYTES = 1 << 36
DEEPEST = 32  # lists and objects in one another, where any value may stand

SORTS = {
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


def require_regular(path: Path, most: int | None = None) -> None:
    """Raise OSError unless `path` is a regular file, of at most `most` bytes; it is not opened."""
    _require_regular(path, os.stat(path), most)


def _require_regular(path: Path, status: os.stat_result, most: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        sort = next((name for is_sort, name in SORTS.items() if is_sort(status.st_mode)), "something else")
        raise OSError(errno.EINVAL, f"got {sort}, expected a regular file", str(path))
    if most is not None and status.st_size > most:
        raise OSError(errno.EFBIG, f"got {status.st_size:,} bytes, expected at most {most:,}", str(path))


@contextmanager
def open_regular(path: Path, most: int | None = None) -> Iterator[BinaryIO]:
    """Open a regular file of at most `most` bytes for reading."""
    require_regular(path, most)
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _require_regular(path, os.fstat(file.fileno()), most)  # another may have come in its place
        yield file


def read_bytes(path: Path, most: int) -> bytes:
    """Read a regular file of at most `most` bytes."""
    with open_regular(path, most) as file:
        return file.read()


def read_json(path: Path) -> Any:
    return parse_json(read_bytes(path, JSON_BYTES))


def read_json_lines(path: Path, *, nan: bool = False) -> list[Any]:
    """Read the values of a file with one a line. `nan`: NaN and infinities may be among them."""
    rows = read_bytes(path, LINES_BYTES).rstrip(b"\n").replace(b"\n", b",")  # as one list: half the time
    values: list[Any] = parse_json(b"[" + rows + b"]", nan=nan)
    return values


def parse_json(raw: bytes, *, nan: bool = False) -> Any:
    """Parse JSON in UTF-8. Raises ValueError for anything else, and for what a writer of ours never leaves.

    That is an object with a name twice, text without a UTF-8 form and, without `nan`, a figure that is no number.
    """
    constant: Callable[[str], Any] = float if nan else _refuse_constant
    try:
        value = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=constant)
        if b"\\ud" in raw or b"\\uD" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("got half a character (a lone surrogate) in a text") from None
    except RecursionError:
        raise ValueError("got lists or objects nested too deep") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"got {next(name for name in names if names.count(name) > 1)!r} twice in an object")
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"got {name}, expected a finite number")


class _Loader(yaml.SafeLoader):
    """Plain yaml: no aliases, which can stand for more than memory holds, and no name twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("got an alias (*name), expected plain values")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(names)) < len(names):
            raise ValueError(f"got {next(name for name in names if names.count(name) > 1)!r} twice")
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: Any) -> Any:
        return super().construct_yaml_int(_without_minutes(node))

    def construct_yaml_float(self, node: Any) -> Any:
        return super().construct_yaml_float(_without_minutes(node))


def _without_minutes(node: Any) -> Any:
    """Refuse yaml's 1:30 for 90, which takes endless time where it is long."""
    if ":" in node.value:
        raise ValueError(f"got {reprlib.repr(node.value)}, expected a plain number")
    return node


for _sort in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_sort}", getattr(_Loader, f"construct_yaml_{_sort}"))


def read_yaml(path: Path) -> Any:
    try:
        return yaml.load(read_bytes(path, YAML_BYTES).decode("utf-8-sig"), _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError("got lists or groups nested too deep") from None
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:  # of values that look like another type
        raise ValueError(f"got a value that cannot be made: {error}") from error


Kinds = dict[str, Any]  # names, and the kind of the value of each


class Maybe:
    """The kind of a value that may be left out, or null: `Maybe(kind)`."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Count(int):
    """The kind of a whole number that is at least 0."""


class Number(float):
    """The kind of a number that may be NaN or infinite."""


def wrong(value: Any, kind: Any) -> str:
    """Say what is wrong with a value that should be of a kind; "" where nothing is.

    A kind is a type, a union of types, Any, `Kinds` for an object that has those names and perhaps others, [kind] for a
    list and (kind, kind) for one of just so many values. An int stands for a float too; a float is finite.
    """
    match kind:
        case dict():
            return _wrong_object(value, kind)
        case [one]:
            return _wrong_list(value, one)
        case tuple():
            exact = isinstance(value, list) and len(value) == len(kind)
            return "" if exact and not any(map(wrong, value, kind)) else _got(value, f"a list of {len(kind)}")
        case Maybe():
            return "" if value is None else wrong(value, kind.kind)
    return "" if any(_is(value, one) for one in _kinds(kind)) else _got(value, " or ".join(map(_named, _kinds(kind))))


_ABSENT = object()
_PLAIN: dict[Any, Any] = {str: str, Count: int, Number: float}


def check(value: Any, kind: Any, what: str) -> None:
    """Raise ValueError, beginning with `what`, where a value is not of a kind."""
    if problem := wrong(value, kind):
        raise ValueError(f"{what}: {problem}")


def _wrong_object(value: Any, kinds: Kinds) -> str:
    if not isinstance(value, dict):
        return _got(value, "values by name")
    for name, kind in kinds.items():
        one: Any = value.get(name, _ABSENT)
        plain = _PLAIN.get(kind) if type(kind) is type else None
        if type(one) is plain and (kind is not Count or 0 <= one < 1 << 63):
            continue  # soon done with most, since there are files of many rows
        if one is _ABSENT:
            if not isinstance(kind, Maybe):
                return f"has no {name}"
        elif problem := wrong(one, kind):
            return f"{name}: {problem}"
    return ""


def _wrong_list(value: Any, kind: Any) -> str:
    if not isinstance(value, list):
        return _got(value, "a list")
    if kind is Count and set(map(type, value)) <= {int}:  # of which there are many
        return "" if not value or (min(value) >= 0 and max(value) < 1 << 63) else _got(value, "counts")
    if kind is float and set(map(type, value)) <= {float} and all(map(math.isfinite, value)):
        return ""
    problems = ((i, problem) for i, one in enumerate(value) if (problem := wrong(one, kind)))
    at, problem = next(problems, (0, ""))
    return f"{at}: {problem}" if problem else ""


def _is(value: Any, kind: Any) -> bool:
    if kind is Any:
        return _is_shallow(value)
    if get_origin(kind) is list:
        return not _wrong_list(value, *get_args(kind))
    if get_origin(kind) is dict:
        (_, inner) = get_args(kind)
        return isinstance(value, dict) and all(type(name) is str and _is(one, inner) for name, one in value.items())
    if kind in (int, Count):
        return type(value) is int and (0 if kind is Count else -(1 << 63)) <= value < 1 << 63
    if kind in (float, Number) and type(value) in (int, float):
        return abs(value) < 1 << 63 if type(value) is int else kind is Number or math.isfinite(value)
    return type(value) is kind


def _is_shallow(value: Any, left: int = DEEPEST) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left > 0 and all(_is_shallow(one, left - 1) for one in inside)


@lru_cache
def _kinds(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _named(kind: Any) -> str:
    names = {NoneType: "null", Count: "a whole number from 0", Number: "a number", float: "a finite number"}
    names |= {int: "a whole number", str: "text", bool: "true or false", list: "a list", dict: "values by name"}
    return names.get(get_origin(kind) or kind, str(kind))


def _got(value: Any, expected: str) -> str:
    return f"got {reprlib.repr(value)}, expected {expected}"
