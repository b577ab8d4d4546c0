"""A study in a notebook: its figures as data frames, its pictures as figures of matplotlib, its answer as HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison, comparisons
from tokexp.analysis.statements.answer import ranking
from tokexp.analysis.texts.left_out import left_out
from tokexp.rendering.figures.gallery import PICTURES
from tokexp.rendering.figures.style import STYLE
from tokexp.rendering.first_screen import PICTURE, first_screen
from tokexp.rendering.sentences import ranking_paragraphs, title
from tokexp.rendering.tables.across import tables_across
from tokexp.rendering.tables.forms import html_table, numbers
from tokexp.rendering.tables.sections import SECTIONS
from tokexp.rendering.text import html, html_paragraph
from tokexp.runs.study import Study, read_study

DIFFERENCES = next(section for section in SECTIONS if section.name == "differences")


class StudyReport:
    """What a study says. `results`, `differences` and `tables` hold numbers; `figures` are drawn when asked for.

    In a notebook the object itself shows the answer, the main table and a picture.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.comparisons = comparisons(study)  # one for each held-out text

    @property
    def results(self) -> pd.DataFrame:
        """A row a run, with the columns of results.csv."""
        return self.study.results

    @cached_property
    def differences(self) -> pd.DataFrame:
        """A row a pair of cells: by how many bits per byte the better one is ahead, intervals, p-value, verdict."""
        return self._rows(DIFFERENCES.numbers)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the report by its name, as its CSV has it."""
        tables = {section.name: numbers(made) for section, made in tables_across(self.comparisons)}
        tables |= {section.name: self._rows(section.numbers) for section in SECTIONS}
        return {name: table for name, table in tables.items() if len(table)}

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Every picture of the report by its name; where there are several held-out texts, with the text's number."""
        figures = {}
        for i, comparison in enumerate(self.comparisons):
            for picture in PICTURES:
                with mpl.rc_context(STYLE):
                    figure = picture.draw(comparison)
                if figure is not None:
                    FigureCanvasAgg(figure)
                    figures[f"{picture.name}_{i}" if len(self.comparisons) > 1 else picture.name] = figure
        return figures

    def _rows(self, make: Callable[[Comparison], pd.DataFrame]) -> pd.DataFrame:
        frames = [make(comparison) for comparison in self.comparisons]
        return pd.concat([frame for frame in frames if len(frame)] or [pd.DataFrame()], ignore_index=True)

    def _repr_html_(self) -> str:
        if left_out(self.comparisons):
            return str(Markup("\n").join(_shown_across(self.comparisons)))
        return str(Markup("\n").join(part for comparison in self.comparisons for part in _shown(comparison)))


def _shown_across(comparisons: list[Comparison]) -> Iterator[Markup]:
    """Each table over all texts below what it found."""
    for section, made in tables_across(comparisons):
        yield from map(html_paragraph, [section.finding(comparisons), section.note(comparisons)])
        yield html_table(made)


def _shown(comparison: Comparison) -> Iterator[Markup]:
    """The first screen: the answer, the picture, the main table, what was held equal; and what stands behind it."""
    screen = first_screen(comparison)
    yield Markup("<h3>{}</h3>").format(title(comparison))
    yield from map(html_paragraph, [*screen.warnings, screen.answer, *([screen.ranked_on] if screen.ranked_on else [])])
    yield from _picture(comparison)
    yield from map(html_paragraph, screen.settle)
    if screen.command:
        yield Markup("<pre>{}</pre>").format(screen.command)
    yield html_table(screen.table)
    for line in (screen.held_equal, screen.corpus):
        if line:
            yield Markup("<p><small>{}</small></p>").format(html(line))
    yield from map(html_paragraph, ranking_paragraphs(ranking(comparison)))


def _picture(comparison: Comparison) -> Iterator[Markup]:
    picture = next(picture for picture in PICTURES if picture.name == PICTURE)
    with mpl.rc_context(STYLE):
        figure = picture.draw(comparison)
        if figure is not None:
            FigureCanvasAgg(figure)
            png = io.BytesIO()
            figure.savefig(png, format="png")
            source = base64.b64encode(png.getvalue()).decode()
            yield Markup('<img alt="{}" src="data:image/png;base64,{}">').format(picture.caption, source)


def load_study(name: str | Path, reports: Path | str = "reports") -> StudyReport:
    """A study from its data: the name of a report, or the path of its folder or of its `data/`.

    Raises InputError, one line, where there are no data.
    """
    folder = Path(name) if Path(name).is_dir() else Path(reports, name)
    data = folder if folder.name == "data" else folder / "data"
    return StudyReport(read_study(data.parent.name, data))
