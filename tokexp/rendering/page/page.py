"""`index.html`: a report as one page, to be opened from a file, without a network.

The tables and sentences are those of the README; the curves, which plotly draws, and the samples cut
into pieces are for eyes that want to look closer. Plotly lies once beside all reports. Without it, without
JavaScript, and on paper, the pictures of `figures/` stand where the curves would; without JavaScript and on
paper the tables and the first samples are there too.

What comes from texts, models and settings is escaped: by Jinja in HTML, as \\u003c in JSON, in `page.js` by
`textContent` alone. Scripts other than those of the page are refused by its Content-Security-Policy: its own are
known by their SHA-256, and plotly's element, in a file that has no SHA-256 under file://, by a nonce that nobody
can know who does not know all that the page draws.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.left_out import left_out
from tokexp.rendering.figures.gallery import PICTURES
from tokexp.rendering.figures.panels import MOST_PANELS, panel_names
from tokexp.rendering.figures.style import looks
from tokexp.rendering.first_screen import PICTURE, report_title
from tokexp.rendering.page.chart import AXIS_TITLES, MEASURE_TITLES, MEASURES, caption, chart, island
from tokexp.rendering.page.cutter import Cutter, cutter
from tokexp.rendering.page.pictures import Drawing, drawing, for_dark, variable_of
from tokexp.rendering.page.pieces import LEVELS, CutLine, passage_lines
from tokexp.rendering.page.screen import Across, FoldedTable, Screen, across_of, screen_of
from tokexp.rendering.page.tables import grid
from tokexp.rendering.readme import absent, provenance
from tokexp.rendering.sentences import title
from tokexp.rendering.tables.sections import ComparisonTables
from tokexp.rendering.text import html, printable
from tokexp.runs.files import SAMPLES
from tokexp.runs.study import Study
from tokexp.system.files import write_text

TEMPLATES = Path(__file__).parent.parent / "templates"
SCRIPTS = ("theme.js", "page.js", "texts.js", "curves.js", "cut.js")
LIBRARY = "plotly.min.js"  # in the folder of all reports
# Pictures that the curves show too, and so are for paper and for pages without the library alone.
SHOWN_AS_CURVES = ("bits_per_byte", "flops", "sweep_panel")
LEADS_PICTURE = "forest"
MAIN, LEADS, BEHIND = "Bits per byte", "The differences", "Behind the answer"
PASSAGE = "The same text in every tokenizer's pieces"
YOURS = "Your text in every tokenizer's pieces"
MOST_SAMPLED = 24  # runs whose samples are in the page; of more, those of the best cells' first seeds


@dataclass(frozen=True)
class Card:
    """A sample as plain text."""

    label: str
    colour: str
    caption: str
    text: str


@dataclass(frozen=True)
class PageOfComparison:
    """What the page says of the runs that were scored on the same bytes."""

    title: str
    screen: Screen
    tables: list[FoldedTable]
    ranking: Drawing | None
    leads: Drawing | None
    for_paper: list[Drawing]  # pictures of what the chart draws too
    pictures: list[Drawing]
    panels: list[Drawing]
    colours: dict[Cell, str]
    cards: list[tuple[str, list[Card]]]
    samples_finding: str
    lines: list[list[CutLine]]  # of the held-out passage
    cutter: Cutter | None
    chart: dict[str, Any]
    curves_elsewhere: bool  # whether the curves are of another text than what is ranked

    @property
    def has_bits(self) -> bool:
        """Whether any tokenizer's pieces have their bits, which older studies lack."""
        return any(cut.bits is not None for line in self.lines[:1] for cut in line)

    @property
    def passage_finding(self) -> str:
        """How many pieces the passage is, at least and at most."""
        rows = [sum(cuts) for cuts in zip(*([cut.begin for cut in line] for line in self.lines), strict=True)]
        least, most = min(rows), max(rows)
        return f"The same passage is {least if least == most else f'{least} to {most}'} pieces."

    @property
    def contents(self) -> list[tuple[str, str]]:
        """The sections of the page in their order, each with its heading."""
        shown = [("answer", "The answer"), ("main", MAIN), ("curves", "Curves"), ("leads", LEADS), ("behind", BEHIND)]
        shown += [(table.name, table.heading) for table in self.tables]
        shown += [
            ("passage", PASSAGE),
            ("cut", YOURS),
            ("samples", "Samples"),
            ("pictures", "Pictures"),
            ("training", "Training"),
        ]
        lacking = {
            "leads": self.leads is None,
            "behind": not self.screen.behind,
            "passage": not self.lines,
            "cut": not self.cutter,
        }
        lacking |= {"samples": not self.cards, "pictures": not self.pictures, "training": not self.panels}
        return [(name, heading) for name, heading in shown if not lacking.get(name)]


