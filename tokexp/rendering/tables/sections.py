"""The tables of a report in their order: what each is called, what must be known to read it, how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from tokexp.analysis.comparison import Comparison, comparisons
from tokexp.rendering.sentences import title
from tokexp.rendering.tables import findings, models, reading, scores, seed_experiment
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
    finding: Callable[[Comparison, Table], Line]  # what the table found, for who reads its heading alone
    for_machines: Callable[[Comparison], Table] | None = None  # where the rows that people read are not plain ones

    def numbers(self, comparison: Comparison, table: Table | None = None) -> pd.DataFrame:
        """The table for machines, a number a column. `table`: what `make` returned, where that is known."""
        if self.for_machines or table is None:
            table = (self.for_machines or self.make)(comparison)
        rows = numbers(table)
        return rows.assign(corpus=comparison.corpus, val_sha256=comparison.scored_sha256) if len(rows) else rows


SECTIONS = [
    Section(
        "bits_per_byte",
        "Bits per byte on held-out text",
        [
            "The ",
            Emphasis("total"),
            " at the end of the budget is ranked. It is the sum of two: the model's bits for its tokens (naive), and "
            "the bits that bring back case, spacing or rare words where a tokenizer loses them (restoration), each "
            "over the UTF-8 bytes of the original text. A figure is the mean over the seeds, ± half of its 95 % "
            "interval. A checkpoint that was chosen on this text flatters itself; the cross-fitted figure does not. "
            "Baselines are in italics: a static one learned from the training part alone, as the models did; an "
            "adaptive one goes on learning as it reads.",
        ],
        scores.bits_per_byte,
        findings.of_bits,
    ),
    Section(
        "differences",
        "Which differences are real",
        [
            "Every pair of cells whose models have one size has a row, and the better one stands first. The intervals "
            "are at 95 %: over the seeds (Welch), and over the text (a paired bootstrap over its 64 blocks, in "
            "stretches of eight, since neighbours are alike). A difference is ",
            Emphasis("resolved"),
            " where both tests reject, the one over the text by t over the stretches, after Holm's correction for the "
            "number of pairs.",
        ],
        scores.difference_table,
        findings.of_differences,
    ),
    Section(
        "baselines",
        "Beside the baselines",
        [
            "Every cell stands beside the best baseline of each family: at the end of the budget and, where its best "
            "checkpoint is another, there too, with the choice paid for. A positive difference says that the cell is "
            "ahead. Intervals and verdicts are as above; over the seeds, only the cell varies."
        ],
        scores.baseline_table,
        findings.of_baselines,
    ),
    Section(
        "along_the_text",
        "Along the held-out text",
        [
            "A column is an eighth of the held-out text, and a figure its total bits per byte at the end. A text need "
            "not be of one kind, and a lead may be that of a part."
        ],
        scores.along_table,
        findings.along_the_text,
    ),
    Section(
        "views",
        "Under other terms",
        [
            "The same runs are read where they had taken equal steps, read equally much, and so on. A figure in "
            "brackets was read before the end of its run's schedule, and ranks nothing; to compare there, train with "
            "that budget, or at a constant rate."
        ],
        scores.view_table,
        findings.of_views,
    ),
    Section(
        "place",
        "Where the loss lies",
        [
            "A column is a kind of content, headed by its share of the bytes, and a figure is the total bits per byte "
            "of it. A token's bits are shared out among its bytes by the model's own probabilities (",
            Code("tokexp/scoring/content.py"),
            "). The space after a word, or the last letter of a token, pays for the end of the word: compare words "
            "and spacing together.",
        ],
        partial(reading.content_table, partition="place"),
        findings.of_content,
    ),
    Section(
        "word",
        "Common and rare words",
        ["A column is the words, outside headings, that the training part has so often."],
        partial(reading.content_table, partition="word"),
        findings.of_content,
    ),
    Section(
        "context",
        "By the context before",
        [
            "A column is the bytes that had so many bytes of context in the window. Longer tokens have more of it, so "
            "that a column holds other bytes for each tokenizer: read along the rows, not down. A field is empty "
            "where fewer than 100 bytes had so much."
        ],
        partial(reading.content_table, partition="context"),
        findings.of_content,
    ),
    Section(
        "readability",
        "How the samples read",
        [
            "A figure is a mean over samples and seeds, with its 95 % interval by bootstrap over both, and its "
            "distance from passages of the held-out text in standard deviations of those. Above the human band is not "
            "better: such a model is copying, or playing safe."
        ],
        reading.readability_table,
        findings.of_readability,
        for_machines=reading.readability_rows,
    ),
    Section(
        "ticked_by_eye",
        "What the seed experiment ticked by eye",
        ["The rows of its table are figures here. The distance from human text is in brackets."],
        seed_experiment.ticked_table,
        findings.of_readability,
    ),
    Section(
        "seed_experiment",
        "Beside the seed experiment",
        [
            "What it published stands beside the figures of runs by its protocol. Its losses are per token and "
            "rounded. Its tokenizers had seen the held-out text, of which each had its own, so that its held-out "
            "losses can be met only nearly. Where the text is split first, the words have fewer entries; 500 "
            "characters are 500 by construction. Its BPE marked the ends of words, as ",
            Code("bpe_classic"),
            " does.",
        ],
        seed_experiment.published_table,
        findings.of_published,
        for_machines=seed_experiment.published_rows,
    ),
    Section(
        "insights",
        "Do its six insights hold?",
        ["The verdicts are computed from the tables above."],
        seed_experiment.insight_table,
        findings.of_insights,
    ),
    Section(
        "loss_per_token",
        "Loss per token",
        [
            "Losses are in nats per token. They ",
            Strong("cannot be compared between rows"),
            ": a token of one tokenizer is more text than a token of another.",
        ],
        scores.loss_per_token,
        findings.of_losses,
    ),
    Section(
        "tokenizers",
        "The tokenizers",
        [
            "These are figures of the tokenizers alone, over the held-out text. Their formulas are in ",
            Code("tokexp/scoring/intrinsic.py"),
            ".",
        ],
        models.tokenizer_table,
        findings.of_tokenizers,
    ),
    Section(
        "optimum",
        "The best size of vocabulary",
        [
            "The optimum is that of a parabola over the logarithm of the size, through the best size that was tried "
            "and its two neighbours."
        ],
        models.optimum_table,
        findings.of_optimum,
        for_machines=models.optimum_rows,
    ),
    Section(
        "prediction",
        "What could have been known without training",
        [
            "A figure is Spearman's rank correlation over the cells of one model size, with its 95 % interval by "
            "bootstrap over them."
        ],
        models.prediction_table,
        findings.of_prediction,
    ),
    Section(
        "cost",
        "What it cost",
        ["This is what training consumed. Bytes are text read, repetitions included; FLOPs follow the usual estimate."],
        models.cost_table,
        findings.of_cost,
    ),
    Section(
        "parameters",
        "Parameters",
        ["The body is the same for all models of a size; the vocabulary decides the rest."],
        models.parameter_table,
        findings.of_parameters,
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
