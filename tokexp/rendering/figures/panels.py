"""The seed experiment's 2x2 picture of a training: one for each cell, and one for all cells together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.curves import curves_by_run, mean_curves
from tokexp.rendering.figures.layout import headed, name_ends
from tokexp.rendering.figures.style import Look, looks

MOST_PANELS = 6  # cells with a panel of their own, the best: those that a report shows


def panels(comparison: Comparison, number: int) -> Iterator[tuple[str, Figure]]:
    """Draw the 2x2 of each cell, every seed in it, and name its file. `number`: the comparison's in its report."""
    names, curves = panel_names(comparison, number), curves_by_run(comparison)
    for cell, look in list(looks(comparison).items())[:MOST_PANELS]:
        runs = comparison.runs_of(cell)
        seeds = f"seed {runs.seed.iloc[0]}" if len(runs) == 1 else f"{len(runs)} seeds"
        title = f"{cell}, {seeds}: {comparison.total(cell).value:.3f} bits per byte held out"
        yield names[cell], panel([curves[name] for name in runs["name"]], title, look)


def panel_names(comparison: Comparison, number: int) -> dict[Cell, str]:
    """Name each cell's panel: by its arm, its size, a hash of its settings and the comparison's number."""
    return {
        cell: f"panel_{run.arm}-{run.size}-{hashlib.sha256(str(run.settings).encode()).hexdigest()[:8]}_{number}"
        for cell, run in zip(comparison.runs.cell, comparison.runs.itertuples(), strict=True)
    }


def panel(curves: list[pd.DataFrame], title: str, look: Look) -> Figure:
    """Loss; gradient norm; learning rate; what each evaluation gained. A line a seed."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    (loss, norm), (rate, gain) = figure.subplots(2, 2)
    line = look.colour
    for i, curve in enumerate(curves):
        steps = curve.step
        labels = ["batches (mean, range)", "training slice", "held out"] if i == 0 else [None] * 3
        loss.fill_between(steps, curve.loss_min, curve.loss_max, color=line, alpha=0.12 / len(curves), lw=0)
        loss.plot(steps, curve.loss_mean, color=line, alpha=0.5, lw=1, label=labels[0])
        loss.plot(steps, curve.train_loss, color=line, ls="--", lw=1.2, label=labels[1])
        loss.plot(steps, curve.val_loss, color=line, label=labels[2])
        norm.fill_between(steps, curve.grad_norm_min, curve.grad_norm_max, color=line, alpha=0.15 / len(curves), lw=0)
        norm.plot(steps, curve.grad_norm_mean, color=line)
        gains, width = -curve.val_loss.diff(), steps.diff().min() if len(steps) > 1 else 1
        gain.bar(steps + width * 0.8 * (i / len(curves) - 0.4), gains.fillna(0), width=0.8 * width / len(curves),
                 align="edge", color=line, alpha=1 - 0.5 * i / len(curves))  # fmt: skip
    rate.plot(curves[0].step, curves[0].lr, color=line)
    loss.set(title="Loss", ylabel="nats per token")
    loss.legend(frameon=False)
    norm.set_title("Gradient norm before clipping (mean, range)")
    gain.set(title="Improvement of held-out loss per evaluation", ylabel="nats per token")
    _scales(norm, rate, gain)
    return headed(figure, title, "A line is a seed. Losses are per token, so not to be compared between tokenizers.")


def sweep_panel(comparison: Comparison) -> Figure:
    """The 2x2 of the whole sweep, a line a cell with its range over seeds; losses made comparable."""
    figure = Figure(figsize=(11, 7.6), layout="constrained")
    (loss, norm), (rate, gain) = figure.subplots(2, 2)
    ends: list[list[tuple[float, float, str, str]]] = [[], []]
    for cell, curve in mean_curves(comparison).items():
        look, mean = looks(comparison)[cell], curve.mean
        for axes, column, named in ((loss, "val_bpb", ends[0]), (norm, "grad_norm_mean", ends[1])):
            axes.plot(mean.step, mean[column], color=look.colour, ls=look.line)
            axes.fill_between(mean.step, curve.low[column], curve.high[column], color=look.colour, alpha=0.15, lw=0)
            named.append((mean.step.iloc[-1], mean[column].iloc[-1], str(cell), look.colour))
        rate.plot(mean.step, mean.lr, color=look.colour, ls=look.line)
        gain.plot(mean.step, -mean.val_bpb.diff(), color=look.colour, ls=look.line)
    title = "Held-out text" if comparison.evaluates_all else "What evaluations read of the validation part"
    loss.set(title=title, ylabel="bits per byte, restoration included")
    norm.set_title("Gradient norm before clipping")
    gain.set(title="Improvement per evaluation", ylabel="bits per byte")
    _scales(norm, rate, gain)
    for axes, named in zip((loss, norm), ends, strict=True):
        name_ends(axes, named, lines=24, size=7.5)
    return figure


def _scales(norm: Axes, rate: Axes, gain: Axes) -> None:
    """What both panels' axes have in common."""
    norm.set_ylim(0, None)
    rate.set(title="Learning rate", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(-2, 3))
    gain.axhline(0, color="black", lw=0.8)
    for axes in (rate, gain):
        axes.set_xlabel("step")
