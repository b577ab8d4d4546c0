"""See from their folders how far the runs of a sweep are: at work here or on a cluster, or ended. Needs no torch."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from tokexp.config import InputError
from tokexp.runs.files import METRICS, STATUS, planned_runs, read_metrics_row
from tokexp.runs.progress import duration
from tokexp.runs.state import RunState, State, read_state
from tokexp.system.reading import open_regular, parse_json
from tokexp.training.record import EvalRow, Row

TAIL = 1 << 16  # bytes of metrics.jsonl that are read, from its end; more where no evaluation is among them
MOST = 1 << 28


@dataclass(frozen=True)
class Standing:
    """A run of a sweep, as far as it is."""

    name: str
    state: RunState
    step: int
    val_bpb: float | None  # at the last evaluation
    left: float | None  # seconds of training to go, at the pace until now

    @property
    def share(self) -> float:
        if self.state.state is State.DONE:
            return 1.0
        return self.step / self.state.steps if self.state.steps else 0.0


def standings(sweep: Path) -> list[Standing]:
    """Read the standing of every run of a sweep's latest command, else of its folder; of a run's folder its own."""
    if (sweep / STATUS).is_file():
        return [standing(sweep)]
    names = planned_runs(sweep)
    if not names:
        raise InputError(
            f"{sweep}: no run in it; expected a sweep's folder, such as runs/demo (what is committed is in reports/)"
        )
    return [standing(sweep / name) for name in names]


def standing(folder: Path) -> Standing:
    state = read_state(folder)
    rows = last_rows(folder / METRICS)
    step = max((row.step for row in rows), default=0)
    last = next((row for row in reversed(rows) if isinstance(row, EvalRow)), None)
    left = None
    if state.state is State.RUNNING and last and last.step:
        left = last.seconds / last.step * (state.steps - step)
    return Standing(folder.name, state, step, last.scores.val_bpb if last else None, left)


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


def table(runs: list[Standing]) -> str:
    rows = [
        [
            run.name,
            run.state.state,
            f"{run.step:,} of {run.state.steps:,}" if run.state.steps else "",
            "" if run.val_bpb is None else f"{run.val_bpb:.3f}",
            "" if run.left is None else duration(run.left),
            run.state.reason[:60] if run.state.state is not State.DONE else "",
        ]
        for run in runs
    ]
    text: str = tabulate(rows, headers=["run", "state", "step", "bits/byte", "left", ""], disable_numparse=True)
    return text


def summary(runs: list[Standing]) -> str:
    counts = Counter(run.state.state for run in runs)
    others = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()) if state is not State.DONE)
    line = f"{counts[State.DONE]} of {len(runs)} done"
    share = sum(run.share for run in runs) / len(runs)
    return f"{line}{', ' if others else ''}{others}; {share:.0%} of all steps"
