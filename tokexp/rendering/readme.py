"""A report's README: the question, the answer, the ranking; the tables, pictures and samples folded below."""

from __future__ import annotations

import html as escaping
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements.answer import ranking
from tokexp.rendering.figures.gallery import ACROSS, PICTURES
from tokexp.rendering.figures.panels import MOST_PANELS, panel_names
from tokexp.rendering.first_screen import PICTURE, FirstScreen, first_screen, report_title
from tokexp.rendering.left_out import ShortSection, short_sections
from tokexp.rendering.page.chart import caption
from tokexp.rendering.page.pieces import passages, visible
from tokexp.rendering.sentences import ranking_paragraphs, title
from tokexp.rendering.tables.across import tables_across
from tokexp.rendering.tables.forms import markdown_table
from tokexp.rendering.tables.sections import ComparisonTables
from tokexp.rendering.text import Line, html, markdown, markdown_paragraphs, printable, sentence
from tokexp.runs.study import Study
from tokexp.scoring.samples.segments import pieces_of
from tokexp.system.files import write_text

ABREAST = 4  # samples side by side
SHOWN = 70  # bytes of the passage that is shown in pieces
UNFOLDED = ("sweep_panel", "forest")  # pictures that are not folded, below the ranking
MOST_ROWS = 100  # of a table; the others are in tables/


def write_readme(study: Study, parts: list[ComparisonTables], folder: Path) -> Path:
    """Write `folder`/README.md and return its path."""
    blocks = [f"# {markdown([report_title(study)])}", f"<sub>{_html(study.name)}, {_runs(len(study.results))}</sub>"]
    if n := len(study.missing):
        of = f"{n} of {len(study.results) + n} runs {'is' if n == 1 else 'are'} missing"
        blocks.append(f"**{of}**; the end of this page says which.")
    blocks += _across(parts, folder)
    short = [_short(one) for one in short_sections([part.comparison for part in parts])]
    blocks += short
    for i, part in enumerate([] if short else parts):
        if len(parts) > 1:
            blocks.append(f"## {markdown([title(part.comparison)])}")
        blocks += [*_first(first_screen(part.comparison), i, folder), *_folded(part, i, folder)]
    if study.missing:
        blocks += ["## Missing", "\n".join(f"- {markdown([absent(run)])}" for run in study.missing)]
    texts = [markdown([title(part.comparison)]) for part in parts]
    blocks += ["## Where this comes from", "\n".join(f"- {line}" for line in [*texts, *provenance(study.results)])]
    path = folder / "README.md"
    write_text(path, "\n\n".join(blocks) + "\n")
    return path


def _across(parts: list[ComparisonTables], folder: Path) -> list[str]:
    """What holds over all corpora: before any of them."""
    comparisons = [part.comparison for part in parts]
    blocks = []
    for section, made in tables_across(comparisons):
        finding, body = section.finding(comparisons), markdown_table(made, MOST_ROWS)
        note = markdown(section.note(comparisons))
        if section.folded:
            blocks.append(_details(section.heading, note, body, finding=finding))
        else:
            blocks += [f"## {section.heading}", markdown(finding), body, note]
        picture = ACROSS.get(section.name)
        if picture and (folder / "figures" / f"{picture.name}.png").exists():
            blocks.append(f"![{picture.caption}](figures/{picture.name}.png)")
    return blocks


def _short(section: ShortSection) -> str:
    return _details(section.name, markdown(section.note), markdown_table(section.table), finding=section.finding)


def _runs(n: int) -> str:
    return f"{n} run{'' if n == 1 else 's'}"


def _first(screen: FirstScreen, i: int, folder: Path) -> list[str]:
    """The answer, the ranking, what would settle it, the main table, the curves and the differences as pictures."""
    blocks = [markdown(sentence(*screen.warnings))] if screen.warnings else []
    blocks += [markdown(line) for line in (screen.answer, screen.ranked_on) if line]
    blocks += _picture(folder, PICTURE, i)
    if screen.settle:
        blocks.append(f"**What would settle it.** {markdown(sentence(*screen.settle))}")
    if screen.command:
        blocks.append(f"```\n{screen.command}\n```")
    blocks += [markdown_table(screen.table, MOST_ROWS)]
    blocks += [markdown(line) for line in (screen.held_equal, screen.corpus) if line]
    return blocks + [block for name in UNFOLDED for block in _picture(folder, name, i)]


def _picture(folder: Path, name: str, i: int) -> list[str]:
    """The picture, where it was drawn."""
    caption = next(picture.caption for picture in PICTURES if picture.name == name)
    there = (folder / "figures" / f"{name}_{i}.png").exists()
    return [f"![{caption}](figures/{name}_{i}.png)"] if there else []


def _folded(part: ComparisonTables, i: int, folder: Path) -> list[str]:
    """Everything else: each with its heading and what it found."""
    comparison = part.comparison
    blocks = [_details("Behind the answer", markdown_paragraphs(ranking_paragraphs(ranking(comparison))))]
    for section, table in part.tables:
        body = [markdown(section.explained(comparison)), markdown_table(table, MOST_ROWS)]
        if len(table) > MOST_ROWS:
            body.append(f"These are the first {MOST_ROWS} of {len(table):,}; `tables/{section.name}.csv` has them all.")
        blocks.append(_details(section.heading, *body, finding=section.finding(comparison, table)))
    others = [picture for picture in PICTURES if picture.name not in (PICTURE, *UNFOLDED)]
    blocks += [_details(picture.caption, *drawn) for picture in others if (drawn := _picture(folder, picture.name, i))]
    if panels := _panels(comparison, i, folder):
        blocks.append(_details("The training of each", *panels))
    if pieces := _passage(comparison):
        blocks.append(_details("The same text in every tokenizer's pieces", pieces))
    if samples := _samples(comparison):
        blocks.append(_details("Samples", samples))
    return blocks


def _details(heading: str, *body: str, finding: Line | None = None) -> str:
    summary = html([heading, ": ", *finding] if finding else [heading])
    return "\n\n".join([f"<details><summary>{summary}</summary>", *body, "</details>"])


def _panels(comparison: Comparison, i: int, folder: Path) -> list[str]:
    """The pictures of the training of the best cells."""
    names = panel_names(comparison, i)
    panels = [cell for cell in comparison.cells if (folder / "figures" / f"{names[cell]}.png").exists()][:MOST_PANELS]
    more = len(comparison.cells) - len(panels)
    note = [f"These are the {len(panels)} best of {len(comparison.cells)}."] if more and panels else []
    return note + [f"![training of {markdown([str(cell)])}](figures/{names[cell]}.png)" for cell in panels]


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
            blocks.append(f"Samples of equal {'tokens' if equal == 'tokens' else 'characters'}, each after its prompt:")
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
    return escaping.escape(printable(text)).replace("\n", "&#10;")


def provenance(results: pd.DataFrame) -> list[str]:
    """Commits, machines and corpora."""
    commits = sorted(
        {f"{row.git_commit}{' with changes' if str(row.git_dirty) == 'True' else ''}" for row in results.itertuples()}
    )
    machines = sorted(
        {
            f"{row.device}, {row.threads} thread{'' if row.threads == 1 else 's'}, {row.versions}"
            for row in results.itertuples()
        }
    )
    corpora = sorted(set(results.corpus + " SHA-256 " + results.corpus_sha256))
    return [*(f"commit {commit}" for commit in commits), *machines, *corpora]
