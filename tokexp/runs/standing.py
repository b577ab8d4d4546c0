"""See from their folders how far the runs of a sweep are: at work here or on a cluster, or ended. Needs no torch."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tabulate import tabulate

from tokexp.config import InputError
from tokexp.runs.files import METRICS, STATUS, planned_runs, read_metrics_row
from tokexp.runs.progress import AFTER_TRAINING, EVALUATING, PREPARING, TRAINING
from tokexp.runs.state import RunState, State, read_state
from tokexp.system.meter import duration
from tokexp.system.reading import open_regular, parse_json
from tokexp.training.record import EvalRow, Row

HEADINGS = ["run", "at", "step", "bits/byte", "left", ""]  # of a table of standings
TAIL = 1 << 16  # bytes of metrics.jsonl that are read, from its end; more where no evaluation is among them
MOST = 1 << 28


@dataclass(frozen=True)
class Standing:
    """A run of a sweep, as far as it is."""

    name: str
    state: RunState
    step: int
    val_bpb: float | None  # at the last evaluation
    pace: float | None  # seconds of training and of evaluation that a step takes
    left: float | None = None  # seconds to go, measuring included

    @property
    def share(self) -> float:
        if self.state.state is State.DONE:
            return 1.0
        return self.step / self.state.steps if self.state.steps else 0.0


def standings(sweep: Path, read: Callable[[Path], Standing] | None = None) -> list[Standing]:
    """Read the standing of every run of a sweep's latest command, else of its folder; of a run's folder its own.

    `read`: reads that of a run's folder, as `standing` does.
    """
    if (sweep / STATUS).is_file():
        return [(read or standing)(sweep)]
    names = planned_runs(sweep)
    if not names:
        raise InputError(
            f"{sweep}: no run in it; expected a sweep's folder, such as runs/demo (what is committed is in reports/)"
        )
    runs = [(read or standing)(sweep / name) for name in names]
    return [replace(run, left=seconds_left(run, runs)) for run in runs]


def standing(folder: Path) -> Standing:
    """Read how a run stands, all but the time that it has to go, which other runs of its sweep tell."""
    state = read_state(folder)
    rows = last_rows(folder / METRICS)
    step = max((row.step for row in rows), default=0)
    last = next((row for row in reversed(rows) if isinstance(row, EvalRow)), None)
    pace = None
    if last and last.step:
        training, evaluating = (state.seconds.get(phase, 0.0) for phase in (TRAINING, EVALUATING))
        pace = last.seconds / last.step * (1 + evaluating / training if training else 1)
    return Standing(folder.name, state, step, last.scores.val_bpb if last else None, pace)


def seconds_left(run: Standing, others: Sequence[Standing]) -> float | None:
    """Estimate what a run has to go, at its own pace, or where it has none at that of runs of its sweep that are done.

    None where nothing tells, and where it has ended.
    """
    if run.state.state.ended:
        return None
    done = [other for other in others if other.state.state is State.DONE and other.pace]
    pace = run.pace or (statistics.fmean(other.pace or 0.0 for other in done) if done else None)
    steps = run.state.steps or (statistics.fmean(other.state.steps for other in done) if done else None)
    if pace is None or steps is None:
        return None
    if run.step >= steps and not done:
        return None  # only what follows training, of which nothing is known
    ahead = phases_ahead(run.state)
    seconds = [other.state.seconds for other in done]
    return pace * max(0.0, steps - run.step) + sum(_median(seconds, [phase]) for phase in ahead)


def phases_ahead(state: RunState) -> list[str]:
    """List the phases, but for training, that a run is in or has yet to go through."""
    if state.phase in AFTER_TRAINING:
        return [*AFTER_TRAINING[AFTER_TRAINING.index(state.phase) :]]
    return [*([] if state.phase in (TRAINING, EVALUATING) else [PREPARING]), *AFTER_TRAINING]


def seconds_after_training(sweep: Path) -> float | None:
    """Estimate what a run takes from the end of its training, as those of the sweep took; None if none is done."""
    states = [read_state(sweep / name) for name in planned_runs(sweep)]
    done = [state.seconds for state in states if state.state is State.DONE and state.seconds]
    return _median(done, AFTER_TRAINING) if done else None


def _median(done: Sequence[Mapping[str, float]], phases: Sequence[str]) -> float:
    """Take the median over runs, since the first of a sweep alone measures the baselines and trains tokenizers."""
    return statistics.median(_sum(seconds, phases) for seconds in done) if done else 0.0


def _sum(seconds: Mapping[str, float], phases: Sequence[str]) -> float:
    return sum(seconds.get(phase, 0.0) for phase in phases)


def last_rows(path: Path, tail: int = TAIL) -> list[Row]:
    """Read the last rows of a metrics.jsonl, back to an evaluation where there is one; half a row is left out."""
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            file.seek(max(0, size - tail))
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return []
    rows = []
    for line in lines:
        with suppress(ValueError):
            rows.append(read_metrics_row(parse_json(line, nan=True)))
    if tail < min(size, MOST) and not any(isinstance(row, EvalRow) for row in rows):
        return last_rows(path, 16 * tail)
    return rows


def cells(run: Standing) -> list[str]:
    """Say how a run stands, a text for each of HEADINGS."""
    return [
        run.name,
        run.state.phase or run.state.state,
        f"{run.step:,} of {run.state.steps:,}" if run.state.steps else "",
        "" if run.val_bpb is None else f"{run.val_bpb:.3f}",
        "" if run.left is None else duration(run.left),
        run.state.reason[:60] if run.state.state is not State.DONE else "",
    ]


def table(runs: list[Standing]) -> str:
    text: str = tabulate(map(cells, runs), headers=HEADINGS, disable_numparse=True)
    return text


def summary(runs: list[Standing]) -> str:
    counts = Counter(run.state.state for run in runs)
    others = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()) if state is not State.DONE)
    line = f"{counts[State.DONE]} of {len(runs)} done"
    share = sum(run.share for run in runs) / len(runs)
    return f"{line}{', ' if others else ''}{others}; {share:.0%} of all steps"
