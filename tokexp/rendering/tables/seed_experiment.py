"""The tables that hold a study against the seed experiment."""

from __future__ import annotations

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.seed_experiment.insights import Ticked, insights, is_concerned, ticked
from tokexp.analysis.seed_experiment.published import Reproduction, reproductions
from tokexp.rendering.tables.columns import Column, MeasureAndDistance, Number, Table, table
from tokexp.rendering.tables.insights import claim, evidence, verdict

# How the figures are written, by column; others with two digits.
FORMS = {
    "vocab_size": ",.0f", "params_there": ",.0f", "embedding_there": ".2%", "sample_chars_500": ",.0f",
    "val_bpb": ".3f", "best_val_bpb_crossfit": ".3f",
}  # fmt: skip


def insight_table(comparison: Comparison) -> Table:
    if not is_concerned(comparison):
        return Table()
    rows = insights(comparison)
    return table(
        Column("what the seed experiment said", [claim(insight) for insight in rows], name="claim"),
        Column("what these runs show", [evidence(insight) for insight in rows], name="evidence"),
        Column("verdict", [verdict(insight) for insight in rows]),
    )


def ticked_table(comparison: Comparison) -> Table:
    if not is_concerned(comparison):
        return Table()
    rows = ticked(comparison)
    distances = [_or_none(row.distance, ".2f", " sd") for row in rows]

    def measure(heading: str, name: str) -> Column:
        return Column(heading, [_measure(row, name) for row in rows], name=name)

    return table(
        Column("run", [row.cell for row in rows]),
        measure("readability: real words", "real_words"),
        Column("median distance from human text", distances, name="distance"),
        Column("out of vocabulary: tokens", [row.unk_rate for row in rows], ".2%", "unk_rate"),
        Column("bits per byte of unseen words", [row.unseen_bpb for row in rows], ".2f", "unseen_bpb"),
        measure("character names that exist", "speaker_names"),
        measure("natural phrases: seen trigrams", "seen_trigrams"),
        measure("of which copied: seen 8-grams", "copied_8grams"),
        Column("gradient-norm spikes", [row.spikes for row in rows], ".2%", "grad_norm_spikes"),
    )


def _measure(row: Ticked, name: str) -> MeasureAndDistance | None:
    return MeasureAndDistance(row.readings[name]) if name in row.readings else None


def _or_none(value: float | None, form: str, after: str = "") -> Number | None:
    return None if value is None else Number(value, form, after)


def published_table(comparison: Comparison) -> Table:
    rows = reproductions(comparison)
    if not rows:
        return Table()
    forms = [FORMS.get(row.figure.column, ".2f") for row in rows]
    published = [_or_none(row.published, form) for row, form in zip(rows, forms, strict=True)]
    here = [Number(row.here, form) for row, form in zip(rows, forms, strict=True)]
    return table(
        Column("figure", [row.figure.name for row in rows]),
        Column("tokenizer", [row.cell for row in rows]),
        Column("seeds", [row.seeds for row in rows]),
        Column("the seed experiment", published, name="published"),
        Column("here", here),
        Column("verdict", [_verdict(row) for row in rows]),
    )


def published_rows(comparison: Comparison) -> Table:
    """The table for machines: by which share ours is off."""
    rows = reproductions(comparison)
    if not rows:
        return Table()
    return Table([*published_table(comparison).columns[:-1], Column("off", [row.off for row in rows])])


def _verdict(row: Reproduction) -> str:
    if row.off is None:
        return "it published none"
    return "reproduced" if row.reproduced else f"not reproduced: {row.off:+.1%}"
