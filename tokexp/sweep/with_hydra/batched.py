"""A launcher for Hydra, `launcher=batched`: runs that differ in their seed alone are trained as one batched model."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus, setup_globals

from tokexp.stages.prepare import RunSpec
from tokexp.sweep.seeds_as_one import run_seeds_as_one
from tokexp.sweep.with_hydra.job import attempt
from tokexp.sweep.with_hydra.planning import Jobs, committed_results, compose_jobs, is_done, plan_run
from tokexp.training.loop import DivergedError

log = logging.getLogger(__name__)


class BatchedLauncher(BasicLauncher):
    """Trains group by group what differs in its seed alone, and then, as Hydra does, one by one what is left."""

    def launch(self, job_overrides: Jobs, initial_job_idx: int) -> Sequence[JobReturn]:
        assert self.config is not None
        assert self.hydra_context is not None
        setup_globals()
        composed = compose_jobs(self.hydra_context.config_loader, self.config, job_overrides)
        runs = [plan_run(one) for one in composed]
        returns: dict[int, JobReturn] = {}
        for group in groups_of_seeds(runs):
            figures = train_group([runs[job] for job in group])
            for job, bpb in zip(group, figures, strict=False):
                task = composed[job].hydra.overrides.task
                returns[job] = JobReturn(list(task), composed[job], status=JobStatus.COMPLETED, _return_value=bpb)
        alone = [overrides for job, overrides in enumerate(job_overrides) if job not in returns]
        others = iter(super().launch(alone, initial_job_idx) if alone else ())
        return [returns[job] if job in returns else next(others) for job in range(len(runs))]


def groups_of_seeds(runs: Sequence[RunSpec]) -> list[list[int]]:
    """Group the places of runs that differ in their seed alone; what is done, or has no like, is in no group."""
    committed = committed_results(runs[0].asked.sweep)
    groups: dict[str, dict[Path, int]] = defaultdict(dict)
    for place, run in enumerate(runs):
        if run.asked.rerun or not is_done(run, committed):
            groups[repr(dataclasses.replace(run.asked, seed=0))].setdefault(run.path, place)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def train_group(runs: Sequence[RunSpec]) -> list[float | None]:
    """Train runs as one: returns the total bits per byte of each, None where it diverged; empty where all failed."""
    log.info("%d seeds as one: %s", len(runs), ", ".join(run.path.name for run in runs))
    results = attempt(lambda: run_seeds_as_one([run.asked for run in runs], [run.path for run in runs]))
    figures: list[float | None] = []
    for result in results or []:
        if isinstance(result, DivergedError):
            log.error("error: %s", result)
        figures.append(None if isinstance(result, DivergedError) else result.val_bpb)
    return figures
