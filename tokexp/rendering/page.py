"""`index.html`: a report as one page, to be opened from a file, without a network.

The tables and sentences are those of the README; the curves, which plotly draws, and the samples cut
into pieces are for eyes that want to look closer. Without JavaScript, and on paper, the tables, the
pictures of `figures.py` and the first samples are there.

What comes from texts, models and settings is escaped: by Jinja in HTML, as \\u003c in JSON, in `page.js` by
`textContent` alone. Scripts other than those of the page are refused by its Content-Security-Policy.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from tokexp.analysis.tables import cells, labels
from tokexp.rendering.drawn import AXIS_TITLES, MEASURES, Hues, baselines_drawn, curves_of, island, samples_of
from tokexp.rendering.figures import FIGURES
from tokexp.rendering.panels import panel_names
from tokexp.rendering.passage import Cut, lines
from tokexp.rendering.readme import MOST_PANELS, absent, held_equal, printable, provenance, question, ranking
from tokexp.rendering.sections import Made, Section, make_sections
from tokexp.rendering.style import Look, looks, on_dark
from tokexp.runs.study import Study
from tokexp.system.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
# Pictures that the curves show too, and so are for paper and for no JavaScript alone.
DRAWN_AGAIN = ("bits_per_byte", "flops", "sweep_panel")
MOST_SAMPLED = 24  # runs whose samples are all shown; of more, those of each cell's first seed
SHORT = 28  # characters that are kept in one line


@dataclass(frozen=True)
class Field:
    """A cell of a table. `colour`: that of the run which it names, or ""; `kind`: the CSS class of its column."""

    text: Markup
    colour: str
    kind: str


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
    drawn_again: bool


@dataclass(frozen=True)
class Part:
    """What the page says of the runs that were scored on the same bytes."""

    title: str
    answer: list[Markup]
    held_equal: Markup
    sections: list[tuple[Section, Markup, Grid]]
    images: list[Image]
    panels: list[Image]
    colours: set[str]
    cards: list[tuple[str, list[Card]]]
    lines: list[list[Cut]]
    data: dict[str, Any]  # what page.js draws


def write_html(study: Study, folder: Path, made: Made | None = None) -> Path:
    """Write `folder`/index.html and return its path.

    The pictures are those of `folder`/figures, drawn before. `made`: the tables, where they have been made.
    """
    path = folder / "index.html"
    write_text(path, render(study, make_sections(study) if made is None else made, folder / "figures"))
    return path


def render(study: Study, made: Made, figures: Path) -> str:
    """The page; the same bytes for the same study and pictures."""
    parts = [_part(study, runs, corpus, sections, figures, i) for i, (corpus, runs, sections) in enumerate(made)]
    scripts = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in ("theme.js", "page.js")}
    scripts["plotly"] = get_plotlyjs()
    colours = sorted(set().union(*(part.colours for part in parts)))
    return fill(
        "page.html.j2",
        name=study.name,
        question=question(study.name),
        parts=parts,
        missing=[absent(run).removeprefix("- ") for run in study.missing],
        provenance=[line.removeprefix("- ") for line in provenance(study.results).splitlines()],
        axes=AXIS_TITLES,
        measures=MEASURES,
        colours={colour: (name_of(colour), on_dark(colour)) for colour in colours},
        island=island({"axes": AXIS_TITLES, "measures": MEASURES, "parts": [part.data for part in parts]}),
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


def _part(
    study: Study, runs: pd.DataFrame, corpus: str, sections: list[tuple[Section, pd.DataFrame]], figures: Path, i: int
) -> Part:
    look, panel_of = looks(runs), panel_names(runs)
    named = runs.assign(cell=cells(runs), label=labels(runs))
    hues = hues_of(named, look)
    firsts = named[named["name"].isin(named.sort_values("seed").drop_duplicates("cell")["name"])]
    drawn = samples_of(study, named if len(runs) <= MOST_SAMPLED else firsts, hues)
    images = [
        Image(picture.caption, source, picture.name in DRAWN_AGAIN)
        for picture in FIGURES
        if (source := _source(figures, f"{picture.name}_{i}"))
    ]
    panels = [
        Image(f"Training of {cell}", source, True)
        for cell in list(look)[:MOST_PANELS]
        if (source := _source(figures, panel_of[cell]))
    ]
    return Part(
        title=corpus,
        answer=list(prose(ranking(study, runs))),
        held_equal=next(prose(held_equal(runs))),
        sections=[(section, inline(section.note), grid(table, hues)) for section, table in sections],
        images=images,
        panels=panels,
        colours=set(hues.values()),
        cards=cards(drawn),
        lines=lines(study, named, hues),
        data={"cells": curves_of(study, named, look), "baselines": baselines_drawn(study, runs), "samples": drawn},
    )


def hues_of(runs: pd.DataFrame, look: dict[str, Look]) -> Hues:
    """By cell, with and without its budget, and by run; `runs` have their `cell` and `label`."""
    colours = [look[cell].colour.lower() for cell in runs.cell]
    names = [*runs.label, *cells(runs, but="budget."), *runs.cell]
    return dict(zip(names, colours * 3, strict=True))


def name_of(colour: str) -> str:
    """The CSS variable that has `colour`, or its like on the dark page."""
    return f"--c{colour.removeprefix('#')}"


def _source(figures: Path, name: str) -> str:
    """The smaller of a picture's files as a data URI; "" where it was not drawn."""
    types = {".png": "image/png", ".svg": "image/svg+xml"}
    files = [path for ending in types if (path := figures / (name + ending)).is_file()]
    if not files:
        return ""
    best = min(files, key=lambda path: path.stat().st_size)
    return f"data:{types[best.suffix]};base64,{base64.b64encode(best.read_bytes()).decode()}"


