"""The pictures of a report: a 2x2 panel for each run, and all runs in one against the text they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from tokexp.analysis.store import Study
from tokexp.analysis.tables import by_corpus, cells
from tokexp.files import replacing

# Okabe and Ito (2008): told apart with any colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C00"]
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
}


def draw_figures(study: Study, folder: Path) -> None:
    with mpl.rc_context(STYLE):
        for run in study.results.itertuples():
            curves = study.curves[study.curves.name == run.name]
            title = f"{run.arm}, {run.size}, seed {run.seed}: {run.val_bpb:.3f} bits per byte held out"
            _save(panel(curves, title, colour(study, run.arm)), folder / f"panel_{run.name}.png")
        for i, (corpus, runs) in enumerate(by_corpus(study.results)):
            _save(overlay(study, runs, corpus), folder / f"bits_per_byte_{i}.png")


def colour(study: Study, arm: Any) -> str:
    """The same arm has the same colour in every picture of a report."""
    return COLOURS[sorted(set(study.results.arm)).index(arm) % len(COLOURS)]


def panel(curves: pd.DataFrame, title: str, line: str) -> Figure:
    """The seed experiment's 2x2: loss; gradient norm; learning rate; what each evaluation gained."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    figure.suptitle(title)
    (loss, norm), (rate, gain) = figure.subplots(2, 2)
    steps = curves.step

    loss.fill_between(steps, curves.loss_min, curves.loss_max, color=line, alpha=0.15, lw=0)
    loss.plot(steps, curves.loss_mean, color=line, alpha=0.5, lw=1, label="batches (mean, range)")
    loss.plot(steps, curves.train_loss, color=line, ls="--", label="training slice")
    loss.plot(steps, curves.val_loss, color=line, label="held out")
    loss.set(title="Loss", ylabel="nats per token")
    loss.legend(frameon=False)

    norm.fill_between(steps, curves.grad_norm_min, curves.grad_norm_max, color=line, alpha=0.15, lw=0)
    norm.plot(steps, curves.grad_norm_mean, color=line)
    norm.set(title="Gradient norm before clipping (mean, range)", ylim=(0, None))

    rate.plot(steps, curves.lr, color=line)
    rate.set(title="Learning rate", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(-2, 3))

    gains = -curves.val_loss.diff()
    width = 0.8 * (steps.diff().min() if len(steps) > 1 else 1)
    gain.bar(steps, gains.fillna(0), width=width, color=line)
    gain.axhline(0, color="black", lw=0.8)
    gain.set(title="Improvement of held-out loss per evaluation", ylabel="nats per token")
    for axes in (rate, gain):
        axes.set_xlabel("step")
    return figure


def overlay(study: Study, runs: pd.DataFrame, corpus: str) -> Figure:
    """Total bits per byte on the held-out text against training text read, a line a run, each cell named once.

    Only the last point of a run has had its whole schedule; the ones before are drawn hollow.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes: Axes = figure.subplots()
    ends: dict[str, list[tuple[float, float, str]]] = {}
    for run, cell in zip(runs.itertuples(), cells(runs), strict=True):
        curves = study.curves[study.curves.name == run.name]
        line = colour(study, run.arm)
        axes.plot(curves.bytes_seen, curves.val_bpb, color=line, marker="o", ms=4, mfc="white")
        axes.plot(curves.bytes_seen.iloc[-1:], curves.val_bpb.iloc[-1:], color=line, marker="o", ms=5)
        ends.setdefault(cell, []).append((curves.bytes_seen.iloc[-1], curves.val_bpb.iloc[-1], line))
    axes.set(
        xscale="log",
        xlabel="training text read, repetitions included",
        ylabel="bits per byte, restoration included",
        title=f"{corpus}\nfilled: the end of the schedule; hollow: before it, so not to be compared",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter("B"))
    axes.xaxis.set_minor_locator(NullLocator())
    for cell, points in list(ends.items())[:12]:  # more would cover each other
        xs, ys, lines = zip(*points, strict=True)
        middle = (sum(xs) / len(xs), sum(ys) / len(ys))
        axes.annotate(f"  {cell}", middle, color=lines[0], va="center", fontsize=9, annotation_clip=False)
    axes.margins(x=0.12)
    return figure


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
