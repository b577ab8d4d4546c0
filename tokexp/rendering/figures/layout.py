"""Where things stand in a picture: its heading, sides for many cells, names at the ends of lines, ticks."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison
from tokexp.rendering.figures.style import on_white

MOST_NAMED = 12  # cells that are named in a picture; more would cover each other


def side_by_side(comparison: Comparison, cells: list[Cell]) -> list[tuple[str, dict[Cell, str]]]:
    """The cells of each picture that stand side by side, and what they are called there.

    All in one, unless they are too many to be named and their models have several sizes: then one for each.
    """
    if len(cells) <= MOST_NAMED or len({cell.size for cell in cells}) == 1:
        return [("", {cell: str(cell) for cell in cells})]
    sides = {size.name: [cell for cell in cells if cell.size == size.name] for size in comparison.sizes}
    return [
        (f"model {size}", {cell: str(cell.without_size()) for cell in some}) for size, some in sides.items() if some
    ]


def wide(sides: int) -> Figure:
    """A figure for so many pictures side by side."""
    return Figure(figsize=(8, 5) if sides == 1 else (5.5 * sides, 5.8), layout="constrained")


def headed(figure: Figure, title: str, reading: str) -> Figure:
    """Write above a picture what it shows, and below that how to read it; the picture grows by as much."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(reading, int(width * 14.5))
    head = 0.3 + 0.18 * len(lines) + 0.08
    figure.set_size_inches(width, height + head)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, 0, 1, height / (height + head)))
    top = 1 - 0.08 / (height + head)
    figure.text(0.012, top, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.012, top - 0.27 / (height + head), "\n".join(lines), fontsize=9.5, color="0.35", va="top")
    return figure


def stagger(names: list[tuple[float, int]], letter: float) -> list[int]:
    """For each name, by where its middle is and how many letters it has, a line on which it covers no other.

    `letter`: the width of one, as the middles are measured. The first line is 0.
    """
    ends: list[float] = []  # of what stands on each line so far
    lines = [0] * len(names)
    for i in sorted(range(len(names)), key=lambda i: names[i][0]):
        middle, letters = names[i]
        left, right = middle - letter * (letters + 1) / 2, middle + letter * (letters + 1) / 2
        free = [line for line, end in enumerate(ends) if end <= left]
        lines[i] = free[0] if free else len(ends)
        ends[lines[i] : lines[i] + 1] = [right]
    return lines


def engineering(axes: Axes, unit: str) -> None:
    """Few ticks on a logarithmic x axis, written as 10 k, 1 M and so on, with a unit."""
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter(unit))
    axes.xaxis.set_minor_locator(NullLocator())


def name_ends(axes: Axes, ends: list[tuple[float, float, str, str]], lines: int = 28, size: float = 9) -> None:
    """Write each line's name right of its end, moved apart where they would cover each other.

    `ends`: x, y, name and colour; `lines`: how many of them fit; `size`: of the letters.
    """
    ends = sorted(ends, key=lambda end: end[1])[: max(MOST_NAMED, lines - 8)]
    if not ends:
        return
    axes.margins(x=0.12)
    low, high = axes.get_ylim()
    beside = axes.get_yaxis_transform()  # x as a share of the picture's width, y as it is
    gap = (high - low) / lines
    heights = apart([y for _, y, *_ in ends], gap)
    axes.set_ylim(min(low, heights[0] - gap), max(high, heights[-1] + gap))
    for (x, y, name, line), height in zip(ends, heights, strict=True):
        # grey and dotted, so that it is no line of data nor an interval
        leader = {"arrowstyle": "-", "color": "0.6", "lw": 0.7, "ls": ":", "relpos": (0, 0.5), "shrinkB": 4}
        axes.annotate(name, (x, y), xytext=(0.95, height), textcoords=beside, color=on_white(line), va="center",
                      fontsize=size, annotation_clip=False, arrowprops=leader)  # fmt: skip


def apart(values: list[float], gap: float) -> list[float]:
    """The nearest places, in the sum of squares, to the ascending `values` that are at least `gap` apart.

    Pooled adjacent violators: neighbours that are too near move together, about the middle of their own places.
    """
    pools: list[list[float]] = []
    for i, value in enumerate(values):
        pools.append([value - i * gap])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = [float(np.mean(pool)) for pool in pools for _ in pool]
    return [place + i * gap for i, place in enumerate(level)]
