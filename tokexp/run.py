"""Train: one run, or with -m a sweep of them and its report.

python -m tokexp.run tokenizer=bpe model=nano
python -m tokexp.run -m tokenizer=char,word,bpe
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tokexp.sweep import callback as sweep
from tokexp.system.device import cores
from tokexp.system.places import ROOT
from tokexp.system.signals import Interrupted

log = logging.getLogger("tokexp.run")


def job(composed: DictConfig) -> float | None:
    """One run of what Hydra composed. In a sweep a failure is written down and the others go on."""
    show_log()
    cfg, folder = sweep.to_config(composed), Path(HydraConfig.get().runtime.output_dir)
    try:
        bpb = sweep.do_run(cfg, folder)
    except Interrupted as end:
        queue_again(end)
        raise
    if bpb is None and HydraConfig.get().mode != RunMode.MULTIRUN:
        sys.exit(2)
    return bpb


def queue_again(end: Interrupted) -> None:
    """Put a saved run's job back into its queue where its time was up or it had to make room; a cancelled one ends.

    submitit has a handler for it on SIGUSR2, which SLURM sends when the time is nearly up. For a job that has to
    make room SLURM sends SIGTERM, as for a cancelled one, and does not start it again if it has ended by itself.
    """
    if callable(signal.getsignal(signal.SIGUSR2)) and (end.code == 128 + signal.SIGUSR2 or wanted_by_slurm()):
        signal.raise_signal(signal.SIGUSR2)


def wanted_by_slurm() -> bool:
    """Whether this is a SLURM job that has not been cancelled."""
    if os.environ.get("SUBMITIT_EXECUTOR") != "slurm":
        return False
    from submitit import JobEnvironment

    asked = ["squeue", "--noheader", "--format=%T", f"--jobs={JobEnvironment().job_id}"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip() == "RUNNING"


def show_log() -> None:
    """What tokexp and Hydra have to say, on standard error; of others, warnings. Harmless when done twice."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for name in ("tokexp", "hydra"):
        logging.getLogger(name).setLevel(logging.INFO)


def main() -> None:
    show_log()
    sweep.register()
    OmegaConf.register_new_resolver("cores", cores, replace=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")(job)()
    except Interrupted:
        log.error("interrupted; the run is saved, and the same command goes on from there")
        raise
    except SystemExit as end:
        if end.code == 1:  # a launcher gave up, whose jobs may have gone on: the folders know
            sweep.conclude()
        raise
    except KeyboardInterrupt:
        log.error("interrupted; what is done stays done, and the same command does the rest")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
