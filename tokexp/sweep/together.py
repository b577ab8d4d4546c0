"""Several runs that differ in their seed alone, trained as one batched model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tokexp.config import InputError, RunConfig
from tokexp.experiment import Experiment
from tokexp.runs.result import RunResult, load_result
from tokexp.system.device import resolve_device, use_threads
from tokexp.system.signals import deferred
from tokexp.training.loop import DivergedError, Row, train_together


def run_together(cfgs: Sequence[RunConfig], folders: Sequence[Path | str | None]) -> list[RunResult | DivergedError]:
    """Do runs that differ in their seed alone, trained as one batched model.

    Each leaves what it would have left alone, within rounding; one that diverges is given back as its
    error, and the others go on. Interrupted, they go on as one. Raises as `run_experiment` does.
    """
    if any(dataclasses.replace(cfg, seed=0) != dataclasses.replace(cfgs[0], seed=0) for cfg in cfgs):
        raise InputError("runs to be trained as one differ in more than their seed; train them one by one")
    use_threads(cfgs[0].threads)
    device = resolve_device(cfgs[0].device)
    runs = [Experiment(cfg, folder, device) for cfg, folder in zip(cfgs, folders, strict=True)]
    diverged: dict[Experiment, DivergedError] = {}
    for run in runs:
        try:
            run.refuse_if_diverged()
        except DivergedError as error:
            diverged[run] = error
    active = [run for run in runs if not run.done and run not in diverged]
    common = set.intersection(*(run.saved_steps() for run in active)) if active else set()
    with ExitStack() as stack, deferred() as asked_to_stop:
        for run in active:
            run.together, run.resume_at = len(active), max(common, default=0)
            stack.enter_context(run)
        for several in training_together(active):
            for run, rows in zip(active, several, strict=True):
                if run in diverged:
                    continue
                try:
                    if isinstance(rows, DivergedError):
                        raise rows
                    run.record(rows)
                except DivergedError as error:
                    diverged[run] = error
                    run.__exit__(DivergedError, error, error.__traceback__)
            if asked_to_stop:
                for run in active:
                    if run not in diverged:
                        run.save()
                raise asked_to_stop.answer()
        for run in active:
            if run not in diverged:
                run.finish()
    return [diverged.get(run) or load_result(run.path) for run in runs]


def training_together(runs: Sequence[Experiment]) -> Iterator[list[list[Row] | DivergedError]]:
    """What `Experiment.training` yields, for each of several runs that stand at the same step."""
    if not runs:
        return
    if len({run.state.step for run in runs}) > 1:
        raise InputError(
            "runs to be trained as one were saved at unlike steps; go on one by one with launcher=local, or rerun=true"
        )
    first = runs[0]
    yield from train_together(
        [run.model for run in runs], first.data.train, first.plan, first.cfg.train, [run.cfg.seed for run in runs],
        first.precision, [run.state for run in runs], pause=first.pauses,
    )  # fmt: skip
