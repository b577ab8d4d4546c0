"""One run from end to end: a corpus, a tokenizer, a model trained on it, and what came of it.

The file to read first. `stages/` has the steps, a file each: prepare a run, then a session, which trains it, measures
it and assembles its result.
"""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path

from tokexp.config import RunConfig
from tokexp.runs.folder import tidy_done
from tokexp.runs.result import RunResult, load_result
from tokexp.stages.prepare import RunSpec, identify, prepare_run
from tokexp.stages.session import open_session, stop_if_asked
from tokexp.system.device import resolve_device, use_threads
from tokexp.system.distributed import World, join_processes
from tokexp.system.signals import defer_signals
from tokexp.training.state import share

log = logging.getLogger(__name__)


def run_experiment(cfg: RunConfig, folder: Path | str | None = None) -> RunResult:
    """Do the run that `cfg` describes, or return its result where `folder` has it already.

    `folder`: where everything is written; by default runs/SWEEP/NAME. A run that was interrupted there
    goes on from its last checkpoint. Under torchrun all processes work on it, and one of them writes.
    Raises InputError for what the user can put right, DivergedError where the loss stopped being a
    number, Interrupted (a SystemExit) after a signal, once the step is done and saved.
    """
    use_threads(cfg.threads)
    with join_processes(resolve_device(cfg.device)) as (world, device):
        spec = identify(cfg, folder, device)
        if spec.done:
            log.info("%s: done before, in %s (rerun=true trains it again)", spec.name, spec.path)
            tidy_done(spec.path, spec.config_hash)
            return load_result(spec.path)
        spec.refuse_if_diverged()
        if not world.writes:
            return train_along(spec, world)
        with open_session(spec, world) as session, defer_signals() as request:
            session.train(request, world)
            result = session.finish(request)
            world.wait()
        return result


def train_along(spec: RunSpec, world: World) -> RunResult:
    """Train along with the process that writes, on this one's part of every batch, and wait for the result."""
    run = prepare_run(spec)
    state = run.begin()
    share(world, run.model, state)
    with defer_signals() as request:
        for _ in chain([None], run.train(state, world)):  # the other asks once before its first step
            stop_if_asked(request, [], world)
    world.wait()
    return load_result(spec.path)
