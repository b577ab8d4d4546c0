"""Reads documents from Parquet files, a few rows at a time and of the needed columns alone."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tokexp.config import InputError
from tokexp.data.sources.document import Document, Fields, Skipped, from_record, leave_out, require_columns, shown
from tokexp.data.sources.stream import Advance, opened

SUFFIX = ".parquet"
BATCH_BYTES = 1 << 23
MOST_ROWS = 1024  # at once
BUFFER_BYTES = 1 << 20

_BROKEN = object()  # in the place of a text that is not UTF-8


def read_parquet(path: Path, fields: Fields, skipped: Skipped | None, advance: Advance) -> Iterator[Document]:
    """The documents of a Parquet file, in the order of its rows."""
    try:
        pq = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        how = "to read it, pip install 'tokexp[parquet]'"
        raise InputError(f"{shown(path)}: got a Parquet file, and pyarrow is not installed; {how}") from error
    remedy = f"expected a text in the column {fields.text!r}; "
    remedy += "mend it, or leave such rows out with data.skip_bad=true"
    with opened(path) as file:
        for number, record in enumerate(_records(pq, file, path, fields, advance), start=1):
            where = f"{shown(path)}, row {number}"
            try:
                if _BROKEN in record.values():
                    raise ValueError("got a text that is not UTF-8")
                document = from_record(record, fields, where)
            except ValueError as error:
                leave_out(skipped, where, error, remedy)
            else:
                yield document


def _records(pq: Any, file: BinaryIO, path: Path, fields: Fields, advance: Advance) -> Iterator[dict[str, Any]]:
    """The rows of a file. `advance` is told the file's bytes as a share of the rows, since few of them are read."""
    size, told, done = path.stat().st_size, 0, 0
    for count, columns in _batches(pq, file, path, fields):
        names = list(columns)
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(names, row, strict=True))
        done += count[0]
        advance(size * done // count[1] - told)
        told = size * done // count[1]
    advance(size - told)


def _batches(
    pq: Any, file: BinaryIO, path: Path, fields: Fields
) -> Iterator[tuple[tuple[int, int], dict[str, list[Any]]]]:
    """Batches of rows: how many there are in one, and in the file, and the values of the needed columns."""
    try:
        source = pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER_BYTES)
        columns = list(source.schema_arrow.names)
        require_columns(columns, fields, shown(path))
        needed = [name for name in fields.names() if name in columns]
        rows = source.metadata.num_rows
        at_once = _rows_at_once(source.metadata)
        for batch in source.iter_batches(at_once, columns=needed, use_threads=False):
            yield (batch.num_rows, rows), {name: _values(batch.column(name)) for name in needed}
    except InputError:
        raise
    except Exception as error:  # of a damaged file pyarrow raises nearly anything
        why = " ".join(str(error).split())[:200] or type(error).__name__
        what = f"{shown(path)}: cannot be read as Parquet ({why})"
        raise InputError(f"{what}; expected a whole file, so fetch or make it again, or rename it") from error


def _rows_at_once(metadata: Any) -> int:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    a_row = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0)
    return int(min(MOST_ROWS, max(1, BATCH_BYTES / max(1, a_row))))


def _values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_value(one) for one in column]


def _value(one: Any) -> Any:
    try:
        return one.as_py()
    except UnicodeDecodeError:
        return _BROKEN
