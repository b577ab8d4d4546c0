"""Rebuild a report from what its runs left, without torch.

python -m tokexp.report NAME
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import sys
from pathlib import Path

from tokexp.analysis.figures import draw_figures
from tokexp.analysis.html import write_html
from tokexp.analysis.page import write_readme, write_summary
from tokexp.analysis.sections import make_sections, write_tables
from tokexp.analysis.shelf import write_shelf
from tokexp.analysis.store import Study, collect, latest_runs, nothing_to_report, read_study
from tokexp.command import command
from tokexp.config import InputError, require_name
from tokexp.results import UNNAMED
from tokexp.state import LOCK


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


@command
def main() -> int:
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m tokexp.report", description="Rebuild reports/NAME.")
    parser.add_argument("name", nargs="?", default="demo", help="the sweep's name (default: demo)")
    parser.add_argument("--runs", type=Path, help="the sweep's folder (default: runs/NAME)")
    parser.add_argument("--prune", action="store_true", help="drop the rows of runs whose folders are not there")
    args = parser.parse_args()
    require_name("NAME", args.name)
    runs = latest_runs(args.runs or Path("runs", args.name))
    if args.runs and not runs:
        raise InputError(f"--runs {args.runs}: no run in it; expected a folder of run folders")
    if args.prune and not runs:
        raise InputError(f"--prune: runs/{args.name} has no run, so nothing would be left; bring the folders back")
    print(write_report(args.name, runs, prune=args.prune))
    return 0


if __name__ == "__main__":
    sys.exit(main())
