"""Show how a sweep stands, from another terminal, while it runs here or on a cluster. Needs no torch.

python -m tokexp.status NAME
python -m tokexp.status NAME --watch
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tokexp.runs.files import find_run
from tokexp.runs.standing import standings, summary, table
from tokexp.system.command import command


@command
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tokexp.status", description="How a sweep stands.")
    parser.add_argument(
        "name", nargs="?", default="demo", help="the name or folder of a sweep or of a run (default: demo)"
    )
    parser.add_argument("--watch", action="store_true", help="again every two seconds, until every run has ended")
    args = parser.parse_args()
    folder = next((path for path in (Path(args.name), Path("runs", args.name)) if path.is_dir()), None)
    folder = folder or find_run(args.name)
    while True:
        runs = standings(folder)
        clear = "\x1b[2J\x1b[H" if args.watch and sys.stdout.isatty() else ""
        print(f"{clear}{table(runs)}\n\n{summary(runs)}", flush=True)
        if not args.watch or all(run.state.state.ended for run in runs):
            return 0
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
