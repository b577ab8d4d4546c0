"""Do the seed experiment's six insights hold? Each with the figures of this study that speak for or against it.

Computed, not written: a sweep of other tokenizers, another text or more steps may say otherwise. What a
few cells cannot tell is said to be open.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import pandas as pd

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Interval, Unknown
from tokexp.analysis.chance.verdicts import SeedScores, compare_all
from tokexp.analysis.comparison import Comparison, by_cell
from tokexp.analysis.content import bits_by_content
from tokexp.analysis.correlation import FEWEST, spearman, spearman_interval
from tokexp.analysis.readability import Reading, lowest_temperature_distances, readings, temperatures

Range = tuple[float, float]  # least and most


class Judgement(Enum):
    HOLDS = auto()
    NOT = auto()
    OPEN = auto()


HOLDS, NOT, OPEN = Judgement


@dataclass(frozen=True)
class LossAndOutput:
    """A lower loss is not better output."""

    judgement: Judgement
    lowest: Cell | None = None  # of the loss per token; None without samples of two cells
    loss: float = np.nan  # its nats per token
    bpb: float = np.nan
    lowest_distance: float = np.nan  # of its samples from human text
    nearest: Cell | None = None  # of whose samples are nearest to human text
    nearest_distance: float = np.nan
    one_seed: bool = False
    not_told_from: Cell | None = None  # what the seeds do not tell the nearest from


@dataclass(frozen=True)
class SizeOfModels:
    """The same architecture has another number of parameters."""

    judgement: Judgement
    bodies: Range
    totals: Range
    embedding_related: Range  # shares


@dataclass(frozen=True)
class TextOfSamples:
    """The same number of tokens is another amount of text."""

    judgement: Judgement
    chars: dict[Cell, float]


@dataclass(frozen=True)
class Stability:
    """Some tokenizers train more stably."""

    judgement: Judgement
    spikes: dict[Cell, float]  # shares of the steps
    one_seed: bool = False
    not_told: bool = False  # the seeds do not tell them apart


@dataclass(frozen=True)
class SizeCorrelation:
    size: str
    value: float  # rank correlation of bytes per token and bits per byte
    interval: Interval
    cells: int


@dataclass(frozen=True)
class Granularity:
    """The curse of granularity: the finer the tokens, the less a context holds and the more there is to learn."""

    judgement: Judgement
    context_chars: dict[Cell, float]
    correlations: list[SizeCorrelation]


@dataclass(frozen=True)
class FreeLunch:
    """There is no free lunch: no tokenizer is best at everything."""

    judgement: Judgement
    best: list[tuple[str, dict[str, list[Cell]]]]  # by size of model and criterion


Insight = LossAndOutput | SizeOfModels | TextOfSamples | Stability | Granularity | FreeLunch


CORPUS, TOKENIZERS = "tinyshakespeare", ("char", "word", "bpe")


def is_concerned(comparison: Comparison) -> bool:
    """Whether the seed experiment says something of these runs: of its text, with tokenizers of its three kinds."""
    arms = set(comparison.runs.arm)
    return comparison.corpus == CORPUS and all(any(a.startswith(kind) for a in arms) for kind in TOKENIZERS)


def insights(comparison: Comparison) -> list[Insight]:
    """Judge all six, in the seed experiment's order."""
    return [
        loss_and_output(comparison),
        size_of_models(comparison),
        text_of_samples(comparison),
        stability(comparison),
        granularity(comparison),
        free_lunch(comparison),
    ]


def loss_and_output(comparison: Comparison) -> LossAndOutput:
    """For it: samples nearer to human text than those with the lowest loss per token, beyond the seeds' chance.

    Against it: these are nearer than all others. Which cells stand beside each other is chosen by looking at them, so
    all pairs are judged together.
    """
    losses, distances = comparison.mean("val_loss"), lowest_temperature_distances(comparison)
    if len(distances) < 2:
        return LossAndOutput(OPEN)
    lowest = min(losses, key=lambda cell: losses[cell])
    nearest = min(distances, key=lambda cell: distances[cell].mean())
    one_seed, not_told, judgement = min(map(len, distances.values())) < 2, None, OPEN
    if not one_seed:
        others = sorted(distances.keys() - {nearest}, key=lambda cell: distances[cell].mean())
        told = _told_apart(distances, itertools.combinations(distances, 2))
        not_told = next((other for other in (others if lowest == nearest else [lowest])
                         if frozenset((nearest, other)) not in told), None)  # fmt: skip
        judgement = OPEN if not_told else NOT if lowest == nearest else HOLDS
    return LossAndOutput(
        judgement,
        lowest,
        losses[lowest],
        comparison.total(lowest).value,
        float(distances[lowest].mean()),
        nearest,
        float(distances[nearest].mean()),
        one_seed,
        not_told,
    )


def size_of_models(comparison: Comparison) -> SizeOfModels:
    means = comparison.means
    columns = (means.params_body, means.params_total, means.embedding_share)
    ranges = [(float(values.min()), float(values.max())) for values in columns]
    alike = means.groupby("params_body").params_total.agg(["size", "nunique"]).query("size > 1")
    judgement = OPEN if not len(alike) else HOLDS if alike["nunique"].max() > 1 else NOT
    return SizeOfModels(judgement, *ranges)


