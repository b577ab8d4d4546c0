"""The tables of a report in their order: what each is called, what must be known to read it, how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from tokexp.analysis.comparison import Comparison, comparisons
from tokexp.rendering import corpora
from tokexp.rendering.sentences import title
from tokexp.rendering.tables import findings, held_out, models, reading, scores, seed_experiment
from tokexp.rendering.tables.across import write_across
from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.forms import numbers, write_table
from tokexp.rendering.text import Code, Line, Strong
from tokexp.runs.study import Study
from tokexp.system.files import keep_only


@dataclass(frozen=True)
class Section:
    name: str  # of its files in tables/
    heading: str
    note: Line | Callable[[Comparison], Line]
    make: Callable[[Comparison], Table]
    finding: Callable[[Comparison, Table], Line]  # what the table found, for who reads its heading alone
    for_machines: Callable[[Comparison], Table] | None = None  # where the rows that people read are not plain ones

    def explained(self, comparison: Comparison) -> Line:
        """What must be known to read the table."""
        return self.note(comparison) if callable(self.note) else self.note

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
        corpora.scores_note,
        scores.bits_per_byte,
        findings.of_bits,
    ),
    Section(
        "differences",
        "Which differences are real",
        corpora.differences_note,
        scores.difference_table,
        findings.of_differences,
    ),
    Section(
        "baselines",
        "Beside the baselines",
        [
            "Every cell stands beside the best baseline of each family: at the end of the budget and, where its best "
            "checkpoint is another, there too, with the choice paid for. A positive difference says that the cell is "
            "ahead. Intervals and verdicts are as above; only the cell varies over the seeds."
        ],
        scores.baseline_table,
        findings.of_baselines,
    ),
    Section(
        "own_counts",
        "Beside counts of their own tokens",
        [
            "A table of n-grams over the same tokens (Kneser-Ney, of the order that is best on validation) learned "
            "from the training part too. A positive difference says that the model is ahead. A model that is not has "
            "not learned yet what counting finds in seconds."
        ],
        scores.counts_table,
        findings.of_counts,
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
        corpora.views_note,
        scores.view_table,
        findings.of_views,
    ),
    Section(
        "held_out",
        "On further held-out texts",
        held_out.NOTE,
        held_out.held_out_table,
        held_out.turns_line,
    ),
    Section(
        "held_out_differences",
        "The differences on every held-out text",
        held_out.DIFFERENCES_NOTE,
        held_out.held_out_differences,
        held_out.turns_line,
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
            "The optimum is where a cubic over the logarithm of the size is lowest, fitted to all sizes that were "
            "tried. Seeds and text are drawn together, 2,000 times: how often each size is the best, and the interval. "
            "The optimum is given where the curve fits (p at least 0.05), at most half of the sizes may be the best, "
            "and its interval ends within what was tried."
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
        "chosen",
        "What was chosen by looking at held-out text",
        [
            "What was chosen on the text that ranks flatters what it was chosen for. A setting is listed where runs "
            "have it at the value that was chosen."
        ],
        models.chosen_table,
        findings.of_choices,
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
    written = write_across([part.comparison for part in parts], folder)
    for section in SECTIONS:
        tables = [(part.comparison, table) for part in parts for this, table in part.tables if this is section]
        if tables:
            rows = pd.concat([section.numbers(comparison, table) for comparison, table in tables])
            named = [(title(comparison), table) for comparison, table in tables]
            written.update(write_table(section.name, named, rows, folder))
    keep_only(folder, written)
