"""A report's README: what was asked, what was held equal, the tables, the pictures, the samples."""

from __future__ import annotations

import html
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements.answer import ranking
from tokexp.analysis.statements.held_equal import held_equal
from tokexp.rendering.chart import caption
from tokexp.rendering.figures.gallery import PICTURES
from tokexp.rendering.figures.panels import MOST_PANELS, panel_names
from tokexp.rendering.pieces import passages, visible
from tokexp.rendering.sentences import held_equal_line, question, ranking_paragraphs, title
from tokexp.rendering.tables.forms import markdown_table
from tokexp.rendering.tables.sections import ComparisonTables
from tokexp.rendering.text import markdown, markdown_paragraphs, printable
from tokexp.runs.study import Study
from tokexp.scoring.samples.segments import pieces_of
from tokexp.system.files import write_text

ABREAST = 4  # samples side by side
SHOWN = 70  # bytes of the passage that is shown in pieces
MOST_ROWS = 100  # of a table; the others are in tables/


def write_readme(study: Study, parts: list[ComparisonTables], folder: Path) -> Path:
    """Write `folder`/README.md and return its path."""
    asked = question(study.name)
    blocks = [f"# {study.name}{': ' if asked else ''}{asked}"]
    if study.missing:
        blocks.append(
            f"**{len(study.missing)} runs are missing**, of {len(study.results) + len(study.missing)}: see the end."
        )
    for i, part in enumerate(parts):
        blocks += _part(part, i, folder)
    if study.missing:
        blocks += ["## Missing", "\n".join(f"- {markdown([absent(run)])}" for run in study.missing)]
    blocks += ["## Where this comes from", "\n".join(f"- {line}" for line in provenance(study.results))]
    path = folder / "README.md"
    write_text(path, "\n\n".join(blocks) + "\n")
    return path


def _part(part: ComparisonTables, i: int, folder: Path) -> list[str]:
    comparison = part.comparison
    blocks = [markdown(held_equal_line(held_equal(comparison))), f"## {markdown([title(comparison)])}"]
    blocks.append(markdown_paragraphs(ranking_paragraphs(ranking(comparison))))
    for section, table in part.tables:
        blocks += [f"### {section.heading}", markdown(section.note), markdown_table(table, MOST_ROWS)]
        if len(table) > MOST_ROWS:
            blocks.append(f"The first {MOST_ROWS} of {len(table):,}; all are in `tables/{section.name}.csv`.")
    blocks.append("### Pictures")
    for picture in PICTURES:
        name = f"{picture.name}_{i}"
        if (folder / "figures" / f"{name}.png").exists():
            blocks += [f"{picture.caption} ([SVG](figures/{name}.svg))", f"![{picture.caption}](figures/{name}.png)"]
    blocks.append("### Training")
    names = panel_names(comparison, i)
    panels = [cell for cell in comparison.cells if (folder / "figures" / f"{names[cell]}.png").exists()]
    if len(panels) > MOST_PANELS:
        blocks.append(f"Of the {MOST_PANELS} best; those of the others are in `figures/`.")
    blocks += [f"![training of {markdown([str(cell)])}](figures/{names[cell]}.png)" for cell in panels[:MOST_PANELS]]
    if pieces := _passage(comparison):
        blocks += ["### The same text in every tokenizer's pieces", pieces]
    return [*blocks, "### Samples", _samples(comparison)]


def absent(run: dict[str, str]) -> str:
    """Why a cell of the sweep has no figures."""
    return f"{run['name']}: {run['state']}{': ' if run['reason'] else ''}{run['reason']}"


def _samples(comparison: Comparison) -> str:
    """A sample of equal tokens of each cell's first seed, side by side, then one of equal characters."""
    blocks = []
    for equal in ("tokens", "chars"):
        rows = {row["name"]: row for row in reversed(comparison.study.samples) if row["equal"] == equal}
        samples = [(comparison.cell_of[name], rows[name]) for name in comparison.first_seeds if name in rows]
        if samples:
            blocks.append(f"Equal {'tokens' if equal == 'tokens' else 'characters'}, each after its prompt:")
        for start in range(0, len(samples), ABREAST):
            some = samples[start : start + ABREAST]
            head = "".join(f"<th>{_html(str(cell))}: {_html(caption(row))}</th>" for cell, row in some)
            body = "".join(f"<td><pre>{_html(row['text'])}</pre></td>" for _, row in some)
            blocks.append(f"<table>\n<tr>{head}</tr>\n<tr valign=top>{body}</tr>\n</table>")
    return "\n\n".join(blocks)


def _passage(comparison: Comparison) -> str:
    """The beginning of the held-out passage in each tokenizer's pieces, with how many the whole of it has."""
    bytes_per_token = comparison.runs.set_index("name").bytes_per_token
    lines = []
    for passage in sorted(passages(comparison), key=lambda passage: bytes_per_token[passage.row["name"]]):
        row: dict[str, Any] = passage.row
        ends = accumulate(row["bytes"])
        pieces = [text for text, end in zip(pieces_of(row["text"], row["bytes"]), ends, strict=True) if end <= SHOWN]
        shown = visible("│".join(pieces)).replace("`", "'")
        lines.append(f"- {markdown([str(passage.tokenizer)])}, {len(row['bytes'])} pieces: `{shown}`")
    return "\n".join(lines)


def _html(text: str) -> str:
    """Text as it is, inside a table of Markdown: no tag, and no empty line, which would end the table."""
    return html.escape(printable(text)).replace("\n", "&#10;")


def provenance(results: pd.DataFrame) -> list[str]:
    """Commits, machines and corpora."""
    commits = sorted(
        {f"{row.git_commit}{' with changes' if str(row.git_dirty) == 'True' else ''}" for row in results.itertuples()}
    )
    machines = sorted({f"{row.device}, {row.threads} threads, {row.versions}" for row in results.itertuples()})
    corpora = sorted(set(results.corpus + " SHA-256 " + results.corpus_sha256))
    return [*(f"commit {commit}" for commit in commits), *machines, *corpora]