def text_of_samples(comparison: Comparison) -> TextOfSamples:
    chars = comparison.mean("sample_chars_500")
    judgement = OPEN if len(chars) < 2 else HOLDS if max(chars.values()) > 1.1 * min(chars.values()) else NOT
    return TextOfSamples(judgement, chars)


def stability(comparison: Comparison) -> Stability:
    """For it: two cells of one size of model that the seeds tell apart, all pairs taken together."""
    seeds = {cell: runs.grad_norm_spikes.to_numpy() for cell, runs in by_cell(comparison.runs)}
    spikes = {cell: float(shares.mean()) for cell, shares in seeds.items()}
    if len(seeds) < 2 or min(map(len, seeds.values())) < 2:
        return Stability(OPEN, spikes, one_seed=True)
    if len(set(spikes.values())) == 1:
        return Stability(NOT, spikes)
    told = _told_apart(seeds, (pair for pair in itertools.combinations(seeds, 2) if pair[0].size == pair[1].size))
    return Stability(HOLDS if told else OPEN, spikes, not_told=not told)


def _told_apart(figures: Mapping[Cell, np.ndarray], pairs: Iterable[tuple[Cell, Cell]]) -> set[frozenset[Cell]]:
    """The pairs whose figures, (seeds,) each, differ beyond the seeds' chance, all pairs taken together."""
    scores = {cell: SeedScores(values, np.zeros((1, 0)), cell.size) for cell, values in figures.items()}
    differences = compare_all(scores, Unknown(), list(pairs))
    return {frozenset(pair) for pair, difference in differences.items() if difference.resolved}


def granularity(comparison: Comparison) -> Granularity:
    """For it: bytes per token go with fewer bits per byte over the cells of each size of model, beyond chance."""
    block_size, chars_per_token = comparison.mean("block_size"), comparison.mean("chars_per_token")
    chars = {cell: block_size[cell] * chars_per_token[cell] for cell in comparison.cells}
    correlations = []
    for size in comparison.sizes:
        means = comparison.means.loc[size.cells]
        x, y = means.bytes_per_token.to_numpy(), means.bpb.to_numpy()
        value = float(spearman(x, y))
        if len(x) >= FEWEST and not np.isnan(value):
            correlations.append(SizeCorrelation(size.name, value, spearman_interval(x, y), len(x)))
    judgement = OPEN
    if correlations and all(one.interval.high < 0 for one in correlations):
        judgement = HOLDS
    elif correlations and all(one.interval.low > 0 for one in correlations):
        judgement = NOT
    return Granularity(judgement, chars, correlations)


def free_lunch(comparison: Comparison) -> FreeLunch:
    """Against it: of the models of one size, one is best by every criterion, or as good as any."""
    distances = lowest_temperature_distances(comparison)
    unseen = bits_by_content(comparison, "word").get("unseen", pd.Series(dtype=float)).dropna()
    best, best_at_all = [], False
    for size in comparison.sizes:
        means = comparison.means.loc[size.cells]
        near = {cell: distances[cell].mean() for cell in size.cells if cell in distances}
        criteria = {
            "bits per byte": means.bpb,
            "fewest parameters": means.params_total,
            "fewest FLOPs": means.flops,
            "fewest unknown tokens": means.unk_rate,
            "samples nearest to human text": pd.Series(near, dtype=float),
            "words never seen in training": unseen[unseen.index.isin(size.cells)],
        }
        winners = {what: list(values.index[values == values.min()]) for what, values in criteria.items() if len(values)}
        best_at_all |= len(means) > 1 and bool(set.intersection(*map(set, winners.values())))
        best.append((size.name, winners))
    alone = all(len(size.cells) < 2 for size in comparison.sizes)
    return FreeLunch(OPEN if alone else NOT if best_at_all else HOLDS, best)


@dataclass(frozen=True)
class Ticked:
    """What the seed experiment's table ticked by eye for a cell, as figures; None where there is none."""

    cell: Cell
    readings: dict[str, Reading]  # by measure
    distance: float | None  # of the samples from human text
    unk_rate: float
    unseen_bpb: float | None  # bits per byte of words that the training part lacks
    spikes: float  # share of the steps


def ticked(comparison: Comparison) -> list[Ticked]:
    """A row a cell, best total first."""
    at, distances = temperatures(comparison), lowest_temperature_distances(comparison)
    read = readings(comparison, at[0]) if at else {}
    unseen = bits_by_content(comparison, "word").get("unseen", pd.Series(dtype=float))
    unseen_bpb = dict(zip(unseen.index, unseen.tolist(), strict=True))
    unknown, spikes = comparison.mean("unk_rate"), comparison.mean("grad_norm_spikes")
    return [
        Ticked(
            cell,
            read.get(cell, {}),
            float(distances[cell].mean()) if cell in distances else None,
            unknown[cell],
            unseen_bpb.get(cell),
            spikes[cell],
        )
        for cell in comparison.cells
    ]
