"""Train: one run, or with -m a sweep of them and its report.

python -m tokexp.run tokenizer=bpe model=nano
python -m tokexp.run -m tokenizer=char,word,bpe
"""

from __future__ import annotations

import logging
import os
import signal
import sys

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from tokexp.runs.progress import LIVE
from tokexp.sweep.with_hydra.errors import errors_end_the_program
from tokexp.sweep.with_hydra.job import do_job
from tokexp.sweep.with_hydra.sweeper import register
from tokexp.system.places import ROOT
from tokexp.system.signals import Interrupted

log = logging.getLogger("tokexp.run")


def job(composed: DictConfig) -> float | None:
    """Do the run that Hydra composed, perhaps in a process that a launcher has started."""
    show_log()
    return do_job(composed)


def show_log() -> None:
    """Show what tokexp and Hydra have to say on standard error; of others, warnings. Harmless when done twice."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    if LIVE in os.environ:  # the terminal is the table's
        for handler in logging.getLogger().handlers:
            if type(handler) is logging.StreamHandler:
                handler.setLevel(logging.WARNING)
    for name in ("tokexp", "hydra"):
        logging.getLogger(name).setLevel(logging.INFO)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise errors, which Hydra would print over many lines
    try:
        if get_args_parser().parse_args().info is None:  # else Hydra shows a log of its own
            show_log()
        register()
        with errors_end_the_program():
            hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")(job)()
    except Interrupted:
        log.error("interrupted; the run is saved, and the same command continues from there")
        raise
    except KeyboardInterrupt:
        log.error("interrupted; what is done is kept, and the same command does the rest")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
