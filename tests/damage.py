"""Ways to damage a file, or to put something else in its place: any of them must end in one line, or change nothing."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from safetensors.numpy import load_file, save_file

DEEP = 100_000
WRONG_VALUES = [None, "x", "", 0, -1, 1, 2.5, True, [], {}, [1, 2], {"x": 1}, 10**400, 1e300, "\ud800", "a\0b", [[]]]
WRONG_FIELDS = [
    "",
    "x",
    "0",
    "-1",
    "2.5",
    "inf",
    "nan",
    "1e300",
    "1e999",
    "9" * 400,
    "[1]",
    "{}",
    '{"x": {}}',
    "True",
    "a\0",
]


class Damage(NamedTuple):
    name: str
    do: Callable[[Path], object]


def damages(path: Path, most: int | None = None) -> list[Damage]:
    """All ways to damage a file, by what it is; at most so many, drawn by the file's name."""
    ways = [*in_its_place(), *of_bytes(path)]
    raw = path.read_bytes()
    if path.suffix == ".json":
        ways += of_values(json.loads(raw), lambda value: json.dumps(value).encode())
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in raw.splitlines()]
        for at in {0, len(rows) - 1} - {-1}:
            ways += of_values(rows[at], _line(rows, at))
        ways += [written("rows in a row", raw.replace(b"\n", b" ")), written("a row twice", raw + raw)]
    elif path.suffix == ".yaml":
        ways += of_values(yaml.safe_load(raw), lambda value: yaml.safe_dump(value).encode(errors="surrogatepass"))
        ways.append(written("aliases", b"a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n"))
    elif path.suffix == ".csv":
        ways += of_fields(raw.decode())
    elif path.suffix == ".safetensors":
        ways += of_weights(path)
    if most is not None:
        ways = random.Random(path.name).sample(ways, min(most, len(ways)))
    return ways


def written(name: str, content: bytes) -> Damage:
    return Damage(name, lambda path: path.write_bytes(content))


def in_its_place() -> Iterator[Damage]:
    """Other things than files, or none."""

    def instead(name: str, make: Callable[[Path], object]) -> Damage:
        return Damage(name, lambda path: (path.unlink(), make(path)))

    yield instead("nothing", lambda path: None)
    yield instead("a FIFO", os.mkfifo)
    yield instead("a folder", Path.mkdir)
    yield instead("a link to /dev/zero", lambda path: path.symlink_to("/dev/zero"))
    yield instead("a link to itself", lambda path: path.symlink_to(path))
    yield instead("a sparse terabyte", lambda path: _sparse(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def of_bytes(path: Path) -> Iterator[Damage]:
    raw = path.read_bytes()
    yield written("empty", b"")
    for content in (
        b"null",
        b"[]",
        b"{}",
        b"1",
        b'"x"',
        b"NaN",
        b"{",
        b"\n",
        b"\0" * 64,
        b"\xff\xfe",
        b"[null]",
        b"[1]",
    ):
        yield written(repr(content[:8]), content)
    yield written("deep lists", b"[" * DEEP)
    yield written("deep objects", b'{"x":' * DEEP)
    yield written("deep and whole", b"[" * 900 + b"]" * 900)
    yield written("invalid UTF-8", raw[: len(raw) // 2] + b"\xff" + raw[len(raw) // 2 :])
    yield written("a NUL", raw[: len(raw) // 2] + b"\0" + raw[len(raw) // 2 :])
    for part in (1, 4, 16):
        yield written(f"{part}/17 of it", raw[: len(raw) * part // 17])
    rng = random.Random(path.name)
    for _ in range(12 if raw else 0):
        at, bit = rng.randrange(len(raw)), 1 << rng.randrange(8)
        yield written(f"byte {at} ^ {bit}", raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :])


def of_values(value: Any, dump: Callable[[Any], bytes]) -> Iterator[Damage]:
    """Every name's value of another type, and every name left out, in the outer levels."""
    for place in places(value):
        for wrong in WRONG_VALUES:
            yield Damage(f"{place} = {str(wrong)[:20]!a}", _changing(value, place, dump, wrong))
        yield Damage(f"without {place}", _changing(value, place, dump))


def _changing(
    value: Any, place: tuple[Any, ...], dump: Callable[[Any], bytes], *other: Any
) -> Callable[[Path], object]:
    """Write `value` with another one in a place, or with none there."""

    def write(path: Path) -> None:
        changed = copy.deepcopy(value)
        inside = changed
        for step in place[:-1]:
            inside = inside[step]
        if other:
            inside[place[-1]] = other[0]
        else:
            del inside[place[-1]]
        path.write_bytes(dump(changed))

    return write


def places(value: Any, left: int = 4) -> Iterator[tuple[Any, ...]]:
    """Where a value has values: by name, and of a list the first and the last."""
    names = list(value) if isinstance(value, dict) else sorted({0, len(value) - 1}) if isinstance(value, list) else []
    for name in names if value and left else []:
        yield (name,)
        yield from ((name, *rest) for rest in places(value[name], left - 1))


def _line(rows: list[Any], at: int) -> Callable[[Any], bytes]:
    return lambda value: "".join(json.dumps(row) + "\n" for row in [*rows[:at], value, *rows[at + 1 :]]).encode()


def of_fields(text: str) -> Iterator[Damage]:
    """Every column's first field other than it was, and tables of another shape."""
    head, *rows = list(csv.reader(io.StringIO(text)))

    def table(name: str, make: Callable[[], list[list[str]]]) -> Damage:
        return Damage(name, lambda path: path.write_text(_csv(make())))

    yield table("no rows", lambda: [head])
    yield table("no head", lambda: rows)
    yield table("more fields", lambda: [head, *([*row, "1"] for row in rows)])
    yield table("a longer row", lambda: [head, *rows, [*(rows or [[]])[0], "1"]])
    yield table("rows twice", lambda: [head, *rows, *rows])
    yield table("without the last row", lambda: [head, *rows[:-1]])
    for at, name in enumerate(head):
        yield table(f"without {name}", lambda at=at: [[*row[:at], *row[at + 1 :]] for row in (head, *rows)])
        yield table(f"{name} twice", lambda at=at: [[*row, row[at]] for row in (head, *rows)])
        for field in WRONG_FIELDS if rows else []:
            for many in (1, len(rows)):
                yield table(
                    f"{many} of {name} = {field[:9]!a}",
                    lambda at=at, field=field, many=many: [
                        head, *([*row[:at], field, *row[at + 1 :]] for row in rows[:many]), *rows[many:]
                    ],
                )  # fmt: skip


def _csv(lines: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(lines)
    return out.getvalue()


def of_weights(path: Path) -> Iterator[Damage]:
    tensors = load_file(path)
    name = next(iter(tensors))
    for value in (np.nan, np.inf, -np.inf):
        other = {key: tensor.copy() for key, tensor in tensors.items()}
        other[name].flat[0] = value
        yield Damage(f"{name} has {value}", lambda path, other=other: save_file(other, path))
    yield Damage("other names", lambda path: save_file({f"x{key}": t for key, t in tensors.items()}, path))
    yield Damage("other shapes", lambda path: save_file({key: t[..., :1].copy() for key, t in tensors.items()}, path))
    yield Damage("other types", lambda path: save_file({key: t.astype(np.int8) for key, t in tensors.items()}, path))
