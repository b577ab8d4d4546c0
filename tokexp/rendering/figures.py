"""The pictures of a report, each as PNG and SVG: what they show stands in FIGURES, how they look in style.py."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from tokexp.analysis.content import content_of
from tokexp.analysis.correlation import power_law
from tokexp.analysis.differences import differences
from tokexp.analysis.readability import readings, temperatures
from tokexp.analysis.tables import baselines_of, by_cell, by_size, cells, records
from tokexp.rendering.layout import MOST_NAMED, abreast, engineering, name_ends, side_by_side, wide
from tokexp.rendering.panels import mean_curves, panels, sweep_panel
from tokexp.rendering.style import COLOURS, MARKERS, STYLE, arm_colours, looks
from tokexp.runs.study import Study
from tokexp.scoring.samples.readability import MEASURES
from tokexp.system.files import replacing


def draw_figures(study: Study, parts: list[pd.DataFrame], folder: Path) -> None:
    """Draw every figure that the study has something for, as NAME.png and NAME.svg; old ones go.

    `parts`: the runs of each corpus.
    """
    drawn = set()
    with mpl.rc_context(STYLE):
        for i, runs in enumerate(parts):
            for picture in FIGURES:
                figure = picture.draw(study, runs)
                if figure is not None:
                    drawn |= _save(figure, folder, f"{picture.name}_{i}", svg=True)
            for name, figure in panels(study, runs):
                drawn |= _save(figure, folder, name, svg=False)
    for path in folder.glob("*.*"):
        if path not in drawn:
            path.unlink()


def against(column: str, what: str, unit: str) -> Callable[[Study, pd.DataFrame], Figure]:
    """Total bits per byte along training, against what it had consumed.

    Only the last point of a run has had its whole schedule; the ones before are drawn hollow.
    """

    def draw(study: Study, runs: pd.DataFrame) -> Figure:
        curves, looking = dict(mean_curves(study, runs)), looks(runs)
        sides = side_by_side(runs, list(curves))
        figure = wide(len(sides))
        for axes, (side, own) in zip(figure.subplots(1, len(sides), sharey=True, squeeze=False)[0], sides, strict=True):
            ends = []
            for cell, name in own.items():
                look, curve = looking[cell], curves[cell]
                line = "-" if side else look.line
                x, y = curve[column], curve.val_bpb
                axes.plot(x, y, color=look.colour, ls=line, marker=look.marker, ms=4, mfc="white")
                axes.plot(x.iloc[-1:], y.iloc[-1:], color=look.colour, marker=look.marker, ms=6)
                axes.fill_between(x, curve.val_bpb_low, curve.val_bpb_high, color=look.colour, alpha=0.15, lw=0)
                ends.append((x.iloc[-1], y.iloc[-1], name, look.colour))
            axes.set(xscale="log", xlabel=what, title=side)
            engineering(axes, unit)
            name_ends(axes, ends)
        figure.axes[0].set_ylabel("bits per byte, restoration included")
        figure.suptitle("filled: the end of the schedule; hollow: before it, so not to be compared", x=0.01, ha="left",
                        fontsize=STYLE["axes.titlesize"])  # fmt: skip
        return figure

    return draw


def by_parameters(study: Study, runs: pd.DataFrame) -> Figure | None:
    """Bits per byte at the end against the size of the model, a line an arm and vocabulary, a mark a size.

    With the power law where a line has three sizes.
    """
    means = _with_arm(runs)
    if means.params_total.nunique() < 2:
        return None
    figure = wide(1)
    axes: Axes = figure.subplots()
    colours, looking = arm_colours(runs), looks(runs)
    sizes = {cell: i for i, (_, own) in enumerate(by_size(runs)) for cell in own.cell}
    alone = len(colours) == 1
    for (arm, _), own in means.sort_values("params_total").groupby(["arm", "vocab_size"]):
        line = "0.6" if alone else colours[str(arm)]
        axes.plot(own.params_total, own.val_bpb, color=line, lw=1, zorder=1)
        for row in records(own):
            _point(axes, "params_total", row, looking[row["cell"]].colour, MARKERS[sizes[row["cell"]] % len(MARKERS)])
        law = power_law(own.params_total.to_numpy(), own.val_bpb.to_numpy())
        if law is not None:
            grid = np.geomspace(own.params_total.min(), own.params_total.max(), 50)
            label = f"{arm}: bits ∝ x^({law.exponent:+.3f} ± {law.error:.3f})"
            axes.plot(grid, law.at(grid), color=line, ls=":", lw=1, label=label)
    if len(by_size(runs)) > 1:
        for i, (size, _) in enumerate(by_size(runs)):
            axes.plot([], [], ls="", color="0.5", marker=MARKERS[i % len(MARKERS)], label=f"model {size}")
    axes.set(xscale="log", xlabel="parameters", ylabel="bits per byte at the end (95 % over seeds)")
    engineering(axes, "")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    named, by = means, "cell"
    if len(means) > MOST_NAMED:  # an arm's line stands for its cells
        named, by = means.sort_values("params_total").drop_duplicates("arm", keep="last"), "arm"
    if by == "cell" or not alone:
        rows = records(named)
        name_ends(axes, [(row["params_total"], row["val_bpb"], row[by], looking[row["cell"]].colour) for row in rows])
    return figure


def by_vocabulary(study: Study, runs: pd.DataFrame) -> Figure | None:
    """Bits per byte at the end against the size of the vocabulary: a picture a size of model, a line an arm."""
    means = _with_arm(runs)
    if means.vocab_size.nunique() < 2:
        return None
    sizes, colours = by_size(runs), arm_colours(runs)
    figure = wide(len(sizes))
    for axes, (size, cells_there) in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
        here, ends = means[means.cell.isin(cells_there.cell)].sort_values("vocab_size"), []
        for arm, own in here.groupby("arm"):
            axes.plot(own.vocab_size, own.val_bpb, color=colours[str(arm)], lw=1, zorder=1)
            for row in records(own):
                _point(axes, "vocab_size", row, colours[str(arm)], "o")
            ends.append((own.vocab_size.iloc[-1], own.val_bpb.iloc[-1], str(arm), colours[str(arm)]))
        axes.set(xscale="log", xlabel="tokens in the vocabulary", title=f"model {size}" if len(sizes) > 1 else "")
        engineering(axes, "")
        if len(ends) > 1:
            name_ends(axes, ends)
    figure.axes[0].set_ylabel("bits per byte at the end (95 % over seeds)")
    return figure


def _with_arm(runs: pd.DataFrame) -> pd.DataFrame:
    """`by_cell` with each cell's arm."""
    return by_cell(runs).merge(runs.assign(cell=cells(runs))[["cell", "arm"]].drop_duplicates(), on="cell")


