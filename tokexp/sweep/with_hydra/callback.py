"""Refuse bad input before a run's folder is made, and tell after it the sweep's remaining time."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from tokexp.config import InputError
from tokexp.runs.standing import standings, summary
from tokexp.sweep.estimate import print_estimates
from tokexp.sweep.with_hydra.errors import errors_end_the_program
from tokexp.sweep.with_hydra.job import in_slurm_job
from tokexp.sweep.with_hydra.schema import check_run, make_current, to_config
from tokexp.system.meter import duration
from tokexp.system.provenance import workers

log = logging.getLogger(__name__)


class RunCallback(Callback):
    def __init__(self) -> None:
        self._began = 0.0  # when the run at hand did
        self._workers = 1  # runs at a time
        self._seconds: list[float] = []  # of each run that this process has done

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check a run that is not part of a multirun, or with dry=true say what it would cost and end the program."""
        with errors_end_the_program():
            if named := config.hydra.runtime.choices.get("sweeps"):
                line = f"python -m tokexp.run -m sweeps={named}"
                raise InputError(f"sweeps={named} is a sweep of many runs; type: {line}")
            cfg = to_config(make_current(config))
            if config.dry:
                print_estimates([cfg])
                sys.exit(0)
            check_run(cfg)
            Path(config.hydra.run.dir).mkdir(parents=True, exist_ok=True)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        self._began, self._workers = time.monotonic(), workers()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Say how many of the sweep's runs are done, and how long the others may take at the pace of this process."""
        if config.hydra.mode != RunMode.MULTIRUN or in_slurm_job():  # how many jobs SLURM has at work is not known
            return
        seconds = time.monotonic() - self._began
        if seconds > 1:  # one that was done before took no time
            self._seconds.append(seconds)
        folder = Path(config.hydra.runtime.output_dir).parent
        try:
            runs = standings(folder)
        except InputError:
            return
        left = [run for run in runs if not run.state.state.ended]
        if left and self._seconds:
            mean = sum(self._seconds) / len(self._seconds)
            seconds = sum(mean if run.left is None else run.left for run in left)
            log.info("%s: %s; about %s left", folder.name, summary(runs), duration(seconds / self._workers))
