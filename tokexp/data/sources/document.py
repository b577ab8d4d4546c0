"""One document, and how a record of a source becomes one, or is refused or left out."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from typing import Any

from tokexp.config import InputError

NAMES_SHOWN = 8  # of the fields that a record has, in a message


@dataclass(frozen=True)
class Document:
    """A text of a source, exactly as it is there."""

    text: str
    id: str | None = None  # the source's own name of it; of a file in a folder its path inside the folder
    part: str | None = None  # the value of `Fields.split`, where one is asked for
    where: str = ""  # "FILE, line 12", "FILE, row 12" or "FILE": for messages


@dataclass(frozen=True)
class Fields:
    """The names of the fields of a record that a document is made of."""

    text: str = "text"
    id: str | None = "id"  # taken where a record has it
    split: str | None = None  # where there is a name, each record needs it

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name in (self.text, self.id, self.split) if name is not None))


@dataclass
class Skipped:
    """The records that were left out: how many, and what was wrong with the first few."""

    KEPT = 5

    count: int = 0
    first: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        self.count += 1
        if len(self.first) < self.KEPT:
            self.first.append(problem)


def leave_out(skipped: Skipped | None, where: str, problem: object, remedy: str) -> None:
    """Note a bad record in `skipped`. Raises InputError where that is None."""
    if skipped is None:
        raise InputError(f"{where}: {problem}; {remedy}")
    skipped.note(f"{where}: {problem}")


def from_record(record: Any, fields: Fields, where: str) -> Document:
    """The document that a record holds. Raises ValueError, which says what is wrong, where it holds none."""
    if type(record) is not dict:
        raise ValueError(f"got {reprlib.repr(record)}")
    text = record.get(fields.text)
    if type(text) is not str:
        _require(record, fields.text, "text")
        raise ValueError(f"got {reprlib.repr(text)} in {fields.text!r}, expected a text")
    name = None if fields.id is None else record.get(fields.id)
    if name is not None:
        name = _label(name, fields.id, "id")
    part = None
    if fields.split is not None:
        _require(record, fields.split, "split")
        part = _label(record[fields.split], fields.split, "split")
    return from_text(text, name, part, where)


def from_text(text: str, name: str | None, part: str | None, where: str) -> Document:
    """A document of a text. Raises ValueError where that is empty, or where something of it has no UTF-8 form."""
    if not text:
        raise ValueError("an empty document")
    for value in (text, name, part):
        if value is not None and not value.isascii():  # which takes no time to know
            try:
                value.encode()
            except UnicodeEncodeError as error:
                half = ascii(value[error.start])
                raise ValueError(f"got half a character (the lone surrogate {half}) at {error.start}") from None
    return Document(text, name, part, where)


def _label(value: Any, field: str | None, role: str) -> str:
    """The text of an id or of a part's name, which may be a number."""
    if type(value) is str:
        return value
    if type(value) in (int, float):
        return str(value)
    another = "name another field in data.id_field, or none with null" if role == "id" else _another(role)
    raise ValueError(f"got {reprlib.repr(value)} in {field!r}, expected a text or a number ({another})")


def _require(record: dict[str, Any], field: str, role: str) -> None:
    if field not in record:
        raise ValueError(f"got no {field!r} among its fields {listed(record)} ({_another(role)})")


def _another(role: str) -> str:
    return f"another is named in data.{role}_field"


def require_columns(columns: list[str], fields: Fields, where: str) -> None:
    """Raise InputError unless each field that a record needs is among the columns of a source, once."""
    for role, name in (("text", fields.text), ("split", fields.split)):
        if name is not None and name not in columns:
            got = f"{where}: got no column {name!r} among {listed(columns)}"
            raise InputError(f"{got}; name the one with the {role} in data.{role}_field")
    for name in fields.names():
        if columns.count(name) > 1:
            raise InputError(f"{where}: got {columns.count(name)} columns {name!r}, expected one; rename the others")


def listed(names: Any) -> str:
    """Names in quotes, the first few of many."""
    names = [reprlib.repr(name) for name in names]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return (", ".join(names[:NAMES_SHOWN]) or "none") + more


def shown(path: Any) -> str:
    """A path as a message names it: on one line, and of characters that any terminal takes."""
    name = str(path)
    return name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)