def _point(axes: Axes, column: str, row: dict[str, Any], colour: str, marker: str) -> None:
    half = 0.0 if np.isnan(row["val_bpb_half"]) else row["val_bpb_half"]
    axes.errorbar(row[column], row["val_bpb"], yerr=half, color=colour, marker=marker, ms=6)


def parameters(study: Study, runs: pd.DataFrame) -> Figure:
    """Where the parameters are: stacked bars."""
    means = by_cell(runs).iloc[::-1]
    figure = Figure(figsize=(8, 1.4 + 0.32 * len(means)), layout="constrained")
    axes: Axes = figure.subplots()
    parts = {
        "token embedding": ("params_token_embedding", COLOURS[0]),
        "position embedding": ("params_position_embedding", COLOURS[4]),
        "LM head": ("params_lm_head", COLOURS[5]),
        "transformer body": ("params_body", COLOURS[2]),
    }
    left = np.zeros(len(means))
    for label, (column, fill) in parts.items():
        axes.barh(means.cell, means[column], left=left, color=fill, label=label)
        left += means[column].to_numpy()
    axes.set_xlabel("parameters")
    axes.xaxis.set_major_formatter(EngFormatter(""))
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def compression(study: Study, runs: pd.DataFrame) -> Figure:
    """Does a tokenizer that compresses more predict better? A point a cell."""
    looking, means = looks(runs), by_cell(runs)
    sides = side_by_side(runs, list(means.cell))
    figure = wide(len(sides))
    for axes, (side, own) in zip(figure.subplots(1, len(sides), sharey=True, squeeze=False)[0], sides, strict=True):
        ends = []
        for row in records(means[means.cell.isin(list(own))]):
            look, x, y = looking[row["cell"]], row["bytes_per_token"], row["val_bpb"]
            axes.plot(x, y, color=look.colour, marker=look.marker, ms=7)
            ends.append((x, y, own[row["cell"]], look.colour))
        axes.set(xlabel="bytes per token on the held-out text", title=side)
        name_ends(axes, ends)
    figure.axes[0].set_ylabel("bits per byte at the end")
    return figure


def loss_by_content(study: Study, runs: pd.DataFrame) -> Figure | None:
    """Bits per byte by kind of content: a row a kind, a mark a cell."""
    wide = pd.concat([content_of(study, runs, partition) for partition in ("place", "word")], axis=1)
    if not len(wide):
        return None
    return _dots(wide, runs, "bits per byte")


def human_band(study: Study, runs: pd.DataFrame) -> Figure | None:
    """How far the samples are from human text: a row a measure, a mark a cell, at the lowest temperature."""
    at = temperatures(study, runs)
    if not at:
        return None
    found = readings(study, runs, at[0])
    table = pd.DataFrame({cell: {m: r.distance for m, r in read.items()} for cell, read in found.items()}).T
    what = "distance from human text, in its standard deviations"
    figure = _dots(table[list(MEASURES)].clip(-10, 10), runs, what)
    for axes in figure.axes:
        axes.axvspan(-1, 1, color="0.5", alpha=0.15, lw=0)
        axes.axvspan(-2, 2, color="0.5", alpha=0.1, lw=0)
        axes.axvline(0, color="0.4", lw=0.8)
    note = f"temperature {at[0]:g}; shaded: within one and two standard deviations; cut at 10"
    figure.suptitle(note, x=0.01, ha="left", fontsize=STYLE["axes.titlesize"])
    return figure


