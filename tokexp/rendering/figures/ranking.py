"""The ranking, the picture of a report's first screen: the tokenizers in their order, a panel a size of model."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, Size
from tokexp.analysis.texts.counts import own_counts
from tokexp.rendering.figures.layout import stagger
from tokexp.rendering.figures.style import looks, on_white

MOST_ROWS = 24  # cells of a size
ROW = 0.27  # inches
LINE = 0.17  # inches between two lines of names above the picture
WIDTH = 8.0
GREY = "0.45"


def ranking(comparison: Comparison) -> Figure:
    """A dot a cell with its interval over the seeds, the best on top; restoration is a bar that ends in its dot.

    A cross is counts of its own tokens.
    """
    sizes = comparison.sizes
    rows = [min(len(size.cells), MOST_ROWS) for size in sizes]
    low, high = _span(comparison)
    few = comparison.few_baselines
    marks = [mark for mark in zip(few.baseline, few.val_bpb, strict=True) if low < mark[1] < high]
    lines = stagger([((bpb - low) / (high - low), len(name)) for name, bpb in marks], 0.0125)
    titles = 0.3 * len(sizes) if len(sizes) > 1 else 0.0
    height = ROW * sum(rows) + titles + LINE * (max(lines, default=-1) + 1) + 0.8
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    every = figure.subplots(len(sizes), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    for axes, size in zip(every, sizes, strict=True):
        _panel(axes, comparison, size, titled=len(sizes) > 1)
        for _, bpb in marks:
            axes.axvline(bpb, color="0.6", lw=1, ls=(0, (3, 2)), zorder=0)
    for (name, bpb), line in zip(marks, lines, strict=True):
        above = 4 + line * LINE * 72 + (16 if len(sizes) > 1 else 0)
        every[0].annotate(name, (bpb, 1), xycoords=("data", "axes fraction"), xytext=(0, above),
                          textcoords="offset points", ha="center", fontsize=9, color=GREY)  # fmt: skip
    every[-1].set(xlim=(low, high), xlabel="bits per byte of the held-out text, restoration included")
    return figure


def _span(comparison: Comparison) -> tuple[float, float]:
    """From the left end of what is drawn to the right one: the cells, and the best baseline of each family."""
    totals = [comparison.total(cell) for cell in comparison.cells]
    ends = [total.value + side * (total.half or 0.0) for total in totals for side in (-1, 1)]
    ends += [*_naive(comparison).values(), *comparison.best_baselines.val_bpb.tolist()]
    ends += [counts.bpb for counts in own_counts(comparison).values()]
    margin = 0.05 * (max(ends) - min(ends)) or 0.05
    return min(ends) - margin, max(ends) + margin


def _naive(comparison: Comparison) -> dict[Cell, float]:
    """The naive bits per byte of the cells that lose text."""
    restoration = comparison.mean("bpb_restoration")
    totals = comparison.mean("bpb")
    return {cell: totals[cell] - restoration[cell] for cell in comparison.cells if comparison.loses_text(cell)}


def _panel(axes: Axes, comparison: Comparison, size: Size, *, titled: bool) -> None:
    cells, naive, looking = size.cells[:MOST_ROWS], _naive(comparison), looks(comparison)
    counts = own_counts(comparison)
    for row, cell in enumerate(cells):
        total, colour = comparison.total(cell), looking[cell].colour
        if cell in naive:
            axes.barh(row, total.value - naive[cell], left=naive[cell], height=0.5, color=colour, alpha=0.22, lw=0)
        if total.half is not None:
            axes.plot([total.value - total.half, total.value + total.half], [row, row], color=colour, lw=2.2,
                      solid_capstyle="butt")  # fmt: skip
        axes.plot(total.value, row, "o", ms=8, color=colour, mfc="white" if cell in naive else colour, mew=1.8)
        if cell in counts:
            axes.plot(counts[cell].bpb, row, "x", ms=6, color=GREY, mew=1.4, zorder=1)
        axes.annotate(f"{total.value:.3f}", (1, row), xycoords=("axes fraction", "data"), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=9.5, color=GREY)  # fmt: skip
    left = len(size.cells) - len(cells)
    axes.set_yticks(range(len(cells)), [str(cell.without_size()) for cell in cells])
    for label, cell in zip(axes.get_yticklabels(), cells, strict=True):
        label.set_color(on_white(looking[cell].colour))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(cells) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    if titled or left:
        more = f"; the best {len(cells)} of {len(size.cells)}" if left else ""
        axes.set_title(f"model {size.name}{more}", fontsize=10.5, fontweight="bold", loc="left")
