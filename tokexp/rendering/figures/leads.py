"""Pictures of how far the best is ahead, and of where the baselines are."""

from __future__ import annotations

import math
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison, baseline_of
from tokexp.analysis.statements.answer import leads_of_best
from tokexp.rendering.figures.style import looks

MOST_ROWS = 20  # of a panel: the nearest


def forest(comparison: Comparison) -> Figure | None:
    """The lead of each size's best cell, and of the best that loses no text, with its interval.

    The thick part of an interval is as much of its length as the seeds' error is of the whole error.
    """
    leads, looking = leads_of_best(comparison), looks(comparison)
    if not leads:
        return None
    rows = [min(len(lead.ahead_of), MOST_ROWS) for lead in leads]
    figure = Figure(figsize=(8, sum(0.6 + 0.28 * n for n in rows) + 0.4), layout="constrained")
    for axes, lead in zip(
        figure.subplots(len(leads), 1, squeeze=False, height_ratios=rows, sharex=True)[:, 0], leads, strict=True
    ):
        nearest = lead.ahead_of[:MOST_ROWS][::-1]
        for row, (cell, difference) in enumerate(nearest):
            line = looking[cell].colour
            if difference.interval:
                axes.plot(difference.interval, [row] * 2, color=line, lw=1.2)
                of_seeds = [(end - difference.mean) * math.sqrt(difference.seeds_share) for end in difference.interval]
                axes.plot([difference.mean + far for far in of_seeds], [row] * 2, color=line, lw=3)
            axes.plot(difference.mean, row, marker="o" if difference.resolved else "|", color=line, ms=6)
        axes.axvline(0, color="0.3", lw=0.8)
        axes.set_yticks(range(len(nearest)), [str(cell) for cell, _ in nearest])
        axes.set(title=f"behind {lead.cell}", ylim=(-0.6, len(nearest) - 0.4))
    figure.axes[-1].set_xlabel("bits per byte more")
    return figure


def with_baselines(comparison: Comparison) -> Figure:
    """Every cell and baseline on one scale."""
    rows = [(str(cell), comparison.total(cell).value, look.colour) for cell, look in looks(comparison).items()]
    baselines = zip(comparison.baselines.itertuples(), comparison.baselines.val_bpb.tolist(), strict=True)
    rows += [(str(baseline_of(row)), bpb, "0.65") for row, bpb in baselines]
    rows.sort(key=lambda row: -row[1])
    figure = Figure(figsize=(8, 1 + 0.27 * len(rows)), layout="constrained")
    axes: Axes = figure.subplots()
    axes.barh([textwrap.shorten(name, 48) for name, *_ in rows], [bpb for _, bpb, _ in rows],
              color=[fill for *_, fill in rows])  # fmt: skip
    for i, (_, bpb, _) in enumerate(rows):
        axes.text(bpb, i, f" {bpb:.3f}", va="center", fontsize=8)
    axes.set(xlabel="bits per byte, restoration included", ylim=(-0.7, len(rows) - 0.3))
    axes.grid(axis="y", visible=False)
    return figure
