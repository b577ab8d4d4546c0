"""A table for the page: each figure with the number by which it is sorted, each cell's name with its colour."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tokexp.analysis.cells import Cell
from tokexp.rendering.tables.columns import Column, Table, Value, line_of, sort_key
from tokexp.rendering.text import html, plain

SHORT = 28  # characters that are kept in one line


@dataclass(frozen=True)
class Field:
    """A cell of a table. `kind`: the CSS class of its column."""

    text: Markup
    colour: str  # of the cell that it names, or ""
    kind: str
    number: float | None = None  # by which it is sorted


@dataclass(frozen=True)
class Grid:
    head: list[Field]
    rows: list[list[Field]]


def grid(table: Table, colours: dict[Cell, str]) -> Grid:
    """A table for HTML: what names a cell gets its colour, columns of figures are told from text."""
    shorter = [{cell.without_size(): colour, cell.without_budget(): colour} for cell, colour in colours.items()]
    by_cell = {name: colour for names in [*shorter, colours] for name, colour in names.items()}
    columns = [_fields(column, by_cell) for column in table.columns]
    kinds = [_kind(column) for column in table.columns]
    head = [
        Field(html(line_of(column.heading)), _colour(column.heading, by_cell), kind)
        for column, kind in zip(table.columns, kinds, strict=True)
    ]
    return Grid(head, [list(row) for row in zip(*columns, strict=True)])


def _fields(column: Column, by_cell: dict[Cell, str]) -> list[Field]:
    kind = _kind(column)
    return [
        Field(
            html(line_of(value, column.form)), _colour(value, by_cell), kind, sort_key(value) if kind == "n" else None
        )
        for value in column.values
    ]


def _colour(value: Value, by_cell: dict[Cell, str]) -> str:
    return by_cell.get(value, "") if isinstance(value, Cell) else ""


def _kind(column: Column) -> str:
    """ "n" for figures, "s" for short text that need not be broken, "" for text."""
    if column.is_figures:
        return "n"
    return "s" if max(len(plain(line)) for line in column.lines()) <= SHORT else ""
