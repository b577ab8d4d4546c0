"""What the page says first: over all corpora, and of each comparison its first screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements.answer import ranking
from tokexp.rendering.figures.gallery import ACROSS
from tokexp.rendering.first_screen import first_screen
from tokexp.rendering.left_out import short_sections
from tokexp.rendering.page.pictures import Drawing, drawing
from tokexp.rendering.page.tables import Grid, grid
from tokexp.rendering.sentences import ranking_paragraphs
from tokexp.rendering.tables.across import tables_across
from tokexp.rendering.text import html, html_paragraph


@dataclass(frozen=True)
class Screen:
    """The first screen."""

    warnings: list[Markup]
    answer: Markup
    settle: list[Markup]
    command: str
    ranked_on: Markup
    held_equal: Markup
    corpus: Markup
    grid: Grid  # the main table
    behind: list[Markup]  # what more is known of the leads, below


@dataclass(frozen=True)
class FoldedTable:
    """A table below the first screen. `finding`: what stands beside its heading while it is folded."""

    name: str
    heading: str
    finding: Markup
    note: Markup
    grid: Grid


@dataclass(frozen=True)
class Across(FoldedTable):
    """A table over all corpora or texts, or of one of many."""

    folded: bool
    picture: Drawing | None


def across_of(comparisons: list[Comparison], figures: Path) -> list[Across]:
    """What holds over all corpora."""
    images = {name: drawing(figures, picture.name, picture.caption) for name, picture in ACROSS.items()}
    tables = [
        Across(
            section.name, section.heading, html(section.finding(comparisons)), html(section.note(comparisons)),
            grid(made, {}), section.folded, images.get(section.name),
        )
        for section, made in tables_across(comparisons)
    ]  # fmt: skip
    return tables + [
        Across(f"text-{i}", one.name, html(one.finding), html(one.note), grid(one.table, {}), True, None)
        for i, one in enumerate(short_sections(comparisons))
    ]


def screen_of(comparison: Comparison, colours: dict[Cell, str]) -> Screen:
    screen = first_screen(comparison)
    return Screen(
        warnings=[html(line) for line in screen.warnings],
        answer=html(screen.answer),
        settle=[html(line) for line in screen.settle],
        command=screen.command or "",
        ranked_on=html(screen.ranked_on),
        held_equal=html(screen.held_equal),
        corpus=html(screen.corpus),
        grid=grid(screen.table, colours),
        behind=[html_paragraph(block) for block in ranking_paragraphs(ranking(comparison))],
    )
