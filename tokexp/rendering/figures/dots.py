"""Pictures with a panel a figure and a row a cell: where the loss lies, and how the samples read."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.content import bits_by_content
from tokexp.analysis.readability import measures, readings, temperatures
from tokexp.rendering.figures.style import looks, on_white

MOST_ROWS = 16  # cells, the best
ABREAST = 5  # panels
EDGE = 10.0  # standard deviations at which distances are cut


def loss_by_content(comparison: Comparison) -> Figure | None:
    """Bits per byte by kind of content."""
    bits = pd.concat([bits_by_content(comparison, partition) for partition in ("place", "word")], axis=1)
    if not len(bits):
        return None
    return _multiples(bits, comparison, "bits per byte")[0]


def human_band(comparison: Comparison) -> Figure | None:
    """How far the samples are from human text, by measure, at the lowest temperature."""
    at = temperatures(comparison)
    if not at:
        return None
    shown = measures(comparison)
    by_cell = readings(comparison, at[0])
    rows = [[read[measure].distance for measure in shown] for read in by_cell.values()]
    distances = pd.DataFrame(rows, index=list(by_cell), columns=shown).clip(-EDGE, EDGE)
    figure, panels = _multiples(distances, comparison, f"standard deviations, at temperature {at[0]:g}")
    for axes in panels:
        axes.axvspan(-1, 1, color="0.5", alpha=0.2, lw=0, zorder=0)
        axes.axvspan(-2, 2, color="0.5", alpha=0.12, lw=0, zorder=0)
        axes.axvline(0, color="0.4", lw=0.8, zorder=0)
        axes.set_xlim(-EDGE - 1, EDGE + 1)
    return figure


def _multiples(table: pd.DataFrame, comparison: Comparison, label: str) -> tuple[Figure, list[Axes]]:
    """The picture, and its panels: one a column of `table`, of which a row is a cell, best total first."""
    table = table.loc[[cell for cell in comparison.cells if cell in table.index][:MOST_ROWS]]
    looking, cells, names = looks(comparison), list(table.index), list(table.columns)
    across = min(ABREAST, len(names))
    down = -(-len(names) // across)
    figure = Figure(figsize=(9, down * (0.7 + 0.18 * len(cells))), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    panels = grid.ravel()
    for axes, name in zip(panels, names, strict=False):
        for row, (cell, value) in enumerate(zip(cells, table[name].to_numpy(float), strict=True)):
            axes.plot(value, row, "o", ms=5.5, color=looking[cell].colour)
        axes.set_title(str(name).replace("_", " "), fontsize=9.5)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    panels[0].set_yticks(range(len(cells)), [str(cell) for cell in cells])
    panels[0].set_ylim(len(cells) - 0.4, -0.6)
    for first in grid[:, 0]:
        first.tick_params(axis="y", labelsize=8.5, length=0)
        for tick, cell in zip(first.get_yticklabels(), cells, strict=True):
            tick.set_color(on_white(looking[cell].colour))
    figure.supxlabel(label, fontsize=9.5)
    return figure, list(panels[: len(names)])