def _dots(table: pd.DataFrame, runs: pd.DataFrame, what: str) -> Figure:
    """A row a column of `table`, a mark a row of it, which is a cell."""
    looking, sides = looks(runs), side_by_side(runs, list(table.index))
    names = sorted({name for _, own in sides for name in own.values()})
    width, height = (8, 1.8) if len(sides) == 1 else (5.5 * len(sides), 1.8)
    figure = Figure(figsize=(width, height + 0.36 * len(table.columns)), layout="constrained")
    rows = np.arange(len(table.columns))[::-1]
    pictures = figure.subplots(1, len(sides), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (side, own) in zip(pictures, sides, strict=True):
        for i, (cell, name) in enumerate(own.items()):
            look, marker = looking[cell], MARKERS[names.index(name) % len(MARKERS)]
            shift = 0.5 * (0.5 - (i + 0.5) / len(own))
            axes.plot(table.loc[cell], rows + shift, ls="", marker=marker, color=look.colour, ms=5, label=name)
        axes.set_yticks(rows, [str(name).replace("_", " ") for name in table.columns])
        axes.set(xlabel=what, title=side)
        ncols = abreast(5.5 if side else 8, list(own.values()))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=ncols, frameon=False, fontsize=8)
    return figure


def forest(study: Study, runs: pd.DataFrame) -> Figure | None:
    """The lead of each size's best cell, and of the best that loses no text: over the seeds, and over the text."""
    found, looking = differences(study, runs), looks(runs)
    leads = []
    for _, means in by_size(runs):
        faithful = means[means.val_bpb_restoration == 0]
        for own in (means, faithful) if means.val_bpb_restoration.iloc[0] > 0 else (means,):
            if len(own) > 1:
                best, *others = own.cell
                leads.append((best, [(cell, found[best, cell]) for cell in others]))
    if not leads:
        return None
    rows = [len(lead) for _, lead in leads]
    figure = Figure(figsize=(8, sum(1.2 + 0.4 * n for n in rows)), layout="constrained")
    for axes, (best, lead) in zip(
        figure.subplots(len(leads), 1, squeeze=False, height_ratios=rows, sharex=True)[:, 0], leads, strict=True
    ):
        for row, (cell, difference) in enumerate(reversed(lead)):
            line = looking[cell].colour
            if difference.over_seeds:
                axes.plot(difference.over_seeds, [row + 0.12] * 2, color=line, lw=2)
            axes.plot(difference.over_text, [row - 0.12] * 2, color=line, lw=2, ls=(0, (1, 1)))
            axes.plot(difference.mean, row, marker="o" if difference.resolved else "|", color=line, ms=6)
        axes.axvline(0, color="0.3", lw=0.8)
        axes.set_yticks(range(len(lead)), [cell for cell, _ in reversed(lead)])
        axes.set(title=f"bits per byte behind {best}", ylim=(-0.6, len(lead) - 0.4))
    figure.axes[-1].set_xlabel("95 %: solid over seeds, dotted over the text; a dot where resolved")
    return figure


def with_baselines(study: Study, runs: pd.DataFrame) -> Figure:
    """Every cell and baseline on one scale."""
    means, beside = by_cell(runs), baselines_of(study, runs)
    looking = looks(runs)
    rows = [(row["cell"], row["val_bpb"], looking[row["cell"]].colour) for row in records(means)]
    rows += [(f"{row['baseline']} ({row['family']})", row["val_bpb"], "0.65") for row in records(beside)]
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


@dataclass(frozen=True)
class Picture:
    name: str
    caption: str
    draw: Callable[[Study, pd.DataFrame], Figure | None]


FIGURES = [
    Picture(
        "bits_per_byte",
        "Bits per byte against the text read",
        against("bytes_seen", "training text read, repetitions included", "B"),
    ),
    Picture("with_baselines", "Every cell beside the baselines", with_baselines),
    Picture("forest", "The lead of the best", forest),
    Picture("sweep_panel", "The training of all cells", sweep_panel),
    Picture("flops", "Bits per byte against compute", against("flops", "training FLOPs", "")),
    Picture("by_parameters", "Bits per byte against size", by_parameters),
    Picture("by_vocabulary", "Bits per byte against the vocabulary", by_vocabulary),
    Picture("parameters", "Where the parameters are", parameters),
    Picture("compression", "Bits per byte against compression", compression),
    Picture("content", "Where the loss lies", loss_by_content),
    Picture("human_band", "The samples beside human text", human_band),
]


def _save(figure: Figure, folder: Path, name: str, *, svg: bool) -> set[Path]:
    """Write the figure; the paths. Nothing in the files depends on when or where that is."""
    FigureCanvasAgg(figure)
    paths = {folder / f"{name}.png": {"Software": None}} | ({folder / f"{name}.svg": {"Date": None}} if svg else {})
    for path, metadata in paths.items():
        with replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
    return set(paths)
