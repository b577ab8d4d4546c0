"""Conclude a sweep: say what became of every run, and write the report."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from tokexp.runs.files import LOG
from tokexp.runs.state import read_state
from tokexp.runs.study import read_study
from tokexp.runs.tracking import track_report
from tokexp.sweep.with_hydra.planning import Sweep, committed_results, is_done

log = logging.getLogger(__name__)


def conclude(sweep: Sweep) -> int:
    """Say what became of every run and write the report; return the exit code, 1 where runs are missing."""
    from tokexp.rendering.report import write_report  # plots: not before there is something to plot

    committed = committed_results(sweep.name)
    missing = {run.path: read_state(run.path) for run in sweep.runs if not is_done(run, committed)}
    done = len(sweep.runs) - len(missing)
    before = f" ({len(sweep.done_before)} before)" if sweep.done_before else ""
    states = Counter(state.state for state in missing.values())
    counts = "".join(f", {number} {state}" for state, number in sorted(states.items()))
    log.info("%d of %d runs done%s%s", done, len(sweep.runs), before, counts)
    for folder, state in missing.items():
        reason = f": {state.reason}" if state.reason else ""
        log.error("%s: %s%s; see %s", state.state, folder.name, reason, folder / LOG)
    if done:
        report = write_report(sweep.name, [run.path for run in sweep.runs])
        track_report(report.parent, sweep.name, sweep.runs[0].asked.tracking, sweep.folder)
        _show_ranking(sweep.name, report.parent)
    if missing:
        log.error("the same command does what is missing; what diverged stays so, unless with rerun=true")
    if done:
        log.info("report: %s", report)
    return 1 if missing else 0


def _show_ranking(sweep: str, report: Path) -> None:
    """Show who leads, for each held-out text."""
    from tokexp.analysis.comparison import comparisons
    from tokexp.rendering.sentences import title
    from tokexp.rendering.terminal import ranking_table

    several = comparisons(read_study(sweep, report / "data"))
    for comparison in several:
        heading = f"{title(comparison)}\n" if len(several) > 1 else ""
        log.info("\n%s%s\n", heading, ranking_table(comparison))
