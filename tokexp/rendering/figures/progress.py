"""Pictures of bits per byte along training, against what it had consumed."""

from __future__ import annotations

from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.curves import mean_curves
from tokexp.rendering.figures.layout import engineering, name_ends, side_by_side, wide
from tokexp.rendering.figures.style import looks


def against_bytes(comparison: Comparison) -> Figure:
    return _against(comparison, "bytes_seen", "training text read, repetitions included", "B")


def against_flops(comparison: Comparison) -> Figure:
    return _against(comparison, "flops", "training FLOPs", "")


def _against(comparison: Comparison, column: str, label: str, unit: str) -> Figure:
    """Total bits per byte against a column of the curves.

    Only the last point of a run has had its whole schedule; the ones before are drawn hollow.
    """
    curves, looking = mean_curves(comparison), looks(comparison)
    sides = side_by_side(comparison, list(curves))
    figure = wide(len(sides))
    for axes, (side, names) in zip(figure.subplots(1, len(sides), sharey=True, squeeze=False)[0], sides, strict=True):
        ends = []
        for cell, name in names.items():
            look, curve = looking[cell], curves[cell]
            line = "-" if side else look.line
            x, y = curve.mean[column], curve.mean.val_bpb
            axes.plot(x, y, color=look.colour, ls=line, marker=look.marker, ms=4, mfc="white")
            axes.plot(x.iloc[-1:], y.iloc[-1:], color=look.colour, marker=look.marker, ms=6)
            axes.fill_between(x, curve.low.val_bpb, curve.high.val_bpb, color=look.colour, alpha=0.15, lw=0)
            ends.append((x.iloc[-1], y.iloc[-1], name, look.colour))
        axes.set(xscale="log", xlabel=label, title=side)
        engineering(axes, unit)
        name_ends(axes, ends)
    where = "" if comparison.evaluates_all else " of the validation part"
    figure.axes[0].set_ylabel(f"bits per byte{where}, restoration included")
    return figure
