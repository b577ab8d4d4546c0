"""One run from end to end: a corpus, a tokenizer, a model trained on it, and what came of it.

The file to read first: `stages/` has each step below, prepare, session, measure and assemble, in a file.
"""

from __future__ import annotations

import logging
from pathlib import Path

from tokexp.config import RunConfig
from tokexp.runs.files import load_metrics
from tokexp.runs.result import RunResult, flat, load_result, save_result
from tokexp.scoring.samples.segments import piece_rows
from tokexp.stages.assemble import assemble_result
from tokexp.stages.measure import measure_run
from tokexp.stages.prepare import RunSpec, identify, prepare_run
from tokexp.stages.session import Session, opened
from tokexp.system.device import resolve_device, use_threads
from tokexp.system.distributed import World, joined
from tokexp.system.signals import deferred
from tokexp.training.loop import train
from tokexp.training.optimizer import make_optimizer
from tokexp.training.state import TrainState, share

log = logging.getLogger(__name__)


def run_experiment(cfg: RunConfig, folder: Path | str | None = None) -> RunResult:
    """Do the run that `cfg` describes, or return its result where `folder` has it already.

    `folder`: where everything is written; by default runs/SWEEP/NAME. A run that was interrupted there
    goes on from its last checkpoint. Under torchrun all processes work on it, and one of them writes.
    Raises InputError for what the user can put right, DivergedError where the loss stopped being a
    number, Interrupted (a SystemExit) after a signal, once the step is done and saved.
    """
    use_threads(cfg.threads)
    with joined(resolve_device(cfg.device)) as (world, device):
        spec = identify(cfg, folder, device)
        if spec.done:
            log.info("%s: done before, in %s (rerun=true trains it again)", spec.name, spec.path)
            return load_result(spec.path)
        spec.refuse_if_diverged()
        if not world.writes:
            return follow(spec, world)
        with opened(spec, world) as session:
            with deferred() as asked_to_stop:
                for steps in session.train(world):
                    session.record(steps)
                    if world.any(bool(asked_to_stop)):
                        session.save()
                        raise asked_to_stop.answer()
            result = finish(session)
            world.wait()
        return result


def finish(session: Session, *, trained_as_one: int = 1) -> RunResult:
    """Measure what was trained, and write everything down; the result comes last."""
    run, folder, evaluator = session.run, session.folder, session.evaluator
    scores = evaluator.final_scores()
    folder.save_weights(run.model.state_dict(), evaluator.best_weights, run.cfg.keep_weights)
    measured = measure_run(run, session.restoration, evaluator.best_weights)
    folder.write_measured(
        content=measured.content,
        samples=measured.samples,
        segments=measured.segments,
        readability=measured.readability,
        text=measured.text,
    )
    result = assemble_result(run, load_metrics(folder.path), scores, measured, trained_as_one=trained_as_one)
    session.tracker.finish(flat(result), measured.samples, segmentation=piece_rows(measured.segments[-1]))
    save_result(folder.path, result)
    folder.remove_checkpoints()
    log.info("%s: %.4f bits per byte held out, in %s", result.name, result.val_bpb, folder.path)
    return result


def follow(spec: RunSpec, world: World) -> RunResult:
    """Train along with the process that writes, on this one's part of every batch, and wait for the result."""
    run = prepare_run(spec)
    state = TrainState(make_optimizer(run.model, run.cfg.train))
    share(world, run.model, state)
    steps = train(
        run.model, run.data.train, run.plan, run.cfg.train, run.cfg.seed, spec.precision, state,
        pause=run.pauses, world=world,
    )  # fmt: skip
    with deferred() as asked_to_stop:
        for _ in steps:
            if world.any(bool(asked_to_stop)):
                raise asked_to_stop.answer()
    world.wait()
    return load_result(spec.path)
