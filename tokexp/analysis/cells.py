"""Which runs are one cell: all that differ in the seed alone. A cell is a value, with the parts that make its name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

REPORTING = ("sample.", "train.eval_every")  # settings that change no weight
Settings = dict[str, Any]  # of a run, by dotted name, as in the column `settings` of results.csv


class Setting(NamedTuple):
    """A setting that tells cells apart."""

    name: str  # dotted
    text: str  # its value, as it is shown
    number: float | None  # its value, where that is a number

    @classmethod
    def of(cls, name: str, value: Any) -> Setting:
        text = str(value)[:8] if name == "tokenizer.path" else str(value)  # the SHA-256 of a file
        return cls(name, text, value if type(value) in (int, float) else None)


@dataclass(frozen=True)
class Cell:
    """All runs of a comparison that differ in the seed alone, as what tells them from its other runs."""

    arm: str
    size: str  # of the model: the name of its option
    names_size: bool  # whether the size is a part of the name, since there are several
    settings: tuple[Setting, ...]  # those that differ within the arm
    external: bool  # its tokenizer was trained elsewhere

    def __str__(self) -> str:
        size = [self.size] if self.names_size else []
        settings = [f"{setting.name.rsplit('.', 1)[-1]}={setting.text}" for setting in self.settings]
        return " ".join([self.arm, *size, *settings, *(["(trained elsewhere)"] if self.external else [])])

    def __lt__(self, other: Cell) -> bool:
        return str(self) < str(other)

    def without_size(self) -> Cell:
        """The cell under a heading that names the size."""
        return dataclasses.replace(self, names_size=False)

    def without_budget(self) -> Cell:
        """The cell where the budget is what is looked at."""
        left = tuple(setting for setting in self.settings if not setting.name.startswith("budget."))
        return dataclasses.replace(self, settings=left)

    @property
    def by_number(self) -> tuple[Any, ...]:
        """A key that sorts cells by the numbers in their settings: 512 before 1024."""
        settings = [(one.name, one.number is None, one.number or 0.0, one.text) for one in self.settings]
        return (self.arm, self.size if self.names_size else "", settings, self.external)


def cells_of(runs: pd.DataFrame) -> list[Cell]:
    """The cell of each run, in their order.

    Settings that change no weight are a part of it only where nothing else tells two cells apart.
    """
    settings = [json.loads(text) for text in runs.settings]
    every = _cells(runs, settings)
    short = _cells(runs, _keeping(settings, lambda name: not name.startswith(REPORTING)))
    return short if len(set(short)) == len(set(every)) else every


def tokenizers_of(runs: pd.DataFrame) -> list[Cell]:
    """What tells the tokenizers of `runs` apart, one for each run: the cell without what is the model's."""
    settings = [json.loads(text) for text in runs.settings]
    return _cells(runs, _keeping(settings, lambda name: name.startswith("tokenizer.")))


def _keeping(settings: list[Settings], kept: Callable[[str], bool]) -> list[Settings]:
    return [{name: value for name, value in row.items() if kept(name)} for row in settings]


def _cells(runs: pd.DataFrame, settings: list[Settings]) -> list[Cell]:
    shapes = {
        (size, json.dumps({name: value for name, value in row.items() if name.startswith("model.")}, sort_keys=True))
        for size, row in zip(runs["size"], settings, strict=True)
    }
    names_size = len({size for size, _ in shapes}) == len(shapes) > 1  # then a name stands for a model's settings
    differing = {}  # by arm: the settings that differ within it
    for arm in set(runs.arm):
        names = varied([row for row, other in zip(settings, runs.arm, strict=True) if other == arm])
        differing[arm] = sorted(name for name in names if not (names_size and name.startswith("model.")))
    return [
        Cell(
            arm,
            size,
            names_size,
            tuple(Setting.of(name, row[name]) for name in differing[arm] if name in row),
            trained_on == "external",
        )
        for arm, row, size, trained_on in zip(runs.arm, settings, runs["size"], runs.trained_on, strict=True)
    ]


def varied(settings: list[Settings]) -> set[str]:
    """The names whose values differ."""
    names = {name for row in settings for name in row}
    return {name for name in names if len({json.dumps(row.get(name)) for row in settings}) > 1}
