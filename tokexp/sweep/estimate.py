"""Estimate how long runs would take on this machine, from a little of each stage done and thrown away."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tabulate import tabulate

from tokexp.config import RunConfig
from tokexp.data.corpus import Corpus
from tokexp.data.peek import about, peek, shortened
from tokexp.encoding.prepare import is_prepared
from tokexp.encoding.workers import ALONE
from tokexp.model.generate import sample_chars
from tokexp.model.sizes import parameter_split, training_flops_per_token
from tokexp.scoring.baselines import LEARNED_BYTES, measure_baselines
from tokexp.scoring.bits_per_byte import score
from tokexp.stages.prepare import PreparedRun, identify, identify_on, prepare_run
from tokexp.system.device import resolve_device, use_threads
from tokexp.system.meter import duration
from tokexp.system.provenance import cores, workers

WARM_UP, MEASURED = 2, 5  # steps
TRAIN_BYTES, HELD_OUT_BYTES, BASELINE_BYTES = 1_000_000, 30_000, 100_000  # that paces are measured on
SAMPLED_CHARS = 60  # of each sample
OTHER_MEASURES = 8  # of what scoring the beginning of the text takes: content and segmentations, about


@dataclass(frozen=True)
class Pace:
    """Seconds of a run's stages, by what each grows with."""

    step: float
    scored_byte: float
    sampling: float


@dataclass(frozen=True)
class Estimate:
    """A run that has not been, and the seconds of its stages."""

    name: str
    vocab_size: int
    params_total: int
    steps: int
    tokens: int
    passes: float  # over the training part
    flops: float
    preparing: float  # for the first run of a tokenizer; later ones take what it kept
    training: float
    evaluating: float
    afterwards: float
    done: bool  # there already, so that it would cost nothing

    @property
    def seconds(self) -> float:
        return 0.0 if self.done else self.preparing + self.training + self.evaluating + self.afterwards


