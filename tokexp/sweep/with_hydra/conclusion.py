"""Conclude a sweep: say what became of every run, and write the report."""

from __future__ import annotations

import logging
from collections import Counter

from tokexp.runs.files import LOG
from tokexp.runs.state import read_state
from tokexp.runs.study import read_study
from tokexp.runs.tracking.study import say_how_to_upload, track_report
from tokexp.sweep.with_hydra.planning import Sweep, committed_results, is_done

log = logging.getLogger(__name__)


def conclude(sweep: Sweep) -> int:
    """Say what became of every run and write the report; return the exit code, 1 where runs are missing."""
    from tokexp.rendering.report import write_report  # plots: not before there is something to plot
    from tokexp.rendering.terminal import answer_text, ranking_rows, ranking_table

    committed = committed_results(sweep.name)
    missing = {run.path: read_state(run.path) for run in sweep.runs if not is_done(run, committed)}
    done = len(sweep.runs) - len(missing)
    before = f" ({len(sweep.done_before)} before)" if sweep.done_before else ""
    states = Counter(state.state for state in missing.values())
    counts = "".join(f", {number} {state}" for state, number in sorted(states.items()))
    log.info("%d of %d runs done%s%s", done, len(sweep.runs), before, counts)
    for folder, state in missing.items():
        reason = f": {state.reason}" if state.reason else ""
        see = f"; see {folder / LOG}" if (folder / LOG).exists() else ""
        log.error("%s: %s%s%s", state.state, folder.name, reason, see)
    if done:
        report = write_report(sweep.name, [run.path for run in sweep.runs])
        study = read_study(sweep.name, report.parent / "data")
        ranking = ranking_rows(study)
        track_report(report.parent, sweep.name, sweep.runs[0].asked.tracking, sweep.folder, ranking)
        say_how_to_upload(sweep.folder)
        log.info("\n%s\n\n%s\n", ranking_table(ranking), answer_text(study))
    if missing:
        log.error("the same command trains what is missing; what diverged is trained again only with rerun=true")
    if done:
        log.info("report: %s", report)
    return 1 if missing else 0