def write_page(study: Study, parts: list[ComparisonTables], folder: Path) -> Path:
    """Write `folder`/index.html and return its path. The pictures are those of `folder`/figures, drawn before.

    Beside `folder` it leaves the library that draws the curves, once for all reports.
    """
    path = folder / "index.html"
    write_text(path, page(study, parts, folder / "figures"))
    library, script = folder.parent / LIBRARY, get_plotlyjs()
    if not library.is_file() or library.read_text(encoding="utf-8") != script:
        write_text(library, script)
    return path


def page(study: Study, parts: list[ComparisonTables], figures: Path) -> str:
    """The page; the same bytes for the same study and pictures."""
    comparisons = [part.comparison for part in parts]
    across = across_of(comparisons, figures)
    shown = [] if left_out(comparisons) else [_part(part, figures, i) for i, part in enumerate(parts)]
    scripts = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS}
    measures = {name: {"short": short, "title": MEASURE_TITLES[name]} for name, (short, _) in MEASURES.items()}
    data = island({"axes": AXIS_TITLES, "measures": measures, "parts": [part.chart for part in shown]})
    return fill(
        "page.html.j2",
        name=study.name,
        title=report_title(study),
        parts=shown,
        across=across,
        missing=[absent(run) for run in study.missing],
        provenance=[*map(title, comparisons), *provenance(study.results)],
        axes=AXIS_TITLES,
        measures=MEASURE_TITLES,
        headings={"main": MAIN, "leads": LEADS, "behind": BEHIND, "passage": PASSAGE, "cut": YOURS},
        levels=LEVELS,
        colours={variable_of(colour): (colour, for_dark(colour)) for colour in sorted(_colours(shown, across))},
        variable_of=variable_of,
        island=data,
        scripts={name: Markup(script) for name, script in scripts.items()},
        digests=[_digest(script) for script in scripts.values()],
        library=LIBRARY,
        nonce=_digest(data),
    )


def _colours(parts: list[PageOfComparison], across: list[Across]) -> set[str]:
    """Those of the cells, and those of the pictures."""
    colours = {colour for part in parts for colour in part.colours.values()}
    colours |= {colour for table in across if table.picture for colour in table.picture.colours}
    for part in parts:
        images = [part.ranking, part.leads, *part.for_paper, *part.pictures, *part.panels]
        colours |= {colour for image in images if image for colour in image.colours}
    return colours


def fill(template: str, **values: Any) -> str:
    """A page: a template of `templates/` with `values`, which are escaped unless they are Markup, and the one style."""
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return _environment().get_template(template).render(style=style, **values)


@cache
def _environment() -> Environment:
    """Templates are compiled once."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _part(part: ComparisonTables, figures: Path, i: int) -> PageOfComparison:
    comparison = part.comparison
    colours = {cell: look.colour.lower() for cell, look in looks(comparison).items()}
    drawn = {picture.name: drawing(figures, f"{picture.name}_{i}", picture.caption) for picture in PICTURES}
    images = {name: image for name, image in drawn.items() if image}
    names = panel_names(comparison, i)
    panels = [drawing(figures, names[cell], f"Training of {cell}") for cell in comparison.cells[:MOST_PANELS]]
    elsewhere = {PICTURE, LEADS_PICTURE, *SHOWN_AS_CURVES}
    return PageOfComparison(
        title=title(comparison),
        screen=screen_of(comparison, colours),
        tables=[
            FoldedTable(
                section.name, section.heading, html(section.finding(comparison, table)),
                html(section.explained(comparison)), grid(table, colours),
            )
            for section, table in part.tables
        ],
        ranking=images.get(PICTURE),
        leads=images.get(LEADS_PICTURE),
        for_paper=[images[name] for name in SHOWN_AS_CURVES if name in images],
        pictures=[image for name, image in images.items() if name not in elsewhere],
        panels=[image for image in panels if image],
        colours=colours,
        cards=cards(comparison, colours),
        samples_finding=_count_of_samples(comparison),
        lines=passage_lines(comparison),
        cutter=cutter(comparison),
        chart=chart(comparison, sampled(comparison)),
        curves_elsewhere=not comparison.evaluates_all,
    )  # fmt: skip


def sampled(comparison: Comparison) -> list[str]:
    """The names of the runs whose samples are shown: all, or where they are many the first seeds of the best cells."""
    names = list(comparison.cell_of) if len(comparison.runs) <= MOST_SAMPLED else comparison.first_seeds
    return names[:MOST_SAMPLED]


def _count_of_samples(comparison: Comparison) -> str:
    runs = {row["name"] for row in comparison.study.samples} & set(comparison.cell_of)
    shown = len(runs & set(sampled(comparison)))
    more = "" if shown == len(runs) else f"; all are in {SAMPLES}"
    return f"What {shown} of {len(runs)} runs wrote{more}."


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
