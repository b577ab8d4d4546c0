"""The pictures of a report, each as PNG and SVG: what they show stands in FIGURES, how they look in style.py."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from tokexp.analysis.content import content_of
from tokexp.analysis.differences import differences
from tokexp.analysis.prediction import power_law
from tokexp.analysis.readability import readings, temperatures
from tokexp.analysis.store import Study
from tokexp.analysis.style import COLOURS, MARKERS, STYLE, Look, arm_colours, but_size, looks
from tokexp.analysis.tables import baselines_of, by_cell, by_size, cells, records
from tokexp.files import replacing
from tokexp.readability import MEASURES

MOST_NAMED = 12  # cells that are named in a picture; more would cover each other
MOST_PANELS = 40  # cells with a panel of their own


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


def colour(study: Study, arm: str) -> str:
    """The colour of an arm."""
    return arm_colours(study.results)[arm]


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
    norm.set(title="Gradient norm before clipping (mean, range)", ylim=(0, None))
    rate.set(title="Learning rate", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(-2, 3))
    gain.axhline(0, color="black", lw=0.8)
    gain.set(title="Improvement of held-out loss per evaluation", ylabel="nats per token")
    for axes in (rate, gain):
        axes.set_xlabel("step")
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
    figure.legend(loc="outside lower center", ncols=_abreast(9, list(looks(runs))), frameon=False, fontsize=8)
    norm.set(title="Gradient norm before clipping", ylim=(0, None))
    rate.set(title="Learning rate", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(-2, 3))
    gain.axhline(0, color="black", lw=0.8)
    gain.set(title="Improvement per evaluation", ylabel="bits per byte")
    for axes in (rate, gain):
        axes.set_xlabel("step")
    return figure


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


def against(column: str, what: str, unit: str) -> Callable[[Study, pd.DataFrame], Figure]:
    """Total bits per byte along training, against what it had consumed.

    Only the last point of a run has had its whole schedule; the ones before are drawn hollow.
    """

    def draw(study: Study, runs: pd.DataFrame) -> Figure:
        curves, looking = dict(mean_curves(study, runs)), looks(runs)
        sides = _sides(runs, list(curves))
        figure = _wide(len(sides))
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
            _engineering(axes, unit)
            _name_ends(axes, ends)
        figure.axes[0].set_ylabel("bits per byte, restoration included")
        figure.suptitle("filled: the end of the schedule; hollow: before it, so not to be compared", x=0.01, ha="left",
                        fontsize=STYLE["axes.titlesize"])  # fmt: skip
        return figure

    return draw


def _sides(runs: pd.DataFrame, order: list[str]) -> list[tuple[str, dict[str, str]]]:
    """The cells of each picture that stand side by side, and what they are called there.

    All in one, unless they are too many to be named and their models have several sizes: then one for each.
    """
    size_of = dict(zip(cells(runs), runs["size"], strict=True))
    if len(order) <= MOST_NAMED or len(set(size_of.values())) == 1:
        return [("", {cell: cell for cell in order})]
    by_size = runs.groupby("size").params_body.mean().sort_values()
    return [
        (f"model {size}", {cell: but_size(cell, size) for cell in own})
        for size in map(str, by_size.index)
        if (own := [cell for cell in order if size_of[cell] == size])
    ]


def _wide(sides: int) -> Figure:
    """A figure for so many pictures side by side."""
    return Figure(figsize=(8, 5) if sides == 1 else (5.5 * sides, 5.8), layout="constrained")


def _abreast(inches: float, names: list[str]) -> int:
    """How many of the names stand side by side in a legend so wide, in its small print."""
    return max(1, min(4, int(inches * 13 / (max(map(len, names)) + 6))))


def _engineering(axes: Axes, unit: str) -> None:
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter(unit))
    axes.xaxis.set_minor_locator(NullLocator())


def _name_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name right of its end, moved apart where they would cover each other."""
    ends = sorted(ends, key=lambda end: end[1])[:MOST_NAMED]
    if not ends:
        return
    low, high = axes.get_ylim()
    right = max(x for x, *_ in ends)
    gap = (high - low) / 28
    heights = apart([y for _, y, *_ in ends], gap)
    axes.set_ylim(min(low, heights[0] - gap), max(high, heights[-1] + gap))
    for (x, y, name, line), height in zip(ends, heights, strict=True):
        axes.annotate(f"     {name}", (x, y), xytext=(right, height), textcoords="data", color=line, va="center",
                      fontsize=9, annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": line, "lw": 0.8, "relpos": (0, 0.5)}
                      if (x, y) != (right, height) else None)  # fmt: skip
    axes.margins(x=0.12)


