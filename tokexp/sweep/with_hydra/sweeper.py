"""Check a sweep before it starts, and say afterwards what became of it: Hydra does neither."""

from __future__ import annotations

import logging
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from tokexp.config import InputError
from tokexp.runs.tracking.study import one_line_for_all
from tokexp.sweep.estimate import print_estimates
from tokexp.sweep.live import live_table
from tokexp.sweep.with_hydra.batched import BatchedLauncher
from tokexp.sweep.with_hydra.conclusion import conclude
from tokexp.sweep.with_hydra.errors import errors_end_the_program
from tokexp.sweep.with_hydra.naming import keep_labels, run_labels, sweep_name
from tokexp.sweep.with_hydra.planning import (
    Jobs,
    compose_jobs,
    known_names,
    list_jobs,
    make_folders,
    pin_corpora,
    plan_run,
    plan_sweep,
)
from tokexp.sweep.with_hydra.schema import make_current, register_schema, to_config
from tokexp.system.distributed import world_from_environment
from tokexp.system.files import write_text

log = logging.getLogger(__name__)


def register() -> None:
    """Tell Hydra of the schema, of `launcher=batched` and of the sweeper. Harmless when done twice."""
    register_schema()
    for group, plugin, settings in (
        ("hydra/launcher", BatchedLauncher, {}),
        ("hydra/sweeper", ReportingSweeper, {"params": None}),
    ):
        name = f"hydra_plugins.tokexp.{plugin.__name__}"  # Hydra accepts none that is called otherwise
        Plugins.instance().class_name_to_class[name] = plugin
        ConfigStore.instance().store(group=group, name="tokexp", node={"_target_": name, **settings})


def name_jobs(config: DictConfig, jobs: Jobs) -> Jobs:
    """Add to the overrides of each job its run's label and, where the sweep has no name, the one that it comes to.

    That becomes a setting of `config`, the multirun's, too: launchers find their folder by it.
    """
    typed = any(word.startswith("sweep=") for word in jobs[0])
    if not typed and OmegaConf.is_interpolation(config, "sweep"):
        config.sweep = config.hydra.runtime.choices.get("sweeps") or sweep_name(jobs)
        jobs = [[*job, f"sweep={config.sweep}"] for job in jobs]
    return [[*job, f"label={label}"] for job, label in zip(jobs, run_labels(jobs), strict=True)]


def require_queue(config: DictConfig) -> None:
    """Raise InputError where jobs are to go into the queue of a SLURM that is not here."""
    if config.hydra.runtime.choices.get("hydra/launcher") == "submitit_slurm" and shutil.which("srun") is None:
        raise InputError(
            "launcher=slurm: got a machine without srun, expected one of a SLURM cluster; "
            "start there, or choose launcher=submitit_local or launcher=local here"
        )


class ReportingSweeper(Sweeper):
    """Refuses bad input before anything is trained; says at the end what was done, and writes the report."""

    def __init__(self, params: dict[str, Any] | None) -> None:
        """`params`: overrides of a named sweep, by key; those of the command line go before them."""
        self._params = params or {}
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self._task: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config, self._task = hydra_context, config, task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Do all jobs that the command line asks for; ends the program with code 1 where runs are missing then."""
        assert self.hydra_context is not None
        assert self.config is not None
        assert self._task is not None
        loader = self.hydra_context.config_loader
        with errors_end_the_program():
            jobs = list_jobs(loader, [*(f"{key}={value}" for key, value in self._params.items()), *arguments])
            jobs = name_jobs(self.config, jobs)
            composed = compose_jobs(loader, self.config, jobs)
            if composed[0].dry:
                print_estimates(list({repr(cfg): cfg for cfg in map(to_config, map(make_current, composed))}.values()))
                sys.exit(0)
            runs = [plan_run(one) for one in composed]
            if (kept := keep_labels(jobs, runs, known_names(runs[0].asked.sweep, runs[0].path.parent))) != jobs:
                jobs, composed = kept, compose_jobs(loader, self.config, kept)
            sweep = plan_sweep(composed)
            jobs = pin_corpora(jobs, runs)
            require_queue(self.config)
            make_folders(sweep)
            write_text(Path(self.config.hydra.sweep.dir, "multirun.yaml"), OmegaConf.to_yaml(self.config))
            log.info("sweep %s: %d runs, in %s", sweep.name, len(sweep.runs), sweep.folder)
            launcher = Plugins.instance().instantiate_launcher(  # some work out at once which folder is the sweep's
                hydra_context=self.hydra_context, task_function=self._task, config=self.config
            )
        code = 0
        with one_line_for_all():
            try:
                with live_table(sweep.folder):
                    returns = launcher.launch(jobs, initial_job_idx=0)
                for job in returns:
                    _ = job.return_value  # raises what the job raised
            except Exception:  # the launcher gave up, whose jobs may have gone on: their folders know
                log.error("%s", traceback.format_exc())
                code = 1
            if world_from_environment().writes:
                with errors_end_the_program():
                    code |= conclude(sweep)
        if code:
            sys.exit(code)
        return returns
