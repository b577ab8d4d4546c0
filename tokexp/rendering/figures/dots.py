"""Pictures with a row a figure and a mark a cell: where the loss lies, and how the samples read."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.content import bits_by_content
from tokexp.analysis.readability import readings, temperatures
from tokexp.rendering.figures.layout import abreast, side_by_side
from tokexp.rendering.figures.style import MARKERS, STYLE, looks
from tokexp.scoring.samples.readability import MEASURES


def loss_by_content(comparison: Comparison) -> Figure | None:
    """Bits per byte by kind of content: a row a kind, a mark a cell."""
    wide = pd.concat([bits_by_content(comparison, partition) for partition in ("place", "word")], axis=1)
    return _dots(wide, comparison, "bits per byte") if len(wide) else None


def human_band(comparison: Comparison) -> Figure | None:
    """How far the samples are from human text: a row a measure, a mark a cell, at the lowest temperature."""
    at = temperatures(comparison)
    if not at:
        return None
    by_cell = readings(comparison, at[0])
    rows = [[read[measure].distance for measure in MEASURES] for read in by_cell.values()]
    distances = pd.DataFrame(rows, index=list(by_cell), columns=list(MEASURES)).clip(-10, 10)
    figure = _dots(distances, comparison, "distance from human text, in its standard deviations")
    for axes in figure.axes:
        axes.axvspan(-1, 1, color="0.5", alpha=0.15, lw=0)
        axes.axvspan(-2, 2, color="0.5", alpha=0.1, lw=0)
        axes.axvline(0, color="0.4", lw=0.8)
    note = f"temperature {at[0]:g}; shaded: within one and two standard deviations; cut at 10"
    figure.suptitle(note, x=0.01, ha="left", fontsize=STYLE["axes.titlesize"])
    return figure


def _dots(table: pd.DataFrame, comparison: Comparison, label: str) -> Figure:
    """A row a column of `table`, a mark a row of it, which is a cell."""
    looking, sides = looks(comparison), side_by_side(comparison, list(table.index))
    names = sorted({name for _, named in sides for name in named.values()})
    width, height = (8, 1.8) if len(sides) == 1 else (5.5 * len(sides), 1.8)
    figure = Figure(figsize=(width, height + 0.36 * len(table.columns)), layout="constrained")
    rows = np.arange(len(table.columns))[::-1]
    figures = dict(zip(table.index, table.to_numpy(float), strict=True))
    pictures = figure.subplots(1, len(sides), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (side, named) in zip(pictures, sides, strict=True):
        for i, (cell, name) in enumerate(named.items()):
            look, marker = looking[cell], MARKERS[names.index(name) % len(MARKERS)]
            shift = 0.5 * (0.5 - (i + 0.5) / len(named))
            axes.plot(figures[cell], rows + shift, ls="", marker=marker, color=look.colour, ms=5, label=name)
        axes.set_yticks(rows, [str(name).replace("_", " ") for name in table.columns])
        axes.set(xlabel=label, title=side)
        ncols = abreast(5.5 if side else 8, list(named.values()))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=ncols, frameon=False, fontsize=8)
    return figure
