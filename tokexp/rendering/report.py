"""A report, written anew from a study's data: tables, pictures, the page, the README; and the list of all reports."""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path

from tokexp.analysis.texts.left_out import left_out
from tokexp.config import InputError
from tokexp.rendering.figures.gallery import draw_figures
from tokexp.rendering.first_screen import answer_lines
from tokexp.rendering.index import SUMMARY, write_index
from tokexp.rendering.left_out import finding
from tokexp.rendering.page.page import write_page
from tokexp.rendering.readme import write_readme
from tokexp.rendering.sentences import question, title
from tokexp.rendering.tables.sections import ComparisonTables, tables_of_study, write_tables
from tokexp.rendering.text import to_json
from tokexp.runs.progress import Phases
from tokexp.runs.state import LOCK
from tokexp.runs.study import Study, nothing_to_report, read_study
from tokexp.runs.study.gather import collect
from tokexp.system.files import write_json


def write_report(sweep: str, runs: list[Path], reports: Path = Path("reports"), *, prune: bool = False) -> Path:
    """Write reports/SWEEP from the run folders `runs` and the data that it has already.

    `prune`: rows of runs whose folders are gone go. Where no folder has a result the data alone rebuild everything.
    Returns the path of its README. Raises InputError where there is neither.
    """
    folder = reports / sweep
    if not runs and not (folder / "data").exists():
        raise InputError(nothing_to_report(sweep))
    folder.mkdir(parents=True, exist_ok=True)
    phases = Phases(f"report {sweep}")
    with (folder / LOCK).open("a") as lock:  # two sweeps may end at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        with phases("reading the runs"):
            for problem in collect(runs, folder / "data", keep=True, prune=prune):
                logging.getLogger(__name__).warning("left out: %s", problem)
            study = read_study(sweep, folder / "data")
        with phases("analysis"):
            parts = tables_of_study(study)
            write_tables(parts, folder / "tables")
        with phases("pictures"):
            draw_figures([part.comparison for part in parts], folder / "figures")
        with phases("pages"):
            write_page(study, parts, folder)
            _write_summary(study, parts, folder)
            readme = write_readme(study, parts, folder)
    with (reports / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_index(reports)
    return readme


def _write_summary(study: Study, parts: list[ComparisonTables], folder: Path) -> None:
    """What was asked and answered, for the list of reports and for other programs."""
    comparisons = [part.comparison for part in parts]
    said = [(title(comparison), answer_lines(comparison)) for comparison in comparisons]
    if left_out(comparisons):
        said = [(comparisons[0].corpus, [finding(comparisons)])]
    answers = [{"corpus": corpus, "answer": [to_json(line) for line in lines]} for corpus, lines in said]
    summary = {"question": question(study.name), "runs": len(study.results), "parts": answers}
    write_json(folder / SUMMARY, summary)
