"""Rebuild a report from what its runs left, without torch.

python -m tokexp.report NAME
python -m tokexp.report NAME --wandb
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from tokexp.config import InputError, require_name
from tokexp.rendering.report import write_report
from tokexp.rendering.terminal import ranking_rows
from tokexp.runs.study import Study, read_study
from tokexp.runs.study.gather import all_runs, latest_runs
from tokexp.system.command import command


@command
def main() -> int:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("tokexp").setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m tokexp.report", description="Rebuild reports/NAME.")
    parser.add_argument("name", nargs="?", default="demo", help="the sweep's name (default: demo)")
    parser.add_argument("--runs", type=Path, help="the sweep's folder (default: runs/NAME)")
    parser.add_argument("--prune", action="store_true", help="drop the rows of runs whose folders are gone")
    parser.add_argument("--wandb", action="store_true", help="send its runs and the report to Weights & Biases, too")
    args = parser.parse_args()
    require_name("NAME", args.name)
    sweep = args.runs or Path("runs", args.name)
    runs = all_runs(sweep) if args.prune else latest_runs(sweep)
    if args.runs and not runs:
        raise InputError(f"--runs {args.runs}: no run in it; expected a folder of run folders")
    if args.prune and not runs:
        raise InputError(f"--prune: runs/{args.name} has no run, so nothing would be left; bring the folders back")
    report = write_report(args.name, runs, prune=args.prune)
    if args.wandb:
        send_to_wandb(read_study(args.name, report.parent / "data"), report.parent, sweep)
    print(report)
    return 0


def send_to_wandb(study: Study, report: Path, sweep: Path) -> None:
    """Send a study's runs, from their folders in `sweep` where they are there, and its report."""
    from tokexp.runs.tracking.study import one_line_for_all, replay, say_how_to_upload, track_report, tracking_of

    with one_line_for_all():
        replay(study, sweep)
        first = tracking_of(sweep / study.results.name.iloc[0])
        track_report(report, study.name, first, sweep, ranking_rows(study))
    say_how_to_upload(sweep)


if __name__ == "__main__":
    sys.exit(main())
