"""Rebuild a report from what its runs left, without torch.

python -m tokexp.report NAME
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from tokexp.config import InputError, require_name
from tokexp.rendering.report import write_report
from tokexp.runs.gather import all_runs, latest_runs
from tokexp.system.command import command


@command
def main() -> int:
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m tokexp.report", description="Rebuild reports/NAME.")
    parser.add_argument("name", nargs="?", default="demo", help="the sweep's name (default: demo)")
    parser.add_argument("--runs", type=Path, help="the sweep's folder (default: runs/NAME)")
    parser.add_argument("--prune", action="store_true", help="drop the rows of runs whose folders are gone")
    args = parser.parse_args()
    require_name("NAME", args.name)
    folder = args.runs or Path("runs", args.name)
    runs = all_runs(folder) if args.prune else latest_runs(folder)
    if args.runs and not runs:
        raise InputError(f"--runs {args.runs}: no run in it; expected a folder of run folders")
    if args.prune and not runs:
        raise InputError(f"--prune: runs/{args.name} has no run, so nothing would be left; bring the folders back")
    print(write_report(args.name, runs, prune=args.prune))
    return 0


if __name__ == "__main__":
    sys.exit(main())
