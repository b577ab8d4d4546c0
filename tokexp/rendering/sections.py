"""The tables of a report in their order: what each is called, what must be known to read it, how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tokexp.analysis.against_baselines import beside_table
from tokexp.analysis.along import stretch_table
from tokexp.analysis.content import content_table
from tokexp.analysis.correlation import prediction_table
from tokexp.analysis.differences import difference_table
from tokexp.analysis.insights import insights, seed_rows
from tokexp.analysis.readability import readability_table, temperatures
from tokexp.analysis.seed_experiment import original_table
from tokexp.analysis.tables import by_corpus, markdown, table
from tokexp.analysis.views import view_table, views
from tokexp.analysis.vocabulary import optimum_table
from tokexp.runs.study import Study
from tokexp.system.files import write_text

Make = Callable[[Study, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Section:
    name: str  # of its files in tables/
    heading: str
    note: str
    make: Make


def _of(name: str) -> Make:
    return lambda study, runs: table(study, runs, name)


def _content(partition: str) -> Make:
    return lambda study, runs: content_table(study, runs, partition)


def _readability(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    parts = [
        readability_table(study, runs, temperature).assign(temperature=f"{temperature:g}").set_index("temperature")
        for temperature in temperatures(study, runs)
    ]
    return pd.concat(parts).reset_index() if parts else pd.DataFrame()


SECTIONS = [
    Section(
        "bits_per_byte",
        "Bits per byte on held-out text",
        "Ranked by *total*, at the end of the budget: the model's bits for its tokens (naive) and, for a tokenizer "
        "that loses case, spacing or rare words, the bits that bring them back (restoration), over the UTF-8 bytes "
        "of the original text; a mean over the seeds, ± half the width of its 95 % interval. A checkpoint chosen on "
        "this text flatters itself; the cross-fitted figure does not. In italics the baselines: a static one learned "
        "from the training part alone, as the models did; an adaptive one goes on learning as it reads.",
        _of("bits_per_byte"),
    ),
    Section(
        "differences",
        "Which differences are real",
        "Every pair of cells whose models have one size, the better one first. Intervals at 95 %: over the seeds "
        "(Welch), and over the text (paired bootstrap over its 64 blocks, in stretches of eight, since neighbours are "
        "alike). *Resolved* where both tests reject, that over the text by t over the stretches, corrected for the "
        "number of pairs (Holm).",
        difference_table,
    ),
    Section(
        "beside",
        "Beside the baselines",
        "Every cell and the best baseline of each family: at the end of the budget and, where that is another, at its "
        "best checkpoint with the choice paid for. Positive where the cell is before it. Intervals and verdicts as "
        "above; over the seeds the cell alone varies.",
        beside_table,
    ),
    Section(
        "stretches",
        "Along the held-out text",
        "Total bits per byte of each eighth of the held-out text, at the end: a text need not be of one kind, and a "
        "lead may be that of a part.",
        stretch_table,
    ),
    Section(
        "views",
        "Under other terms",
        "The same runs read where they had taken equal steps, read equally much, and so on. In brackets: before the "
        "end of a run's schedule, so not to be ranked; train with that budget, or a constant rate, to compare there.",
        lambda study, runs: view_table(views(study, runs)),
    ),
    Section(
        "place",
        "Where the loss lies",
        "Total bits per byte of each kind of content, headed by its share of the bytes. A token's bits are shared "
        "out among its bytes by the model's own probabilities (`tokexp/content.py`). Where a word ends is paid by the "
        "space after it, or by a token's last letter: compare words and spacing together.",
        _content("place"),
    ),
    Section(
        "word",
        "Common and rare words",
        "The same over the words outside headings, by how often the training part has them.",
        _content("word"),
    ),
    Section(
        "context",
        "By the context before",
        "The same by the bytes of context in the window. Longer tokens have more of it, so a column holds other bytes "
        "for each tokenizer: read along the rows, not down. Empty where fewer than 100 bytes had so much.",
        _content("context"),
    ),
    Section(
        "readability",
        "How the samples read",
        "A mean over samples and seeds (95 % by bootstrap over both), and its distance from passages of the held-out "
        "text, in standard deviations of those. Above the human band is not better: it is copying, or playing safe.",
        _readability,
    ),
    Section(
        "seed_rows",
        "What the seed experiment ticked by eye",
        "Its rows as figures; the distance from human text in brackets.",
        seed_rows,
    ),
    Section(
        "original",
        "Beside the seed experiment",
        "What it published, and the same from runs by its protocol. Its losses are per token; its tokenizers had seen "
        "the held-out text, of which each had its own, so its held-out losses can be met only nearly; it had rounded. "
        "Split first, the words have fewer entries; 500 characters are 500 by construction. "
        "Its BPE marked the ends of words, as `bpe_classic` does.",
        original_table,
    ),
    Section("insights", "Do its six insights hold?", "Computed from the tables above.", insights),
    Section(
        "loss_per_token",
        "Loss per token",
        "Nats per token. **Not comparable between rows**: a token of one tokenizer is more text than one of another.",
        _of("loss_per_token"),
    ),
    Section(
        "tokenizers",
        "The tokenizers",
        "Figures of the tokenizers alone, over the held-out text; formulas in `tokexp/intrinsic.py`.",
        _of("tokenizers"),
    ),
    Section(
        "optimum",
        "The best size of vocabulary",
        "By a parabola over the logarithm of the size, through the best one tried and its two neighbours.",
        optimum_table,
    ),
    Section(
        "prediction",
        "What could have been known without training",
        "Spearman's rank correlation over the cells of one model size, with its 95 % interval by bootstrap over them.",
        prediction_table,
    ),
    Section(
        "cost",
        "What it cost",
        "What training consumed; bytes are text read, repetitions included; FLOPs by the usual estimate.",
        _of("cost"),
    ),
    Section(
        "parameters", "Parameters", "The body is the same for all; the vocabulary decides the rest.", _of("parameters")
    ),
]


Made = list[tuple[str, pd.DataFrame, list[tuple[Section, pd.DataFrame]]]]


def make_sections(study: Study) -> Made:
    """For each corpus its name, its runs, and each section that these have something for."""
    return [(corpus, runs, sections(study, runs)) for corpus, runs in by_corpus(study.results)]


def sections(study: Study, runs: pd.DataFrame) -> list[tuple[Section, pd.DataFrame]]:
    """Each section that `runs`, which were scored on the same bytes, have something for."""
    return [(section, made) for section in SECTIONS if len(made := section.make(study, runs))]


def write_tables(made: Made, folder: Path) -> None:
    """Every table of every corpus, as NAME.md, NAME.tex and, with a column for the corpus, NAME.csv."""
    found: dict[str, list[tuple[str, pd.DataFrame]]] = {}
    for corpus, _, own in made:
        for section, rows in own:
            found.setdefault(section.name, []).append((corpus, rows))
    for name, parts in found.items():
        markdowns = [f"### {corpus}\n\n{markdown(rows)}" for corpus, rows in parts]
        write_text(folder / f"{name}.md", "\n\n".join(markdowns) + "\n")
        write_text(folder / f"{name}.tex", "\n".join(latex(rows, corpus) for corpus, rows in parts))
        together = pd.concat([rows.assign(corpus=corpus) for corpus, rows in parts])
        write_text(folder / f"{name}.csv", together.to_csv(index=False))


TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "∝": r"$\propto$",
}  # fmt: skip


def latex(rows: pd.DataFrame, corpus: str) -> str:
    """A table for booktabs; Markdown's asterisks go."""

    def row(cells: list[str]) -> str:
        plain = (str(cell).replace("*", "") for cell in cells)
        return " & ".join("".join(TEX.get(char, char) for char in cell) for cell in plain) + r" \\"

    return "\n".join(
        [
            f"% {corpus}",
            rf"\begin{{tabular}}{{l{'r' * (len(rows.columns) - 1)}}}",
            r"\toprule",
            row([str(column) for column in rows.columns]),
            r"\midrule",
            *(row(list(cells)) for cells in rows.itertuples(index=False, name=None)),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
