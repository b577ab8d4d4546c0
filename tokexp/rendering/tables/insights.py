"""The seed experiment's insights as text: what it claimed, and the evidence of a study."""

from __future__ import annotations

from collections.abc import Mapping

from tokexp.analysis.cells import Cell
from tokexp.analysis.correlation import FEWEST
from tokexp.analysis.seed_experiment.insights import (
    FreeLunch,
    Granularity,
    Insight,
    Judgement,
    LossAndOutput,
    Range,
    SizeOfModels,
    Stability,
    TextOfSamples,
)

MOST_NAMED = 2  # cells that are equally good
ONE_SEED = "One seed is an anecdote."
JUDGEMENTS = {
    Judgement.HOLDS: "holds here",
    Judgement.NOT: "does not hold here",
    Judgement.OPEN: "open",
}
# What nearly any tokenizers make hold: another vocabulary has other parameters, another length of token another text,
# and criteria such as fewest parameters and fewest bits pull apart.
BY_CONSTRUCTION = (SizeOfModels, TextOfSamples, FreeLunch)
CLAIMS: dict[type, str] = {
    LossAndOutput: "A lower loss is not better output",
    SizeOfModels: "The same architecture has another number of parameters",
    TextOfSamples: "The same number of tokens is another amount of text",
    Stability: "Some tokenizers train more stably",
    Granularity: "The curse of granularity: the finer the tokens, the less a context holds and the more there is to "
    "learn",
    FreeLunch: "There is no free lunch: no tokenizer is best at everything",
}


def claim(insight: Insight) -> str:
    return CLAIMS[type(insight)]


def verdict(insight: Insight) -> str:
    return "holds by construction, so this is no test" if by_construction(insight) else JUDGEMENTS[insight.judgement]


def by_construction(insight: Insight) -> bool:
    """Whether it holds, and could hardly do otherwise."""
    return insight.judgement is Judgement.HOLDS and isinstance(insight, BY_CONSTRUCTION)


def evidence(insight: Insight) -> str:
    match insight:
        case LossAndOutput():
            return _loss_and_output(insight)
        case SizeOfModels(_, bodies, totals, related):
            return (
                f"The bodies have {_range(bodies, ',.0f')} parameters, the models {_range(totals, ',.0f')}; "
                f"of these, {_range(related, '.1%')} depend on the vocabulary and the positions."
            )
        case TextOfSamples(_, chars):
            return f"The samples of equal tokens have so many characters: {_each(chars, ',.0f')}."
        case Stability():
            figures = (
                "In so many steps the gradient norm is over 3 times the median of the 50 steps before: "
                f"{_each(insight.spikes, '.2%')}."
            )
            if insight.one_seed:
                return f"{figures} {ONE_SEED}"
            return f"{figures} The seeds do not tell them apart." if insight.not_told else figures
        case Granularity():
            return _granularity(insight)
        case FreeLunch(_, best):
            return " ".join(
                f"The best of size {size} are, by "
                + "; by ".join(f"{what}: {_some(cells)}" for what, cells in winners.items())
                + "."
                for size, winners in best
            )


def _loss_and_output(insight: LossAndOutput) -> str:
    if insight.lowest is None:
        return ""
    figures = (
        f"{insight.lowest} has the lowest loss per token ({insight.loss:.2f} nats, {insight.bpb:.3f} bits per byte); "
        f"the samples of {insight.nearest} are nearest to human text ({insight.nearest_distance:.2f} sd away, those of "
        f"{insight.lowest} {insight.lowest_distance:.2f})."
    )
    if insight.one_seed:
        return f"{figures} {ONE_SEED}"
    if insight.not_told_from is not None:
        return f"{figures} The seeds do not tell {insight.nearest} from {insight.not_told_from}."
    return figures


def _granularity(insight: Granularity) -> str:
    figures = f"A full context has so many characters: {_each(insight.context_chars, ',.0f')}."
    for one in insight.correlations:
        low, high = one.interval
        figures += (
            f" At size {one.size}, bytes per token and bits per byte have a rank correlation of "
            f"{one.value:+.2f} ({low:+.2f} to {high:+.2f}) over {one.cells} cells."
        )
    return figures if insight.correlations else f"{figures} Fewer than {FEWEST} cells of a size tell nothing."


def _some(cells: list[Cell]) -> str:
    return ", ".join(map(str, cells)) if len(cells) <= MOST_NAMED else f"{len(cells)} alike"


def _each(values: Mapping[Cell, float], form: str) -> str:
    return ", ".join(f"{cell} {value:{form}}" for cell, value in values.items())


def _range(ends: Range, form: str) -> str:
    low, high = (f"{end:{form}}" for end in ends)
    return low if low == high else f"{low} to {high}"
