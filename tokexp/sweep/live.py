"""Show a sweep at work as one live table, read from the folders of its runs, where standard error is a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tokexp.runs.files import STATUS
from tokexp.runs.progress import LIVE
from tokexp.runs.standing import HEADINGS, Standing, cells, standing, standings, summary
from tokexp.runs.state import State
from tokexp.system.meter import duration
from tokexp.system.provenance import workers

ORDER = [State.RUNNING, State.FAILED, State.DIVERGED, State.INTERRUPTED, State.NOT_STARTED, State.DONE]  # in the table
OTHER_LINES = 7  # of a terminal, that the table leaves free


@contextmanager
def live_table(sweep: Path, console: Console | None = None) -> Iterator[None]:
    """Show a table of the sweep's runs within this context, renewed as they get on, and no lines but warnings.

    Elsewhere than on a terminal nothing is shown, and each run writes its lines.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    table = SweepTable(sweep, console)
    os.environ[LIVE] = "true"  # for the processes of a launcher too
    try:
        with Live(get_renderable=table, console=console, refresh_per_second=1, transient=True), _only_warnings():
            yield
    finally:
        del os.environ[LIVE]


class SweepTable:
    """Draws the table anew at every call; of a run that has ended it reads nothing more."""

    def __init__(self, sweep: Path, console: Console) -> None:
        self._sweep, self._console = sweep, console
        self._ended: dict[tuple[Path, int], Standing] = {}  # by folder, and when its state was written

    def _read(self, folder: Path) -> Standing:
        try:
            key = folder, (folder / STATUS).stat().st_mtime_ns
        except OSError:
            return standing(folder)
        if key in self._ended:
            return self._ended[key]
        run = standing(folder)
        if run.state.state.ended:
            self._ended[key] = run
        return run

    def __call__(self) -> Group:
        runs = standings(self._sweep, self._read)
        ordered = sorted(runs, key=lambda run: ORDER.index(run.state.state))
        shown = ordered[: max(1, self._console.height - OTHER_LINES)]
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for heading in HEADINGS:
            words = heading in ("run", "at", "")
            table.add_column(heading, justify="left" if words else "right", no_wrap=True, overflow="ellipsis")
        for run in shown:
            style = "" if run.state.state is State.RUNNING else "dim"
            table.add_row(*map(Text, cells(run)), style=style)
        more = f"and {len(runs) - len(shown):,} more" if len(shown) < len(runs) else ""
        seconds = [run.left for run in runs if run.left is not None and not run.state.state.ended]
        waiting = sum(run.left is None and not run.state.state.ended for run in runs)
        left = f"; about {duration(sum(seconds) / workers())} left" if seconds and not waiting else ""
        return Group(table, *([Text(more)] if more else []), Text(summary(runs) + left))


@contextmanager
def _only_warnings() -> Iterator[None]:
    """Keep what a log says to the terminal to warnings, which then stand above the table."""
    handlers = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    before = [(one, one.level, one.stream) for one in handlers]
    for one in handlers:
        one.setLevel(logging.WARNING)
        one.setStream(sys.stderr)  # which is now the table's
    try:
        yield
    finally:
        for one, level, stream in before:
            one.setLevel(level)
            one.setStream(stream)
