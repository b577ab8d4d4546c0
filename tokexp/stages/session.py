"""A run at work, in the process that writes: its folder, its rows, its evaluations, its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import ClassVar

from tokexp.model.sizes import training_flops_per_token
from tokexp.runs.files import CHECKPOINTS, TOKENIZER, load_metrics, whole_rows, whole_steps
from tokexp.runs.folder import RunFolder, locked_folder
from tokexp.runs.progress import EVALUATING, PREPARING, TRAINING, Progress
from tokexp.runs.result import RunResult, json_row, save_result
from tokexp.runs.standing import seconds_after_training
from tokexp.runs.state import State
from tokexp.runs.tracking.tracker import Tracker
from tokexp.scoring.evaluator import EndScores, Evaluator
from tokexp.scoring.samples.segments import piece_rows
from tokexp.scoring.target import Target, make_targets
from tokexp.stages.assemble import assemble_result
from tokexp.stages.measure import Measured, measure_run
from tokexp.stages.prepare import PreparedRun, RunSpec, prepare_run
from tokexp.system.device import peak_memory, reset_peak_memory
from tokexp.system.distributed import ALONE, World
from tokexp.system.signals import Interrupted, Request
from tokexp.training.checkpoint import load_checkpoint, save_checkpoint, saved_steps
from tokexp.training.loop import DivergedError
from tokexp.training.record import EvalRow, Row, StepRow
from tokexp.training.state import TrainState, share

log = logging.getLogger(__name__)


class Session:
    """A prepared run between the beginning of its training and its result."""

    NOTHING: ClassVar[list[StepRow]] = []  # what training has yielded before it goes on

    def __init__(
        self,
        run: PreparedRun,
        targets: dict[str, Target],
        folder: RunFolder,
        state: TrainState,
        evaluator: Evaluator,
        tracker: Tracker,
        progress: Progress,
        evaluated: int,
    ) -> None:
        """`evaluated`: the step of the last evaluation, 0 before the first."""
        self.run, self.state, self.phases = run, state, folder.phases
        self._targets, self._folder, self._evaluator = targets, folder, evaluator
        self._tracker, self._progress, self._evaluated = tracker, progress, evaluated

    def train(self, request: Request, world: World = ALONE) -> None:
        """Train to the end of the plan. Raises Interrupted, with all of it saved, where `request` comes."""
        with self.phases(TRAINING):
            for steps in chain([self.NOTHING], self.run.train(self.state, world)):
                self.record(steps, request)
                stop_if_asked(request, [self], world)

    def record(self, steps: list[StepRow], request: Request) -> None:
        """Write down what training yielded; evaluate and save where the settings say so.

        An evaluation is given up where `request` comes; it is done as the run goes on, by a call with NOTHING.
        """
        self._folder.check()
        self._write(steps)
        due = self.run.evaluates(self.state.step) and self.state.step > self._evaluated
        if due:
            with suppress(Interrupted), request.obeyed_at_once(), self.phases(EVALUATING):
                row = self._evaluate()
                self._evaluated = self.state.step
            if self._evaluated == self.state.step:
                self._write([row])
        if (steps or due) and self.run.saves(self.state.step) and not request:
            self.save()

    def _write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._tracker.log(row)
            self._progress.show(row)

    def _evaluate(self) -> EvalRow:
        state, scores = self.state, self._evaluator()
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
        best = self._evaluator.best_weights
        save_checkpoint(self._folder.checkpoints, self.run.spec.config_hash, self.run.model, self.state, best)

    def finish(self, request: Request, *, trained_as_one: int = 1) -> RunResult:
        """Measure what was trained, and write everything down, the result last.

        `trained_as_one`: how many runs were, this one among them. Raises Interrupted at once where `request` comes:
        the same command then goes on from the end of training.
        """
        self._progress.close()
        try:
            with request.obeyed_at_once():
                return self._finish(trained_as_one)
        except Interrupted:
            log.warning("%s: stopped after its training, which is saved", self.run.spec.name)
            raise

    def _finish(self, trained_as_one: int) -> RunResult:
        with self.phases(EVALUATING):
            scores = self._evaluator.final_scores(self.run.corpus.names)
        measured = self._measure(scores)
        with self.phases("saving"):
            rows = load_metrics(self._folder.path)
            result = assemble_result(self.run, rows, scores, measured, trained_as_one=trained_as_one)
            self._conclude(result, measured)
        return result

    def _measure(self, scores: EndScores) -> Measured:
        """Keep the weights, measure the model, and write down what was measured."""
        best = self._evaluator.best_weights
        self._folder.save_weights(self.run.model.state_dict(), best, self.run.cfg.keep_weights)
        measured = measure_run(self.run, self._targets, scores.texts, best, self.phases)
        measured.write(self._folder.path)
        return measured

    def _conclude(self, result: RunResult, measured: Measured) -> None:
        """Send the result to W&B and write it down; from then on the run is done."""
        self._tracker.finish(json_row(result), measured.samples, segmentation=piece_rows(measured.segments[-1]))
        save_result(self._folder.path, result)
        self._folder.remove_checkpoints()
        log.info("%s: %.4f bits per byte held out, in %s", result.name, result.bpb, self._folder.path)


@contextmanager
def open_session(spec: RunSpec, world: World = ALONE, *, resume_at: int | None = None) -> Iterator[Session]:
    """Lock the run's folder, prepare the run, and bring it to where an earlier process saved it.

    `resume_at`: at most at this step. Whatever ends the context ends tracking, and is written to the folder.
    """
    with locked_folder(spec.path, spec.asked, spec.config_hash) as folder:
        with folder.phases(PREPARING):
            run = prepare_run(spec)
            state = run.begin()
            targets = make_targets(run.encoded, run.corpus)
            evaluator = Evaluator(run.model, run.data, targets, run.cfg.train.eval_bytes)
            folder.write_config(run.cfg)
            rows = _resume(run, state, evaluator, resume_at)
        _announce(run)
        folder.set_state(State.RUNNING, steps=run.plan.steps)
        with Tracker(spec.path, spec.name, spec.config_hash, run.cfg) as tracker:
            if not state.step:  # nothing is removed before all that may be refused has been accepted
                folder.clear()
            tracker.begin(rows)
            run.tokenizer.save(spec.path / TOKENIZER)
            afterwards = seconds_after_training(spec.path.parent)
            with Progress(spec.name, run.plan.steps, run.tokens_per_step, state.step, afterwards) as progress:
                share(world, run.model, state)
                reset_peak_memory(spec.device)
                evaluated = max((row.step for row in rows if isinstance(row, EvalRow)), default=0)
                yield Session(run, targets, folder, state, evaluator, tracker, progress, evaluated)


def stop_if_asked(request: Request, sessions: Sequence[Session], world: World = ALONE) -> None:
    """Save `sessions` and raise Interrupted where one of the processes was asked to stop."""
    if world.any(bool(request)):
        for session in sessions:
            session.save()
            run = session.run
            log.warning(
                "%s: stopped after step %d of %d, which is saved", run.spec.name, session.state.step, run.plan.steps
            )
        raise request.answer()


def _resume(run: PreparedRun, state: TrainState, evaluator: Evaluator, resume_at: int | None) -> list[Row]:
    """Go to where an interrupted run was saved, if there is such a place; return its rows up to there."""
    spec = run.spec
    if spec.asked.rerun:
        return []
    rows = whole_rows(spec.path)
    most = whole_steps(rows) if resume_at is None else resume_at
    best = load_checkpoint(spec.path / CHECKPOINTS, spec.config_hash, run.model, state, most=most)
    rows = [row for row in rows if row.step <= state.step]
    if best is not None:
        evaluator.resume([row.scores for row in rows if isinstance(row, EvalRow)], best)
        log.info("%s: continues from step %s", spec.name, f"{state.step:,}")
    return rows


def resumable_steps(spec: RunSpec) -> set[int]:
    """The steps from which the run could go on."""
    if spec.asked.rerun:
        return set()
    most = whole_steps(whole_rows(spec.path))
    return {step for step in saved_steps(spec.path / CHECKPOINTS, spec.config_hash) if step <= most}


def _announce(run: PreparedRun) -> None:
    log.info(
        "%s: %s tokens, %s parameters, %s steps on %s",
        run.spec.name, f"{run.tokenizer.vocab_size:,}", f"{sum(p.numel() for p in run.model.parameters()):,}",
        f"{run.plan.steps:,}", run.spec.device,
    )  # fmt: skip
    if run.tokenizer.trained_on == "external":
        log.warning(
            "! %s: its tokenizer was trained elsewhere and may have seen the held-out text; its figures stand apart",
            run.spec.name,
        )
