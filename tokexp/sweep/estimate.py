"""Estimate how long runs would take on this machine, from a few steps taken and thrown away."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from tabulate import tabulate

from tokexp.config import RunConfig
from tokexp.model.sizes import parameter_split, training_flops_per_token
from tokexp.scoring.bits_per_byte import score
from tokexp.stages.prepare import PreparedRun, identify, prepare_run
from tokexp.system.device import resolve_device, use_threads
from tokexp.system.meter import duration
from tokexp.system.provenance import workers

WARM_UP, MEASURED = 2, 5  # steps


class Pace(NamedTuple):
    step_seconds: float
    evaluation_seconds: float


@dataclass(frozen=True)
class Estimate:
    """A run that has not been. Seconds are of training and of evaluation; samples at the end come on top."""

    name: str
    vocab_size: int
    params_total: int
    steps: int
    tokens: int
    flops: float
    seconds: float
    done: bool  # there already, so that it would cost nothing


def print_estimates(cfgs: list[RunConfig]) -> None:
    """Print a table of the runs that `cfgs` describe, as `dry=true` asks for."""
    paces: dict[tuple[Any, ...], Pace] = {}
    print(table([estimate(cfg, paces) for cfg in cfgs], workers()))


def estimate(cfg: RunConfig, paces: dict[tuple[Any, ...], Pace]) -> Estimate:
    """Estimate the run that `cfg` describes, in the pace of a few steps.

    `paces`: by what decides them, filled in here, so that runs of equal cost are measured once.
    """
    use_threads(cfg.threads)
    spec = identify(cfg, None, resolve_device(cfg.device))
    run = prepare_run(spec)
    config, plan, train = run.model.config, run.plan, run.cfg.train
    tokens = plan.steps * train.batch_size * config.block_size
    evaluations = -(-plan.steps // train.eval_every)
    key = (config, train.batch_size, train.grad_accum, spec.precision)
    if key not in paces:
        paces[key] = Pace(step_seconds(run), evaluation_seconds(run))
    seconds = plan.steps * paces[key].step_seconds + evaluations * paces[key].evaluation_seconds
    return Estimate(
        name=spec.name,
        vocab_size=config.vocab_size,
        params_total=parameter_split(config).params_total,
        steps=plan.steps,
        tokens=tokens,
        flops=float(tokens * training_flops_per_token(config)),
        seconds=0.0 if spec.done else seconds,
        done=spec.done,
    )


def step_seconds(run: PreparedRun) -> float:
    """Measure a step: the mean over five, after two to warm up."""
    state, seconds = run.begin(), []
    for steps in (WARM_UP, WARM_UP + MEASURED):
        plan = dataclasses.replace(run.plan, steps=steps, lr=0.0, min_lr=0.0)  # which changes no cost
        for _ in dataclasses.replace(run, plan=plan).train(state):
            pass
        seconds.append(state.seconds)
    return (seconds[1] - seconds[0]) / MEASURED


def evaluation_seconds(run: PreparedRun) -> float:
    """Measure an evaluation, which scores the held-out text and as much of the training part."""
    began = time.perf_counter()
    score(run.model, run.data.context_id, run.data.val)
    return 2 * (time.perf_counter() - began)


def table(estimates: list[Estimate], workers: int = 1) -> str:
    """Lay out the runs, and the whole; `workers` of them at the same time."""
    rows = [
        [e.name, f"{e.vocab_size:,}", f"{e.params_total:,}", f"{e.steps:,}", f"{e.tokens:,}", f"{e.flops:.2e}",
         "done" if e.done else duration(e.seconds)]
        for e in estimates
    ]  # fmt: skip
    left = [e for e in estimates if not e.done]
    rows.append(
        [f"{len(left)} of {len(estimates)} to do", "", "", f"{sum(e.steps for e in left):,}",
         f"{sum(e.tokens for e in left):,}", f"{sum(e.flops for e in left):.2e}",
         duration(sum(e.seconds for e in left) / workers)]
    )  # fmt: skip
    head = ["run", "vocabulary", "parameters", "steps", "tokens", "FLOPs", "time"]
    text: str = tabulate(rows, headers=head, disable_numparse=True, stralign="right")
    return text
