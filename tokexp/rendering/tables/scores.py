"""The tables of scores: bits per byte, what is real of their differences, and under other terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tokexp.analysis.chance.statistics import STRETCHES
from tokexp.analysis.chance.verdicts import Difference
from tokexp.analysis.comparison import Comparison, baseline_of
from tokexp.analysis.content import bits_along
from tokexp.analysis.differences import differences, leads
from tokexp.analysis.texts.counts import own_counts
from tokexp.analysis.views import views
from tokexp.rendering.sentences import view_heading
from tokexp.rendering.tables.columns import Column, Table, table

# heading, column of results.csv, form
BEST_HERE = ("best (chosen on this text)", "best_val_bpb", ".3f")
BEST_CROSSFITTED = ("best, cross-fitted", "best_val_bpb_crossfit", ".3f")
BEST_ON_TEST = ("best (chosen on validation, scored on test)", "best_test_bpb", ".3f")
SLIDING = ("sliding context", "bpb_sliding", ".3f")
LOSSES = [
    ("vocabulary", "vocab_size", ",.0f"),
    ("characters/token", "chars_per_token", ".2f"),
    ("train, end", "train_loss", ".3f"),
    ("held out, end", "val_loss", ".3f"),
    ("train, best", "best_train_loss", ".3f"),
    ("held out, best", "best_val_loss", ".3f"),
    ("characters in the sample of equal tokens", "sample_chars_500", ",.0f"),
]


def of_means(comparison: Comparison, columns: list[tuple[str, str, str]]) -> Table:
    """A row a cell, best total first: columns of its means."""
    return table(
        Column("run", comparison.cells),
        Column("seeds", comparison.means.seeds.tolist()),
        *columns_of_means(comparison, columns),
    )


def columns_of_means(comparison: Comparison, columns: list[tuple[str, str, str]]) -> list[Column]:
    return [Column(heading, comparison.means[name].tolist(), form, name) for heading, name, form in columns]


def bits_per_byte(comparison: Comparison) -> Table:
    """A row a cell and a baseline, the best total first."""
    means, baselines = comparison.means, comparison.baselines
    order = np.argsort([*means.bpb, *baselines.val_bpb], kind="stable").tolist()
    nothing = [None] * len(baselines)

    def column(heading: str, of_cells: list[Any], of_baselines: list[Any], form: str, name: str) -> Column:
        values = [*of_cells, *of_baselines]
        return Column(heading, [values[i] for i in order], form, name)

    marginal = list(map(comparison.marginal_gain, comparison.cells))
    naive = (baselines.val_bpb - baselines.val_bpb_restoration).tolist()
    restoration = baselines.val_bpb_restoration.tolist()
    return table(
        column("run", comparison.cells, [baseline_of(row) for row in baselines.itertuples()], "", "run"),
        column("seeds", means.seeds.tolist(), nothing, "", "seeds"),
        column("naive", means.bpb_naive.tolist(), naive, ".3f", "bpb_naive"),
        column("+ restoration", means.bpb_restoration.tolist(), restoration, ".3f", "bpb_restoration"),
        column("= total", list(map(comparison.total, comparison.cells)), baselines.val_bpb.tolist(), ".3f", "bpb"),
        *(column(heading, means[name].tolist(), nothing, form, name) for heading, name, form in _further(comparison)),
        column("less, with all segmentations", marginal, nothing, ".4f", "marginal_gain_bpb"),
    )


def _further(comparison: Comparison) -> list[tuple[str, str, str]]:
    """The columns of best checkpoints, by what they were chosen on, and of the wider context."""
    if comparison.on_test:
        return [BEST_ON_TEST, SLIDING]
    return [BEST_HERE, *([BEST_CROSSFITTED] if comparison.evaluates_all else []), SLIDING]


def loss_per_token(comparison: Comparison) -> Table:
    """The losses that training looked at: with a test part, those of the validation part."""
    part = "validation" if comparison.on_test else "held out"
    return of_means(comparison, [(heading.replace("held out", part), name, form) for heading, name, form in LOSSES])


def difference_columns(by: list[Difference], heading: str, form: str) -> list[Column]:
    """A difference with its interval, what each source of chance adds to its error, p-value and verdict."""
    return [
        Column(heading, [one.mean for one in by], form, "difference"),
        Column("95 %, corrected", [one.interval for one in by], form, "interval"),
        Column("error over seeds", [one.over_seeds and one.over_seeds.error for one in by], ".3f", "error_seeds"),
        Column("error over the text", [one.over_text and one.over_text.error for one in by], ".3f", "error_text"),
        Column("p", [one.p if one.interval else None for one in by], ".2g"),
        Column("verdict", [one.verdict for one in by]),
    ]


def difference_table(comparison: Comparison) -> Table:
    by_pair = differences(comparison)
    if not by_pair:
        return Table()
    return table(
        Column("better", [better for better, _ in by_pair]),
        Column("worse", [worse for _, worse in by_pair]),
        *difference_columns(list(by_pair.values()), "bits per byte", ".3f"),
    )


def baseline_table(comparison: Comparison) -> Table:
    rows = leads(comparison)
    if not rows:
        return Table()
    return table(
        Column("run", [lead.cell for lead in rows]),
        Column("at", [lead.at for lead in rows]),
        Column("baseline", [str(lead.baseline) for lead in rows]),
        *difference_columns([lead.difference for lead in rows], "ahead by", "+.3f"),
    )


def counts_table(comparison: Comparison) -> Table:
    """A row a cell: the counts of its own tokens, and how far it is ahead of them."""
    rows = own_counts(comparison)
    if not rows:
        return Table()
    return table(
        Column("run", list(rows)),
        Column("counts of its tokens", [one.bpb for one in rows.values()], ".3f", "counts"),
        Column("order", [one.order for one in rows.values()]),
        *difference_columns([one.lead for one in rows.values()], "ahead by", "+.3f"),
    )


def along_table(comparison: Comparison) -> Table:
    rows = bits_along(comparison)
    if not rows:
        return Table()
    eighths = np.array(list(rows.values())).T.tolist()
    return table(
        Column("run", list(rows)),
        *(Column(f"{i}/{STRETCHES}", bits, ".3f", f"eighth_{i}") for i, bits in enumerate(eighths, start=1)),
    )


def view_table(comparison: Comparison) -> Table:
    """A row a cell, a column a view, each with the terms in its heading."""
    all_views = views(comparison)
    best: dict[Any, float] = {}
    for view in all_views:
        for cell, point in view.points.items():
            best[cell] = min(point.bpb, best.get(cell, np.inf))
    cells = sorted(best, key=lambda cell: (best[cell], cell))
    names = [f"equal_{view.axis}" if view.axis else "best_checkpoint" for view in all_views]
    return table(
        Column("run", cells),
        *(
            Column(view_heading(view), [view.points.get(cell) for cell in cells], ".3f", name)
            for view, name in zip(all_views, names, strict=True)
        ),
    )
