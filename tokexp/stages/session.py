"""A run at work, in the process that writes: its folder, its rows, its evaluations, its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tokexp.model.sizes import training_flops_per_token
from tokexp.runs.files import CHECKPOINTS, TOKENIZER, whole_rows, whole_steps
from tokexp.runs.folder import RunFolder, locked_folder
from tokexp.runs.progress import Progress
from tokexp.runs.tracking import Tracker
from tokexp.scoring.evaluator import Evaluator
from tokexp.scoring.restoration import Restoration, restoration_of
from tokexp.stages.prepare import PreparedRun, RunSpec, prepare_run
from tokexp.system.device import peak_memory, reset_peak_memory
from tokexp.system.distributed import ALONE, World
from tokexp.training.checkpoint import load_checkpoint, save_checkpoint, saved_steps
from tokexp.training.loop import DivergedError, train
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import EvalRow, Row, StepRow
from tokexp.training.state import TrainState, share

log = logging.getLogger(__name__)


class Session:
    """A prepared run between the beginning of its training and its result."""

    def __init__(
        self,
        run: PreparedRun,
        restoration: Restoration,
        folder: RunFolder,
        state: TrainState,
        evaluator: Evaluator,
        tracker: Tracker,
        progress: Progress,
    ) -> None:
        self.run, self.restoration, self.folder, self.state = run, restoration, folder, state
        self.evaluator, self.tracker = evaluator, tracker
        self._progress = progress

    def train(self, world: World = ALONE) -> Iterator[list[StepRow]]:
        """Train to the end of the plan; `record` wants what this yields, each time."""
        run = self.run
        return train(
            run.model, run.data.train, run.plan, run.cfg.train, run.cfg.seed, run.spec.precision, self.state,
            pause=run.pauses, world=world,
        )  # fmt: skip

    def record(self, steps: list[StepRow]) -> None:
        """Write down what training yielded; evaluate and save where the settings say so."""
        self.folder.check()
        rows: list[Row] = [*steps]
        if self.run.evaluates(self.state.step):
            rows.append(self._evaluate())
        for row in rows:
            self.tracker.log(row)
            self._progress.show(row)
        if self.run.saves(self.state.step):
            self.save()

    def _evaluate(self) -> EvalRow:
        state, scores = self.state, self.evaluator()
        if not scores.is_finite:
            raise DivergedError(
                f"step {state.step} of {self.run.plan.steps}: the model's scores are no longer numbers; "
                f"the run diverged, so try a smaller train.lr than {self.run.cfg.train.lr:g}"
            )
        return EvalRow(
            step=state.step,
            tokens_seen=state.tokens_seen,
            bytes_seen=state.bytes_seen,
            flops=float(state.tokens_seen * training_flops_per_token(self.run.model.config)),
            seconds=state.seconds,
            tokens_per_second=state.tokens_seen / state.seconds,
            peak_memory=peak_memory(self.run.spec.device),
            scores=scores,
        )

    def save(self) -> None:
        """Write a checkpoint, from which the same command goes on."""
        best = self.evaluator.best_weights
        save_checkpoint(self.folder.checkpoints, self.run.spec.digest, self.run.model, self.state, best)


@contextmanager
def opened(spec: RunSpec, world: World = ALONE, *, resume_at: int | None = None) -> Iterator[Session]:
    """Lock the run's folder, prepare the run, and bring it to where an earlier process saved it.

    `resume_at`: at most at this step. Whatever ends the context ends tracking, and is written to the folder.
    """
    with locked_folder(spec.path, spec.cfg, spec.digest) as folder:
        run = prepare_run(spec)
        state = TrainState(make_optimizer(run.model, run.cfg.train))
        restoration = restoration_of(run.tokenizer, run.corpus)
        evaluator = Evaluator(run.model, run.data, restoration)
        folder.write_config(run.cfg)
        rows = _resume(run, state, evaluator, resume_at)
        _announce(run)
        folder.set_state("running", steps=run.plan.steps)
        tracker = Tracker(spec.path, spec.name, run.cfg, rows)
        if not state.step:  # nothing is removed before all that may be refused has been accepted
            folder.clear()
        run.tokenizer.save(spec.path / TOKENIZER)
        with tracker, Progress(spec.name, run.plan.steps, run.tokens_per_step, state.step) as progress:
            share(world, run.model, state)
            reset_peak_memory(spec.device)
            yield Session(run, restoration, folder, state, evaluator, tracker, progress)


def _resume(run: PreparedRun, state: TrainState, evaluator: Evaluator, resume_at: int | None) -> list[Row]:
    """Go to where an interrupted run was saved, if there is such a place; the rows up to there."""
    spec = run.spec
    if spec.cfg.rerun:
        return []
    rows = whole_rows(spec.path)
    most = whole_steps(rows) if resume_at is None else resume_at
    best = load_checkpoint(spec.path / CHECKPOINTS, spec.digest, run.model, state, most=most)
    rows = [row for row in rows if row.step <= state.step]
    if best is not None:
        evaluator.resume([row.scores for row in rows if isinstance(row, EvalRow)], best)
        log.info("%s: going on from step %s", spec.name, f"{state.step:,}")
    return rows


def resumable_steps(spec: RunSpec) -> set[int]:
    """The steps from which the run could go on."""
    if spec.cfg.rerun:
        return set()
    most = whole_steps(whole_rows(spec.path))
    return {step for step in saved_steps(spec.path / CHECKPOINTS, spec.digest) if step <= most}


def _announce(run: PreparedRun) -> None:
    log.info(
        "%s: %s tokens, %s parameters, %s steps on %s",
        run.spec.name, f"{run.tokenizer.vocab_size:,}", f"{sum(p.numel() for p in run.model.parameters()):,}",
        f"{run.plan.steps:,}", run.spec.device,
    )  # fmt: skip
