"""The seed experiment's 2x2 picture of a training: one for each cell, and one for all cells together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokexp.analysis.tables import by_cell, cells
from tokexp.rendering.layout import abreast
from tokexp.rendering.style import Look, looks
from tokexp.runs.study import Study

MOST_PANELS = 40  # cells with a panel of their own


def panels(study: Study, runs: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """The seed experiment's 2x2 for each cell, every seed in it, and the name of its file."""
    looking, names = looks(runs), panel_names(runs)
    runs = runs.assign(cell=cells(runs))
    for cell in list(looking)[:MOST_PANELS]:
        own = runs[runs.cell == cell]
        means = by_cell(own).iloc[0]
        seeds = f"seed {own.seed.iloc[0]}" if len(own) == 1 else f"{len(own)} seeds"
        title = f"{cell}, {seeds}: {means.val_bpb:.3f} bits per byte held out"
        yield (
            names[cell],
            panel([study.curves[study.curves.name == name] for name in own["name"]], title, looking[cell]),
        )


def panel_names(runs: pd.DataFrame) -> dict[str, str]:
    """The name of each cell's panel: its arm, size, and a hash of its settings."""
    found = {}
    for cell, run in zip(cells(runs), runs.itertuples(), strict=True):
        found[cell] = f"panel_{run.arm}-{run.size}-{hashlib.sha256(str(run.settings).encode()).hexdigest()[:8]}"
    return found


def panel(curves: list[pd.DataFrame], title: str, look: Look) -> Figure:
    """Loss; gradient norm; learning rate; what each evaluation gained. A line a seed."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    figure.suptitle(title)
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
    return figure


def sweep_panel(study: Study, runs: pd.DataFrame) -> Figure:
    """The same 2x2 for the whole sweep, a line a cell with its range over seeds; losses made comparable."""
    figure = Figure(figsize=(9, 6.2 + 0.05 * runs.settings.nunique()), layout="constrained")
    (loss, norm), (rate, gain) = figure.subplots(2, 2)
    for cell, curve in mean_curves(study, runs):
        look = looks(runs)[cell]
        loss.plot(curve.step, curve.val_bpb, color=look.colour, ls=look.line, label=cell)
        loss.fill_between(curve.step, curve.val_bpb_low, curve.val_bpb_high, color=look.colour, alpha=0.15, lw=0)
        norm.plot(curve.step, curve.grad_norm_mean, color=look.colour, ls=look.line)
        norm.fill_between(curve.step, curve.grad_norm_mean_low, curve.grad_norm_mean_high,
                          color=look.colour, alpha=0.15, lw=0)  # fmt: skip
        rate.plot(curve.step, curve.lr, color=look.colour, ls=look.line)
        gain.plot(curve.step, -curve.val_bpb.diff(), color=look.colour, ls=look.line)
    loss.set(title="Bits per byte held out (mean, range over seeds)", ylabel="bits per byte, restoration included")
    figure.legend(loc="outside lower center", ncols=abreast(9, list(looks(runs))), frameon=False, fontsize=8)
    norm.set_title("Gradient norm before clipping")
    gain.set(title="Improvement per evaluation", ylabel="bits per byte")
    _scales(norm, rate, gain)
    return figure


def _scales(norm: Axes, rate: Axes, gain: Axes) -> None:
    """What both panels' axes have in common."""
    norm.set_ylim(0, None)
    rate.set(title="Learning rate", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(-2, 3))
    gain.axhline(0, color="black", lw=0.8)
    for axes in (rate, gain):
        axes.set_xlabel("step")


def mean_curves(study: Study, runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each cell's curve, a mean over its seeds at the steps that all have, with the range of two columns."""
    runs = runs.assign(cell=cells(runs))
    for cell in looks(runs):
        own = study.curves[study.curves.name.isin(runs["name"][runs.cell == cell])]
        grouped = own.groupby("step")
        mean = grouped.mean(numeric_only=True)
        for column in ("val_bpb", "grad_norm_mean"):
            mean[f"{column}_low"], mean[f"{column}_high"] = grouped[column].min(), grouped[column].max()
        yield cell, mean[grouped.size() == own.name.nunique()].reset_index()
