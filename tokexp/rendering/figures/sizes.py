"""Pictures of the sizes of models and vocabularies, and of what they are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.correlation import power_law
from tokexp.analysis.vocabulary import Says, optima
from tokexp.rendering.figures.layout import MOST_NAMED, engineering, name_ends, side_by_side, wide
from tokexp.rendering.figures.style import COLOURS, MARKERS, arm_colours, looks

FEWEST = 4  # points in which an eye finds a relation
PARTS = {
    "token embedding": ("params_token_embedding", COLOURS[0]),
    "position embedding": ("params_position_embedding", COLOURS[4]),
    "LM head": ("params_lm_head", COLOURS[5]),
    "transformer body": ("params_body", COLOURS[2]),
}


def by_parameters(comparison: Comparison) -> Figure | None:
    """Bits per byte at the end against the size of the model, a line an arm and vocabulary, a mark a size.

    With the power law where a line has three sizes.
    """
    means = _means(comparison)
    if len(comparison.sizes) < 2:  # a point a tokenizer, which the ranking shows
        return None
    figure = wide(1)
    axes: Axes = figure.subplots()
    marks = {size.name: MARKERS[i % len(MARKERS)] for i, size in enumerate(comparison.sizes)}
    _lines_of_arms(axes, comparison, means, marks)
    if len(marks) > 1:
        for size, mark in marks.items():
            axes.plot([], [], ls="", color="0.5", marker=mark, label=f"model {size}")
    axes.set(xscale="log", xlabel="parameters", ylabel="bits per byte at the end (95 % over seeds)")
    engineering(axes, "")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    alone, looking = comparison.runs.arm.nunique() == 1, looks(comparison)
    if len(means) <= MOST_NAMED:
        name_ends(axes, [(x, y, str(cell), looking[cell].colour) for cell, x, y in _points(means, "params_total")])
    elif not alone:  # an arm's line stands for its cells
        ends = means.sort_values("params_total").drop_duplicates("arm", keep="last")
        name_ends(axes, [(x, y, cell.arm, looking[cell].colour) for cell, x, y in _points(ends, "params_total")])
    return figure


def _lines_of_arms(axes: Axes, comparison: Comparison, means: pd.DataFrame, marks: dict[str, str]) -> None:
    colours, looking = arm_colours(comparison.runs.arm), looks(comparison)
    for (arm, _), line in means.sort_values("params_total").groupby(["arm", "vocab_size"]):
        colour = "0.6" if len(colours) == 1 else colours[str(arm)]
        axes.plot(line.params_total, line.bpb, color=colour, lw=1, zorder=1)
        for cell, x, _ in _points(line, "params_total"):
            _point(axes, x, comparison.total(cell), looking[cell].colour, marks[cell.size])
        law = power_law(line.params_total.to_numpy(), line.bpb.to_numpy())
        if law is not None:
            grid = np.geomspace(line.params_total.min(), line.params_total.max(), 50)
            label = f"{arm}: bits ∝ x^({law.exponent:+.3f} ± {law.error:.3f})"
            axes.plot(grid, law.at(grid), color=colour, ls=":", lw=1, label=label)


def by_vocabulary(comparison: Comparison) -> Figure | None:
    """Bits per byte at the end against the size of the vocabulary: a picture a size of model, a line an arm.

    Where an optimum is known its interval is shaded, and the curve that it is of is dotted.
    """
    means = _means(comparison)
    if means.vocab_size.nunique() < 2:
        return None
    sizes, colours = comparison.sizes, arm_colours(comparison.runs.arm)
    figure = wide(len(sizes))
    for axes, size in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
        here, ends = means[means.index.isin(size.cells)].sort_values("vocab_size"), []
        for arm, line in here.groupby("arm"):
            colour = colours[str(arm)]
            axes.plot(line.vocab_size, line.bpb, color=colour, lw=1, zorder=1)
            for cell, x, _ in _points(line, "vocab_size"):
                _point(axes, x, comparison.total(cell), colour, "o")
            ends.append((line.vocab_size.iloc[-1], line.bpb.iloc[-1], str(arm), colour))
        for optimum in optima(comparison):
            if optimum.size == size.name and optimum.says is Says.OPTIMUM and optimum.drawn:
                colour, grid = colours[optimum.arm], np.geomspace(optimum.tried[0], optimum.tried[-1], 100)
                axes.plot(grid, np.polyval(optimum.curve, np.log2(grid)), color=colour, ls=":", lw=1)
                axes.axvspan(*optimum.drawn.interval, color=colour, alpha=0.1)
        axes.set(xscale="log", xlabel="tokens in the vocabulary", title=f"model {size.name}" if len(sizes) > 1 else "")
        engineering(axes, "")
        if len(ends) > 1:
            name_ends(axes, ends)
    figure.axes[0].set_ylabel("bits per byte at the end (95 % over seeds)")
    return figure


def _means(comparison: Comparison) -> pd.DataFrame:
    """The means of the cells, with the arm of each."""
    return comparison.means.assign(arm=[cell.arm for cell in comparison.cells])


def _points(means: pd.DataFrame, column: str) -> list[tuple[Cell, float, float]]:
    return list(zip(means.index, means[column], means.bpb, strict=True))


def _point(axes: Axes, x: float, total: Estimate, colour: str, marker: str) -> None:
    axes.errorbar(x, total.value, yerr=total.half or 0.0, color=colour, marker=marker, ms=6)


def parameters(comparison: Comparison) -> Figure:
    """Where the parameters are: stacked bars."""
    means = comparison.means.iloc[::-1]
    names = [str(cell) for cell in means.index]
    figure = Figure(figsize=(8, 1.4 + 0.32 * len(means)), layout="constrained")
    axes: Axes = figure.subplots()
    left = np.zeros(len(means))
    for label, (column, fill) in PARTS.items():
        axes.barh(names, means[column], left=left, color=fill, label=label)
        left += means[column].to_numpy()
    axes.set_xlabel("parameters")
    axes.xaxis.set_major_formatter(EngFormatter(""))
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def compression(comparison: Comparison) -> Figure | None:
    """Does a tokenizer that compresses more predict better? A point a cell; None where they are too few to tell."""
    if comparison.means.bytes_per_token.nunique() < FEWEST:
        return None
    looking, bytes_per_token, bpb = looks(comparison), comparison.mean("bytes_per_token"), comparison.mean("bpb")
    sides = side_by_side(comparison, comparison.cells)
    figure = wide(len(sides))
    for axes, (side, names) in zip(figure.subplots(1, len(sides), sharey=True, squeeze=False)[0], sides, strict=True):
        ends = []
        for cell, name in names.items():
            look, x, y = looking[cell], bytes_per_token[cell], bpb[cell]
            axes.plot(x, y, color=look.colour, marker=look.marker, ms=7)
            ends.append((x, y, name, look.colour))
        axes.set(xlabel="bytes per token on the held-out text", title=side)
        name_ends(axes, ends)
    figure.axes[0].set_ylabel("bits per byte at the end")
    return figure
