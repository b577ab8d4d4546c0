"""Rebuild a report from what its runs left, without torch.

python -m tokexp.report NAME
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path

from tokexp.config import InputError
from tokexp.rendering.figures import draw_figures
from tokexp.rendering.index import write_shelf
from tokexp.rendering.page import write_html
from tokexp.rendering.readme import write_readme, write_summary
from tokexp.rendering.sections import make_sections, write_tables
from tokexp.runs.gather import collect
from tokexp.runs.identity import UNNAMED
from tokexp.runs.state import LOCK
from tokexp.runs.study import Study, nothing_to_report, read_study


def write_report(sweep: str, runs: list[Path], reports: Path = Path("reports"), *, prune: bool = False) -> Path:
    """Write reports/SWEEP from the run folders `runs` and, for a named sweep, the data that it has already.

    `prune`: rows without a folder go. Where no folder has a result the data alone rebuild everything.
    Returns the path of its README. Raises InputError where there is neither.
    """
    folder = reports / ("demo" if sweep in UNNAMED else sweep)
    if not runs and not (folder / "data").exists():
        raise InputError(nothing_to_report(sweep))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:  # two sweeps may end at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        for problem in collect(runs, folder / "data", keep=sweep not in UNNAMED and not prune):
            logging.getLogger(__name__).warning("left out: %s", problem)
        study: Study = read_study(sweep, folder / "data")
        made = make_sections(study)
        write_tables(made, folder / "tables")
        draw_figures(study, [runs for _, runs, _ in made], folder / "figures")
        write_html(study, folder, made)
        write_summary(study, made, folder)
        readme = write_readme(study, made, folder)
    with (reports / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_shelf(reports)
    return readme
