"""Reads documents from JSON lines: one object a line, packed or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.data.sources.document import Document, Fields, Skipped, from_record, leave_out, shown
from tokexp.data.sources.stream import Advance, inner_suffix, opened, unpacked

SUFFIXES = {".jsonl", ".ndjson", ".json"}
LINE_BYTES = 1 << 28
BOM = b"\xef\xbb\xbf"

_begins_an_object = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:')


def read_lines(path: Path, fields: Fields, skipped: Skipped | None, advance: Advance) -> Iterator[Document]:
    """The documents of a file of JSON lines. Blank lines are passed over; of a doubled name the last value counts."""
    name = shown(path)
    remedy = f"expected one JSON object a line with a text field {fields.text!r}; "
    remedy += "mend it, or leave such lines out with data.skip_bad=true"
    with opened(path) as file:
        stream = unpacked(file, path, advance)
        if inner_suffix(path) == ".json" and stream.peek(64).removeprefix(BOM).lstrip()[:1] == b"[":
            how = f"make it lines (jq -c '.[]' {path.name} > {path.stem}.jsonl)"
            raise InputError(f"{name}: got one JSON list, expected one JSON object a line; {how}")
        for number in count(1):
            line = stream.readline(LINE_BYTES + 1)
            if not line:
                break
            where = f"{name}, line {number}"
            if len(line) > LINE_BYTES:
                got = f"{where}: got a line of more than {LINE_BYTES:,} bytes"
                raise InputError(f"{got}; expected one JSON object a line, so make it lines, or leave it out")
            if number == 1:
                line = line.removeprefix(BOM)
            if line.isspace():
                continue
            try:
                document = from_record(_parse(line), fields, where)
            except ValueError as error:
                leave_out(skipped, where, error, remedy)
            else:
                yield document


def _parse(line: bytes) -> Any:
    """Parse one line. Raises ValueError, which says what is wrong with it."""
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(error)) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON ({error.msg} at character {error.pos + 1})") from None
    except RecursionError:
        raise ValueError("got lists or objects nested too deep") from None
    except ValueError:
        raise ValueError("got a number of too many digits") from None


def not_utf8(error: UnicodeDecodeError) -> str:
    return f"got byte 0x{error.object[error.start]:02x} at position {error.start}, which is not UTF-8"


def looks_like_json_lines(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes is one JSON object a line, as far as its first line goes."""
    first, newline, _ = first_bytes.removeprefix(BOM).lstrip().partition(b"\n")
    if not newline:  # so perhaps there is more of the line
        return _begins_an_object.match(first) is not None
    try:
        record = _parse(first)
    except ValueError:
        return False
    return isinstance(record, dict) and bool(record)