class Estimator:
    """Estimates runs one after another; what several share is measured, and counted, once."""

    def __init__(self) -> None:
        self._paces: dict[Any, Pace] = {}
        self._prepared: set[Any] = set()
        self._baselines: dict[str, float] = {}

    def estimate(self, cfg: RunConfig) -> Estimate:
        """Estimate the run that `cfg` describes."""
        use_threads(cfg.threads)
        device = resolve_device(cfg.device)
        corpus, times = peek(cfg.data)
        spec = identify(cfg, None, device) if times == 1 else identify_on(corpus, cfg, None, device)
        run = prepare_run(dataclasses.replace(spec, corpus=shortened(corpus, TRAIN_BYTES, HELD_OUT_BYTES)))
        longer = times * corpus.train.n_bytes / run.corpus.train.n_bytes
        config, train = run.model.config, run.cfg.train
        steps = max(1, round(run.plan.steps * longer)) if cfg.budget.epochs is not None else run.plan.steps
        tokens = steps * train.batch_size * config.block_size
        key = (config, train.batch_size, train.grad_accum, spec.precision)
        if key not in self._paces:
            self._paces[key] = measure_pace(run)
        pace = self._paces[key]
        evaluations = -(-steps // train.eval_every)
        at_once = min(corpus.val.n_bytes, train.eval_bytes or corpus.val.n_bytes)
        final = corpus.val.n_bytes + 2 * corpus.scored.n_bytes + sum(part.n_bytes for part in corpus.held_out.values())
        baselines, looked_at = self._baselines_of(corpus), min(125_000, corpus.scored.n_bytes)
        return Estimate(
            name=spec.name if times == 1 else "-".join([cfg.arm, cfg.size, f"s{cfg.seed}"]),
            vocab_size=config.vocab_size,
            params_total=parameter_split(config).params_total,
            steps=steps,
            tokens=tokens,
            passes=tokens / (len(run.data.train) * longer),
            flops=float(tokens * training_flops_per_token(config)),
            preparing=self._preparing(cfg, corpus, run, longer, known=times == 1),
            training=steps * pace.step,
            evaluating=pace.scored_byte * (evaluations * 2 * at_once + final),
            afterwards=pace.sampling + pace.scored_byte * looked_at * OTHER_MEASURES + baselines,
            done=times == 1 and spec.done,
        )

    def _preparing(self, cfg: RunConfig, corpus: Corpus, run: PreparedRun, longer: float, *, known: bool) -> float:
        """Seconds for the tokenizer and the ids, where no earlier run has kept them and none of these is first."""
        asked, eval_bytes = cfg.tokenizer, cfg.train.eval_bytes
        key = (asked.kind, repr(asked.train_settings()), asked.train_bytes, corpus.pin)
        if key in self._prepared:
            return 0.0
        self._prepared.add(key)
        if known and is_prepared(asked.kind, asked.train_settings(), corpus, asked.train_bytes, eval_bytes):
            return 0.0
        whole = run.corpus.train.n_bytes * longer
        learned = min(whole, asked.train_bytes or whole) / run.corpus.train.n_bytes
        processes = max(1, cores() // workers()) if whole > ALONE else 1
        encoded = run.encoded.tokenizer_encode_seconds * longer / processes
        return run.encoded.tokenizer_train_seconds * learned + encoded

    def _baselines_of(self, corpus: Corpus) -> float:
        """Seconds for the baselines, for the first run on a corpus."""
        if corpus.pin in self._baselines:
            return 0.0
        small = shortened(corpus.measured, BASELINE_BYTES, BASELINE_BYTES // 10)
        began = time.perf_counter()
        measure_baselines(small)
        ratio = min(LEARNED_BYTES, corpus.train.n_bytes) / small.train.n_bytes
        self._baselines[corpus.pin] = (time.perf_counter() - began) * ratio
        return self._baselines[corpus.pin]


def measure_pace(run: PreparedRun) -> Pace:
    """Measure the stages of a run that grow with it."""
    scoring = timed(partial(score, run.model, run.data.context_id, run.data.val))
    short = dataclasses.replace(run.sample, chars=min(SAMPLED_CHARS, run.sample.chars))
    sampling = 0.0
    if short.count:
        sampling = timed(lambda: list(sample_chars(run.model, run.tokenizer, short, seed=0)))
        sampling *= run.sample.chars / short.chars * len(run.sample.temperatures)
    return Pace(step_seconds(run), scoring / run.data.val.n_bytes, sampling)


def timed(do: Callable[[], Any]) -> float:
    """The seconds that `do` takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def step_seconds(run: PreparedRun) -> float:
    """Measure a step: the mean over five, after two to warm up."""
    state, seconds = run.begin(), []
    for steps in (WARM_UP, WARM_UP + MEASURED):
        plan = dataclasses.replace(run.plan, steps=steps, lr=0.0, min_lr=0.0)  # which changes no cost
        for _ in dataclasses.replace(run, plan=plan).train(state):
            pass
        seconds.append(state.seconds)
    return (seconds[1] - seconds[0]) / MEASURED


def print_estimates(cfgs: list[RunConfig]) -> None:
    """Print the corpora, then a table of the runs that `cfgs` describe, as `dry=true` asks for."""
    for data in {repr(cfg.data): cfg.data for cfg in cfgs}.values():
        print(describe_corpus(*peek(data)))
    estimator = Estimator()
    print("\n" + table([estimator.estimate(cfg) for cfg in cfgs], workers()))


def describe_corpus(corpus: Corpus, times: float) -> str:
    """Say in a line what a corpus is made of."""
    parts = {"to train on": corpus.train, "validation": corpus.val, **({"test": corpus.test} if corpus.test else {})}
    said = [f"{name} {about(part, times if name == 'to train on' else 1)}" for name, part in parts.items()]
    said += [f"{name} {about(part, 1)}" for name, part in corpus.held_out.items()]
    return f"corpus {corpus.name}: {'; '.join(said)}"


def table(estimates: list[Estimate], workers: int = 1) -> str:
    """Lay out the runs, and the whole; `workers` of them at the same time."""
    rows = [
        [e.name, f"{e.vocab_size:,}", f"{e.params_total:,}", f"{e.steps:,}", f"{e.tokens:,}", f"{e.passes:.3g}",
         f"{e.flops:.2e}", *map(duration, (e.preparing, e.training, e.evaluating, e.afterwards)),
         "done" if e.done else duration(e.seconds)]
        for e in estimates
    ]  # fmt: skip
    left = [e for e in estimates if not e.done]
    rows.append(
        [f"{len(left)} of {len(estimates)} to do", "", "", f"{sum(e.steps for e in left):,}",
         f"{sum(e.tokens for e in left):,}", "", f"{sum(e.flops for e in left):.2e}", "", "", "", "",
         duration(sum(e.seconds for e in left) / workers)]
    )  # fmt: skip
    head = ["run", "vocabulary", "parameters", "steps", "tokens", "passes", "FLOPs",
            "preparing", "training", "evaluating", "after", "time"]  # fmt: skip
    text: str = tabulate(rows, headers=head, disable_numparse=True, stralign="right")
    return text
