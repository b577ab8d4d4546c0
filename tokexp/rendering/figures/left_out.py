"""The picture of texts left out in turn: how far each cell is behind the best, on each of them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.left_out import left_out
from tokexp.rendering.figures.style import arm_colours


def behind_on_texts(comparisons: Sequence[Comparison]) -> Figure | None:
    """A panel a size, a row a cell, a dot a text; None where no texts were left out, or no size has two cells."""
    facts = left_out(comparisons)
    sizes = [size for size in facts.sizes if len(size.cells) > 1] if facts else []
    if facts is None or not sizes:
        return None
    colours = arm_colours(cell.arm for cell in facts.bpb)
    rows = [len(size.cells) - 1 for size in sizes]
    figure = Figure(figsize=(8, sum(0.6 + 0.34 * n for n in rows) + 0.4), layout="constrained")
    panels = figure.subplots(len(sizes), 1, squeeze=False, height_ratios=rows, sharex=True)[:, 0]
    for axes, size in zip(panels, sizes, strict=True):
        best, *others = size.cells
        leads = [lead for lead in facts.leads if lead.better == best][::-1]
        for row, lead in enumerate(leads):
            colour = colours[lead.worse.arm]
            axes.plot(list(lead.by_text.values()), [row + 0.14] * len(lead.by_text), "o", color=colour, ms=5, alpha=0.5)
            axes.plot(lead.interval, [row - 0.14] * 2, color=colour, lw=2)
            axes.plot(lead.mean, row - 0.14, marker="o" if lead.resolved else "|", color=colour, ms=7)
        axes.axvline(0, color="0.3", lw=0.8)
        axes.set_yticks(range(len(leads)), [str(lead.worse) for lead in leads])
        axes.set(title=f"behind {best}", ylim=(-0.6, len(others) - 0.4))
    figure.axes[-1].set_xlabel("bits per byte more")
    return figure
