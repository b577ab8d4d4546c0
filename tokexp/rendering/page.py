"""`index.html`: a report as one page, to be opened from a file, without a network.

The tables and sentences are those of the README; the curves, which plotly draws, and the samples cut
into pieces are for eyes that want to look closer. Without JavaScript, and on paper, the tables, the
pictures of `figures/` and the first samples are there.

What comes from texts, models and settings is escaped: by Jinja in HTML, as \\u003c in JSON, in `page.js` by
`textContent` alone. Scripts other than those of the page are refused by its Content-Security-Policy.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements import held_equal, ranking
from tokexp.rendering.chart import AXIS_TITLES, MEASURE_TITLES, MEASURES, caption, chart, island, variable_of
from tokexp.rendering.cutter import Cutter, cutter
from tokexp.rendering.figures.gallery import PICTURES
from tokexp.rendering.figures.panels import panel_names
from tokexp.rendering.figures.style import looks, on_dark
from tokexp.rendering.pieces import passage_lines
from tokexp.rendering.readme import MOST_PANELS, absent, provenance
from tokexp.rendering.sentences import held_equal_line, question, ranking_paragraphs, title
from tokexp.rendering.tables.columns import Column, Table, Value, line_of, sort_key
from tokexp.rendering.tables.sections import ComparisonTables
from tokexp.rendering.text import Paragraph, html, html_paragraph, plain, printable
from tokexp.runs.study import Study
from tokexp.system.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
# Pictures that the curves show too, and so are for paper and for no JavaScript alone.
SHOWN_AS_CURVES = ("bits_per_byte", "flops", "sweep_panel")
MOST_SAMPLED = 24  # runs whose samples are all shown; of more, those of each cell's first seed
SHORT = 28  # characters that are kept in one line


@dataclass(frozen=True)
class Field:
    """A cell of a table. `kind`: the CSS class of its column."""

    text: Markup
    colour: str  # of the cell that it names, or ""
    kind: str
    number: float | None = None  # by which it is sorted


@dataclass(frozen=True)
class Grid:
    head: list[Field]
    rows: list[list[Field]]


@dataclass(frozen=True)
class Card:
    """A sample as plain text."""

    label: str
    colour: str
    caption: str
    text: str


@dataclass(frozen=True)
class Image:
    caption: str
    source: str  # data URI


@dataclass(frozen=True)
class PageOfComparison:
    """What the page says of the runs that were scored on the same bytes."""

    title: str
    answer: list[Markup]
    held_equal: Markup
    sections: list[tuple[str, str, Markup, Grid]]  # name, heading, note, table
    pictures: list[Image]
    for_paper: list[Image]  # pictures of what the chart draws too
    panels: list[Image]
    colours: dict[Cell, str]
    cards: list[tuple[str, list[Card]]]
    lines: list[Any]  # of the held-out passage
    cutter: Cutter | None
    chart: dict[str, Any]


def write_page(study: Study, parts: list[ComparisonTables], folder: Path) -> Path:
    """Write `folder`/index.html and return its path. The pictures are those of `folder`/figures, drawn before."""
    path = folder / "index.html"
    write_text(path, page(study, parts, folder / "figures"))
    return path


def page(study: Study, parts: list[ComparisonTables], figures: Path) -> str:
    """The page; the same bytes for the same study and pictures."""
    shown = [_part(part, figures, i) for i, part in enumerate(parts)]
    scripts = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in ("theme.js", "page.js", "cut.js")}
    scripts["plotly"] = get_plotlyjs()
    measures = {name: {"short": short, "title": MEASURE_TITLES[name]} for name, (short, _) in MEASURES.items()}
    colours = sorted({colour for part in shown for colour in part.colours.values()})
    return fill(
        "page.html.j2",
        name=study.name,
        question=question(study.name),
        parts=shown,
        missing=[absent(run) for run in study.missing],
        provenance=provenance(study.results),
        axes=AXIS_TITLES,
        measures=MEASURE_TITLES,
        colours={colour: (variable_of(colour), on_dark(colour)) for colour in colours},
        island=island({"axes": AXIS_TITLES, "measures": measures, "parts": [part.chart for part in shown]}),
        scripts={name: Markup(script) for name, script in scripts.items()},
        digests=[_digest(script) for script in scripts.values()],
    )


def fill(template: str, **values: Any) -> str:
    """A page: a template of `templates/` with `values`, which are escaped unless they are Markup, and the one style."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **values)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _part(part: ComparisonTables, figures: Path, i: int) -> PageOfComparison:
    comparison = part.comparison
    colours = {cell: look.colour.lower() for cell, look in looks(comparison).items()}
    images = {picture.name: _image(figures, f"{picture.name}_{i}", picture.caption) for picture in PICTURES}
    names = panel_names(comparison, i)
    panels = [_image(figures, names[cell], f"Training of {cell}") for cell in comparison.cells[:MOST_PANELS]]
    blocks: list[Paragraph] = ranking_paragraphs(ranking(comparison))
    return PageOfComparison(
        title=title(comparison),
        answer=[html_paragraph(block) for block in blocks],
        held_equal=html_paragraph(held_equal_line(held_equal(comparison))),
        sections=[
            (section.name, section.heading, html(section.note), grid(table, colours)) for section, table in part.tables
        ],
        pictures=[image for name, image in images.items() if image and name not in SHOWN_AS_CURVES],
        for_paper=[image for name, image in images.items() if image and name in SHOWN_AS_CURVES],
        panels=[image for image in panels if image],
        colours=colours,
        cards=cards(comparison, colours),
        lines=passage_lines(comparison),
        cutter=cutter(comparison),
        chart=chart(comparison, sampled(comparison)),
    )