def apart(values: list[float], gap: float) -> list[float]:
    """The nearest places, in the sum of squares, to the ascending `values` that are at least `gap` apart.

    Pooled adjacent violators: neighbours that are too near move together, about the middle of their own places.
    """
    pools: list[list[float]] = []
    for i, value in enumerate(values):
        pools.append([value - i * gap])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = [float(np.mean(pool)) for pool in pools for _ in pool]
    return [place + i * gap for i, place in enumerate(level)]


def by_parameters(study: Study, runs: pd.DataFrame) -> Figure | None:
    """Bits per byte at the end against the size of the model, a line an arm and vocabulary, a mark a size.

    With the power law where a line has three sizes.
    """
    means = _with_arm(runs)
    if means.params_total.nunique() < 2:
        return None
    figure = _wide(1)
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
    _engineering(axes, "")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    named, by = means, "cell"
    if len(means) > MOST_NAMED:  # an arm's line stands for its cells
        named, by = means.sort_values("params_total").drop_duplicates("arm", keep="last"), "arm"
    if by == "cell" or not alone:
        rows = records(named)
        _name_ends(axes, [(row["params_total"], row["val_bpb"], row[by], looking[row["cell"]].colour) for row in rows])
    return figure


def by_vocabulary(study: Study, runs: pd.DataFrame) -> Figure | None:
    """Bits per byte at the end against the size of the vocabulary: a picture a size of model, a line an arm."""
    means = _with_arm(runs)
    if means.vocab_size.nunique() < 2:
        return None
    sizes, colours = by_size(runs), arm_colours(runs)
    figure = _wide(len(sizes))
    for axes, (size, cells_there) in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
        here, ends = means[means.cell.isin(cells_there.cell)].sort_values("vocab_size"), []
        for arm, own in here.groupby("arm"):
            axes.plot(own.vocab_size, own.val_bpb, color=colours[str(arm)], lw=1, zorder=1)
            for row in records(own):
                _point(axes, "vocab_size", row, colours[str(arm)], "o")
            ends.append((own.vocab_size.iloc[-1], own.val_bpb.iloc[-1], str(arm), colours[str(arm)]))
        axes.set(xscale="log", xlabel="tokens in the vocabulary", title=f"model {size}" if len(sizes) > 1 else "")
        _engineering(axes, "")
        if len(ends) > 1:
            _name_ends(axes, ends)
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
    sides = _sides(runs, list(means.cell))
    figure = _wide(len(sides))
    for axes, (side, own) in zip(figure.subplots(1, len(sides), sharey=True, squeeze=False)[0], sides, strict=True):
        ends = []
        for row in records(means[means.cell.isin(list(own))]):
            look, x, y = looking[row["cell"]], row["bytes_per_token"], row["val_bpb"]
            axes.plot(x, y, color=look.colour, marker=look.marker, ms=7)
            ends.append((x, y, own[row["cell"]], look.colour))
        axes.set(xlabel="bytes per token on the held-out text", title=side)
        _name_ends(axes, ends)
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
    looking, sides = looks(runs), _sides(runs, list(table.index))
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
        ncols = _abreast(5.5 if side else 8, list(own.values()))
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
