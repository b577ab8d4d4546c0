"""How a report's pictures look: one place for colours, so that a tokenizer has the same one everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd

from tokexp.analysis.tables import by_cell, by_size, cells

# Okabe and Ito (2008): told apart with any colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C00"]
# So that a tokenizer has the same colour in every report.
OWN = dict(
    zip(["bpe", "bpe_4k", "bpe_fallback", "byte", "char", "sp_unigram", "word", "word_cased"], COLOURS, strict=True)
)
LIGHT_ENOUGH, DARK_ENOUGH = 0.2, 0.183  # relative luminance, on a dark page and on a white one
LINES = ["-", "--", ":", "-."]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.6,
    "savefig.dpi": 130,
    "svg.hashsalt": "tokexp",  # the same picture gives the same file
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Look:
    colour: str
    line: str
    marker: str


def arm_colours(runs: pd.DataFrame) -> dict[str, str]:
    """A colour for each arm: its own where it has one, else one that no other has as long as there are any."""
    arms = sorted(set(runs.arm))
    found = {arm: OWN[arm] for arm in arms if arm in OWN}
    left = [colour for colour in COLOURS if colour not in found.values()]
    others = [arm for arm in arms if arm not in OWN]
    found |= {arm: (left or COLOURS)[i % len(left or COLOURS)] for i, arm in enumerate(others)}
    return {arm: found[arm] for arm in arms}


def looks(runs: pd.DataFrame) -> dict[str, Look]:
    """How each cell is drawn: its arm's colour, and a line and marker that tell the cells of an arm apart.

    Where there is one arm alone its cells are told apart by shade, dark to light, in the order of their names;
    those that differ in the size of the model alone share it, and are told apart by line and marker.
    """
    arm_of = dict(zip(cells(runs), runs.arm, strict=True))
    size_of = dict(zip(cells(runs), runs["size"], strict=True))
    arms, sizes = arm_colours(runs), [size for size, _ in by_size(runs)]
    found = {}
    if len(arms) == 1:
        plain = {cell: but_size(cell, size_of[cell]) for cell in arm_of}
        order = sorted(set(plain.values()), key=_by_number)
        for cell, name in plain.items():
            shade = mpl.colors.to_hex(mpl.colormaps["plasma"](0.85 * order.index(name) / max(1, len(order) - 1)))
            n = sizes.index(size_of[cell]) if len(sizes) > 1 else order.index(name)
            colour = shade if len(order) > 1 else arms[arm_of[cell]]
            found[cell] = Look(colour, LINES[n % len(LINES)], MARKERS[n % len(MARKERS)])
    else:
        for arm in arms:
            own = sorted((cell for cell, its in arm_of.items() if its == arm), key=_by_number)
            for i, cell in enumerate(sorted(own, key=lambda cell: sizes.index(size_of[cell]))):
                found[cell] = Look(arms[arm], LINES[i % len(LINES)], MARKERS[i % len(MARKERS)])
    return {cell: found[cell] for cell in by_cell(runs).cell}


def on_white(colour: str) -> str:
    """`colour`, #rrggbb, with so much black in it that text in it can be read on white (contrast 4.5 to 1)."""
    channels = _channels(colour)
    while luminance(channels) > DARK_ENOUGH:
        channels = [channel * 15 // 16 for channel in channels]
    return _hex(channels)


def on_dark(colour: str) -> str:
    """`colour`, with so much white in it that it is seen on a dark page."""
    channels = _channels(colour)
    while luminance(channels) < LIGHT_ENOUGH:
        channels = [channel + math.ceil((255 - channel) / 16) for channel in channels]
    return _hex(channels)


def luminance(channels: list[int]) -> float:
    """Relative, 0 to 1. Source: WCAG 2.2."""
    shares = [channel / 255 for channel in channels]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _hex(channels: list[int]) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def but_size(cell: str, size: str) -> str:
    """The name of a cell without its model's size."""
    return " ".join(part for part in cell.split() if part != size)


def _by_number(cell: str) -> list[Any]:
    """Names in the order of the numbers in them: vocab_size=512 before vocab_size=1024."""
    return [int(part) if part.isdigit() else part for part in _parts(cell)]


def _parts(cell: str) -> list[str]:
    parts, word = [], ""
    for char in cell:
        if word and char.isdigit() != word[-1].isdigit():
            parts.append(word)
            word = ""
        word += char
    return [*parts, word]