def inline(text: str) -> Markup:
    """The Markdown of our own notes: emphasis and code."""
    html = str(escape(text))
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html))


def strong(text: str) -> Markup:
    """The same, but strong alone, for sentences that name runs: their settings may hold other marks."""
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", str(escape(text))))


def prose(text: str) -> Iterator[Markup]:
    """Paragraphs and lists of Markdown as HTML."""
    for block in text.split("\n\n"):
        if block.startswith("- "):
            items = [strong(line) for line in block.removeprefix("- ").split("\n- ")]
            yield Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(item) for item in items))
        else:
            yield Markup("<p>{}</p>").format(strong(block))


def grid(table: pd.DataFrame, hues: Hues) -> Grid:
    """A table of sections.py for HTML: what names a run gets its colour, columns of figures are told from text."""
    table = table.astype(str)
    names = [str(name) for name in table.columns]
    kinds = [kind_of(list(table[name])) for name in names]
    head = [Field(escape(name), hues.get(name, ""), kind) for name, kind in zip(names, kinds, strict=True)]
    rows = [
        [Field(_cell(text), hues.get(text, ""), kind) for text, kind in zip(row, kinds, strict=True)]
        for row in table.itertuples(index=False, name=None)
    ]
    return Grid(head, rows)


def _cell(text: str) -> Markup:
    """A baseline is written *in italics*, a verdict begins **strong**; other asterisks are somebody's setting."""
    if whole := re.fullmatch(r"\*([^*]+)\*", text):
        return Markup("<em>{}</em>").format(whole[1])
    return strong(text) if text.startswith("**") else escape(text)


def kind_of(column: list[str]) -> str:
    """ "n" for figures, which may be in brackets, "s" for short text that need not be broken, "" for text."""
    if all(re.match(r"\(?[+-]?\d|nan\b|nothing to count$|$", text) for text in column):
        return "n"
    return "s" if max(map(len, column)) <= SHORT else ""


def cards(drawn: dict[str, Any]) -> list[tuple[str, list[Card]]]:
    """The first draw of equal tokens and the first of equal characters as plain text."""
    found = []
    for equal in ("equal tokens", "equal characters"):
        at = next((i for i, draw in enumerate(drawn["draws"]) if draw.startswith(equal)), None)
        if at is not None:
            some = [
                Card(run["label"], run["colour"], text["caption"], printable(text["text"]))
                for run in drawn["runs"]
                if (text := run["texts"][at])
            ]
            found.append((drawn["draws"][at], some))
    return found
