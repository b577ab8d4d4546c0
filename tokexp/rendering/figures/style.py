"""How a report's pictures look: one place for colours, so that a tokenizer has the same one everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, computed_once

# Okabe and Ito (2008): told apart with any colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C00"]
# So that a tokenizer has the same colour in every report.
FIXED_COLOURS = dict(
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


def arm_colours(arms: Iterable[str]) -> dict[str, str]:
    """A colour for each arm: its fixed one where it has one, else one that no other has as long as there are any."""
    arms = sorted(set(arms))
    colours = {arm: FIXED_COLOURS[arm] for arm in arms if arm in FIXED_COLOURS}
    left = [colour for colour in COLOURS if colour not in colours.values()] or COLOURS
    colours |= {arm: left[i % len(left)] for i, arm in enumerate(arm for arm in arms if arm not in FIXED_COLOURS)}
    return {arm: colours[arm] for arm in arms}


@computed_once
def looks(comparison: Comparison) -> dict[Cell, Look]:
    """How each cell is drawn, best total first: its arm's colour; line and marker tell the cells of an arm apart.

    Where there is one arm alone its cells are told apart by shade, dark to light, in the order of their names;
    those that differ in the size of the model alone share it, and are told apart by line and marker.
    """
    colours = arm_colours(comparison.runs.arm)
    sizes = [size.name for size in comparison.sizes]
    looks = _shades(comparison.cells, sizes, *colours.values()) if len(colours) == 1 else {}
    for arm, colour in colours.items() if len(colours) > 1 else ():
        cells = sorted((cell for cell in comparison.cells if cell.arm == arm), key=lambda cell: cell.by_number)
        for i, cell in enumerate(sorted(cells, key=lambda cell: sizes.index(cell.size))):
            looks[cell] = Look(colour, LINES[i % len(LINES)], MARKERS[i % len(MARKERS)])
    return {cell: looks[cell] for cell in comparison.cells}


def _shades(cells: list[Cell], sizes: list[str], colour: str) -> dict[Cell, Look]:
    """The looks of one arm's cells; `colour` is the arm's, where its cells differ in the size of the model alone."""
    order = [str(cell) for cell in sorted((cell.without_size() for cell in cells), key=lambda cell: cell.by_number)]
    order = list(dict.fromkeys(order))
    looks = {}
    for cell in cells:
        place = order.index(str(cell.without_size()))
        shade = mpl.colors.to_hex(mpl.colormaps["plasma"](0.85 * place / max(1, len(order) - 1)))
        n = sizes.index(cell.size) if len(sizes) > 1 else place
        looks[cell] = Look(shade if len(order) > 1 else colour, LINES[n % len(LINES)], MARKERS[n % len(MARKERS)])
    return looks


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
