"""Train several runs that differ in their seed alone as one batched model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path

from tokexp.config import InputError, RunConfig
from tokexp.runs.progress import TRAINING
from tokexp.runs.result import RunResult, load_result
from tokexp.stages.prepare import RunSpec, identify
from tokexp.stages.session import Session, open_session, resumable_steps, stop_if_asked
from tokexp.system.device import resolve_device, use_threads
from tokexp.system.signals import Request, defer_signals
from tokexp.training.loop import DivergedError, train_as_one
from tokexp.training.record import StepRow


def run_seeds_as_one(
    cfgs: Sequence[RunConfig], folders: Sequence[Path | str | None]
) -> list[RunResult | DivergedError]:
    """Do runs that differ in their seed alone, trained as one batched model.

    Each leaves what it would have left alone, within rounding; one that diverges is given back as its
    error, and the others go on. Interrupted, they go on as one. Raises as `run_experiment` does.
    """
    if any(dataclasses.replace(cfg, seed=0) != dataclasses.replace(cfgs[0], seed=0) for cfg in cfgs):
        raise InputError("runs to be trained as one differ in more than their seed; train them one by one")
    use_threads(cfgs[0].threads)
    device = resolve_device(cfgs[0].device)
    specs = [identify(cfg, folder, device) for cfg, folder in zip(cfgs, folders, strict=True)]
    diverged = _diverged_before(specs)
    active = [spec for spec in specs if not spec.done and spec.name not in diverged]
    with ExitStack() as stack, defer_signals() as request:
        cell = _open_cell(active, stack)
        _train_cell(cell, request, diverged)
        for session in _remaining(cell, diverged):
            session.finish(request, trained_as_one=len(active))
    return [diverged.get(spec.name) or load_result(spec.path) for spec in specs]


def _train_cell(cell: dict[Session, ExitStack], request: Request, diverged: dict[str, DivergedError]) -> None:
    """Train the sessions of `cell` to their end; those that diverge are put into `diverged`, and ended."""
    with ExitStack() as phases:
        for session in cell:
            phases.enter_context(session.phases(TRAINING))
        begin: list[list[StepRow] | DivergedError] = [Session.NOTHING for _ in cell]
        for several in chain([begin], _train(list(cell))):
            for (session, context), steps in zip(cell.items(), several, strict=True):
                name = session.run.spec.name
                if name in diverged:
                    continue
                try:
                    if isinstance(steps, DivergedError):
                        raise steps
                    session.record(steps, request)
                except DivergedError as error:
                    diverged[name] = error
                    with suppress(DivergedError), context:  # which writes down how it ended
                        raise
            stop_if_asked(request, _remaining(cell, diverged))


def _diverged_before(specs: list[RunSpec]) -> dict[str, DivergedError]:
    diverged = {}
    for spec in specs:
        try:
            spec.refuse_if_diverged()
        except DivergedError as error:
            diverged[spec.name] = error
    return diverged


def _open_cell(specs: list[RunSpec], stack: ExitStack) -> dict[Session, ExitStack]:
    """Open the sessions of runs, which begin at the last step that all have saved.

    Returns with each what ends it before the others; `stack` ends them all.
    """
    common = set.intersection(*map(resumable_steps, specs)) if specs else set()
    cell = {}
    for spec in specs:
        context = stack.enter_context(ExitStack())
        cell[context.enter_context(open_session(spec, resume_at=max(common, default=0)))] = context
    return cell


def _remaining(cell: dict[Session, ExitStack], diverged: dict[str, DivergedError]) -> list[Session]:
    return [session for session in cell if session.run.spec.name not in diverged]


def _train(sessions: list[Session]) -> Iterator[list[list[StepRow] | DivergedError]]:
    """Train several sessions that stand at the same step; yields for each its rows, or how it diverged."""
    if not sessions:
        return
    if len({session.state.step for session in sessions}) > 1:
        raise InputError(
            "runs to be trained as one were saved at different steps; continue them one by one with launcher=local, "
            "or start again with rerun=true"
        )
    run = sessions[0].run
    yield from train_as_one(
        [session.run.model for session in sessions], run.data.train, run.plan, run.cfg.train,
        [session.run.cfg.seed for session in sessions], run.spec.precision, [session.state for session in sessions],
        pause=run.pauses,
    )  # fmt: skip