def sampled(comparison: Comparison) -> list[str]:
    """The names of the runs whose samples are shown: all, or where they are many the first seeds."""
    return list(comparison.cell_of) if len(comparison.runs) <= MOST_SAMPLED else comparison.first_seeds


def _image(figures: Path, name: str, caption: str) -> Image | None:
    """The smaller of a picture's files as a data URI; None where it was not drawn."""
    types = {".png": "image/png", ".svg": "image/svg+xml"}
    files = [path for ending in types if (path := figures / (name + ending)).is_file()]
    if not files:
        return None
    best = min(files, key=lambda path: path.stat().st_size)
    data = base64.b64encode(best.read_bytes()).decode()
    return Image(caption, f"data:{types[best.suffix]};base64,{data}")


def grid(table: Table, colours: dict[Cell, str]) -> Grid:
    """A table for HTML: what names a cell gets its colour, columns of figures are told from text."""
    by_cell = {**{cell.without_budget(): colour for cell, colour in colours.items()}, **colours}
    columns = [_fields(column, by_cell) for column in table.columns]
    kinds = [_kind(column) for column in table.columns]
    head = [
        Field(html(line_of(column.heading)), _colour(column.heading, by_cell), kind)
        for column, kind in zip(table.columns, kinds, strict=True)
    ]
    return Grid(head, [list(row) for row in zip(*columns, strict=True)])


def _fields(column: Column, by_cell: dict[Cell, str]) -> list[Field]:
    kind = _kind(column)
    return [
        Field(
            html(line_of(value, column.form)), _colour(value, by_cell), kind, sort_key(value) if kind == "n" else None
        )
        for value in column.values
    ]


def _colour(value: Value, by_cell: dict[Cell, str]) -> str:
    return by_cell.get(value, "") if isinstance(value, Cell) else ""


def _kind(column: Column) -> str:
    """ "n" for figures, "s" for short text that need not be broken, "" for text."""
    if column.is_figures:
        return "n"
    return "s" if max(len(plain(line)) for line in column.lines()) <= SHORT else ""


def cards(comparison: Comparison, colours: dict[Cell, str]) -> list[tuple[str, list[Card]]]:
    """The first sample of equal tokens of each run, and the first of equal characters, as plain text."""
    shown = []
    names = sampled(comparison)
    cell_of = comparison.cell_of
    for equal, heading in (("tokens", "equal tokens"), ("chars", "equal characters")):
        rows: dict[str, dict[str, Any]] = {}
        for row in comparison.study.samples:
            if row["equal"] == equal and row["name"] in names:
                rows.setdefault(row["name"], row)
        if rows:
            some = [
                Card(
                    comparison.labels[name], colours[cell_of[name]], caption(rows[name]), printable(rows[name]["text"])
                )
                for name in comparison.runs["name"]
                if name in rows
            ]
            first = next(iter(rows.values()))
            shown.append((f"{heading}, temperature {first['temperature']:g}, sample {first['sample'] + 1}", some))
    return shown
