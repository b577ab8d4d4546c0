"""Do one job of Hydra's: a run, unless it is done. Its failure goes on record; under SLURM it may queue again."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from tokexp.config import InputError, RunConfig
from tokexp.experiment import run_experiment
from tokexp.sweep.with_hydra.planning import committed_results
from tokexp.sweep.with_hydra.schema import check_run, to_config
from tokexp.system.command import cannot_write
from tokexp.system.signals import Interrupted
from tokexp.training.loop import DivergedError

log = logging.getLogger(__name__)
T = TypeVar("T")


def do_job(composed: DictConfig) -> float | None:
    """Do the run that Hydra composed. In a sweep a failure is written down and the others go on."""
    try:
        bpb = do_run(to_config(composed), Path(HydraConfig.get().runtime.output_dir))
    except Interrupted as end:
        queue_again(end)
        raise
    if bpb is None and HydraConfig.get().mode != RunMode.MULTIRUN:
        sys.exit(2)
    return bpb


def do_run(cfg: RunConfig, folder: Path) -> float | None:
    """Do a run, unless it is done: returns its total bits per byte, or None, with the failure on record."""
    run = check_run(cfg, folder)
    committed = committed_results(cfg.sweep)
    if run.config_hash in committed and not run.has_result and not cfg.rerun:
        log.info("%s: done before, in reports/%s (rerun=true trains it again)", run.name, cfg.sweep)
        return committed[run.config_hash]
    result = attempt(lambda: run_experiment(cfg, folder))
    return result.val_bpb if result else None


def attempt(do: Callable[[], T]) -> T | None:
    """Return what `do` does; where it fails None, with the failure in the log, so that other runs can go on."""
    try:
        return do()
    except (InputError, DivergedError) as error:
        log.error("error: %s", error)
    except OSError as error:
        log.error("error: %s", cannot_write(error))
    except Exception:
        log.error("%s", traceback.format_exc())
    return None


def queue_again(end: Interrupted) -> None:
    """Put a saved run's job back into its queue where its time was up or it had to make room; a cancelled one ends.

    submitit has a handler for it on SIGUSR2, which SLURM sends when the time is nearly up. For a job that has to
    make room SLURM sends SIGTERM, as for a cancelled one, and does not start it again if it has ended by itself.
    """
    if callable(signal.getsignal(signal.SIGUSR2)) and (end.code == 128 + signal.SIGUSR2 or wanted_by_slurm()):
        signal.raise_signal(signal.SIGUSR2)


def in_slurm_job() -> bool:
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def wanted_by_slurm() -> bool:
    """Whether this is a SLURM job that has not been cancelled."""
    if not in_slurm_job():
        return False
    from submitit import JobEnvironment

    asked = ["squeue", "--noheader", "--format=%T", f"--jobs={JobEnvironment().job_id}"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip() == "RUNNING"
