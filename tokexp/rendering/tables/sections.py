"""The tables of a report in their order: what each is called, what must be known to read it, how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from tokexp.analysis.comparison import Comparison, comparisons
from tokexp.rendering.sentences import title
from tokexp.rendering.tables import models, reading, scores, seed_experiment
from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.forms import numbers, write_table
from tokexp.rendering.text import Code, Emphasis, Line, Strong
from tokexp.runs.study import Study
from tokexp.system.files import keep_only


@dataclass(frozen=True)
class Section:
    name: str  # of its files in tables/
    heading: str
    note: Line
    make: Callable[[Comparison], Table]
    for_machines: Callable[[Comparison], Table] | None = None  # where the rows that people read are not plain ones

    def numbers(self, comparison: Comparison, table: Table | None = None) -> pd.DataFrame:
        """The table for machines, a number a column. `table`: what `make` returned, where that is known."""
        if self.for_machines or table is None:
            table = (self.for_machines or self.make)(comparison)
        rows = numbers(table)
        return rows.assign(corpus=comparison.corpus, val_sha256=comparison.val_sha256) if len(rows) else rows


SECTIONS = [
    Section(
        "bits_per_byte",
        "Bits per byte on held-out text",
        [
            "Ranked by ",
            Emphasis("total"),
            ", at the end of the budget: the model's bits for its tokens (naive) and, for a tokenizer "
            "that loses case, spacing or rare words, the bits that bring them back (restoration), over the UTF-8 "
            "bytes of the original text; a mean over the seeds, ± half the width of its 95 % interval. A checkpoint "
            "chosen on this text flatters itself; the cross-fitted figure does not. In italics the baselines: a "
            "static one learned from the training part alone, as the models did; an adaptive one goes on learning as "
            "it reads.",
        ],
        scores.bits_per_byte,
    ),
    Section(
        "differences",
        "Which differences are real",
        [
            "Every pair of cells whose models have one size, the better one first. Intervals at 95 %: over the seeds "
            "(Welch), and over the text (paired bootstrap over its 64 blocks, in stretches of eight, since neighbours "
            "are alike). ",
            Emphasis("Resolved"),
            " where both tests reject, that over the text by t over the stretches, corrected for the "
            "number of pairs (Holm).",
        ],
        scores.difference_table,
    ),
    Section(
        "baselines",
        "Beside the baselines",
        [
            "Every cell and the best baseline of each family: at the end of the budget and, where that is another, at "
            "its best checkpoint with the choice paid for. Positive where the cell is before it. Intervals and "
            "verdicts as above; over the seeds the cell alone varies."
        ],
        scores.baseline_table,
    ),
    Section(
        "along_the_text",
        "Along the held-out text",
        [
            "Total bits per byte of each eighth of the held-out text, at the end: a text need not be of one kind, and "
            "a lead may be that of a part."
        ],
        scores.along_table,
    ),
    Section(
        "views",
        "Under other terms",
        [
            "The same runs read where they had taken equal steps, read equally much, and so on. In brackets: before "
            "the end of a run's schedule, so not to be ranked; train with that budget, or a constant rate, to compare "
            "there."
        ],
        scores.view_table,
    ),
    Section(
        "place",
        "Where the loss lies",
        [
            "Total bits per byte of each kind of content, headed by its share of the bytes. A token's bits are shared "
            "out among its bytes by the model's own probabilities (",
            Code("tokexp/scoring/content.py"),
            "). Where a word ends is paid by the "
            "space after it, or by a token's last letter: compare words and spacing together.",
        ],
        partial(reading.content_table, partition="place"),
    ),
    Section(
        "word",
        "Common and rare words",
        ["The same over the words outside headings, by how often the training part has them."],
        partial(reading.content_table, partition="word"),
    ),
    Section(
        "context",
        "By the context before",
        [
            "The same by the bytes of context in the window. Longer tokens have more of it, so a column holds other "
            "bytes for each tokenizer: read along the rows, not down. Empty where fewer than 100 bytes had so much."
        ],
        partial(reading.content_table, partition="context"),
    ),
    Section(
        "readability",
        "How the samples read",
        [
            "A mean over samples and seeds (95 % by bootstrap over both), and its distance from passages of the "
            "held-out text, in standard deviations of those. Above the human band is not better: it is copying, or "
            "playing safe."
        ],
        reading.readability_table,
        for_machines=reading.readability_rows,
    ),
    Section(
        "ticked_by_eye",
        "What the seed experiment ticked by eye",
        ["Its rows as figures; the distance from human text in brackets."],
        seed_experiment.ticked_table,
    ),
    Section(
        "seed_experiment",
        "Beside the seed experiment",
        [
            "What it published, and the same from runs by its protocol. Its losses are per token; its tokenizers had "
            "seen the held-out text, of which each had its own, so its held-out losses can be met only nearly; it had "
            "rounded. Split first, the words have fewer entries; 500 characters are 500 by construction. "
            "Its BPE marked the ends of words, as ",
            Code("bpe_classic"),
            " does.",
        ],
        seed_experiment.published_table,
        for_machines=seed_experiment.published_rows,
    ),
    Section(
        "insights",
        "Do its six insights hold?",
        ["Computed from the tables above."],
        seed_experiment.insight_table,
    ),
    Section(
        "loss_per_token",
        "Loss per token",
        [
            "Nats per token. ",
            Strong("Not comparable between rows"),
            ": a token of one tokenizer is more text than one of another.",
        ],
        scores.loss_per_token,
    ),
    Section(
        "tokenizers",
        "The tokenizers",
        [
            "Figures of the tokenizers alone, over the held-out text; formulas in ",
            Code("tokexp/scoring/intrinsic.py"),
            ".",
        ],
        models.tokenizer_table,
    ),
    Section(
        "optimum",
        "The best size of vocabulary",
        ["By a parabola over the logarithm of the size, through the best one tried and its two neighbours."],
        models.optimum_table,
        for_machines=models.optimum_rows,
    ),
    Section(
        "prediction",
        "What could have been known without training",
        [
            "Spearman's rank correlation over the cells of one model size, with its 95 % interval by bootstrap over "
            "them."
        ],
        models.prediction_table,
    ),
    Section(
        "cost",
        "What it cost",
        ["What training consumed; bytes are text read, repetitions included; FLOPs by the usual estimate."],
        models.cost_table,
    ),
    Section(
        "parameters",
        "Parameters",
        ["The body is the same for all; the vocabulary decides the rest."],
        models.parameter_table,
    ),
]


@dataclass(frozen=True)
class ComparisonTables:
    """What a report has of the runs that were scored on the same bytes: each section that they have something for."""

    comparison: Comparison
    tables: list[tuple[Section, Table]]


def tables_of_study(study: Study) -> list[ComparisonTables]:
    """One for each held-out text, with every table made."""
    return [ComparisonTables(comparison, tables_of(comparison)) for comparison in comparisons(study)]


def tables_of(comparison: Comparison) -> list[tuple[Section, Table]]:
    return [(section, table) for section in SECTIONS if len(table := section.make(comparison))]


def write_tables(parts: list[ComparisonTables], folder: Path) -> None:
    """Write the files of every table; those of a section that has another name now, or nothing to say, go."""
    written: set[Path] = set()
    for section in SECTIONS:
        tables = [(part.comparison, table) for part in parts for this, table in part.tables if this is section]
        if tables:
            rows = pd.concat([section.numbers(comparison, table) for comparison, table in tables])
            named = [(title(comparison), table) for comparison, table in tables]
            written.update(write_table(section.name, named, rows, folder))
    keep_only(folder, written)
