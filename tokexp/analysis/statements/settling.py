"""What would settle whether the leader of each size is ahead of the next one: more seeds, or more text."""

from __future__ import annotations

from dataclasses import dataclass

from tokexp.analysis.chance.verdicts import Reason
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements.answer import answer

FIRST_SEEDS = 3  # a cell, where each has one
MOST_SEEDS = 20  # that anyone would type


@dataclass(frozen=True)
class Settling:
    """What the leads lack that are not resolved; all empty where each is."""

    seeds: list[int]  # with which each cell would have enough of them; empty where seeds are not what is lacking
    one_seed: bool  # whether there is one seed now, so that more can only be a beginning
    too_many: int | None  # how many seeds a cell would need, where that is more than anyone would train
    never: bool  # whether not even a thousand seeds would do
    more_text: list[str | None]  # the sizes where the held-out text is too short; None where all models have one size
    by_documents: bool = False  # whether it is made of documents


def settling(comparison: Comparison) -> Settling:
    verdicts = [(leader.size, leader.second[1].verdict) for leader in answer(comparison).leaders if leader.second]
    reasons = {verdict.reason for _, verdict in verdicts}
    wanted = [verdict.seeds for _, verdict in verdicts if verdict.seeds is not None]
    if Reason.ONE_SEED in reasons:
        wanted.append(FIRST_SEEDS)
    typed = [n for n in wanted if n <= MOST_SEEDS]
    too_many = [n for n in wanted if n > MOST_SEEDS]
    return Settling(
        seeds=_seeds(sorted(set(comparison.runs.seed.tolist())), max(typed)) if typed else [],
        one_seed=Reason.ONE_SEED in reasons,
        too_many=max(too_many) if too_many else None,
        never=Reason.TOO_MANY_SEEDS in reasons,
        more_text=[size for size, verdict in verdicts if verdict.reason is Reason.TEXT],
        by_documents=comparison.documents is not None,
    )


def _seeds(there: list[int], n: int) -> list[int]:
    """`n` seeds, among them those that are there, then the smallest others."""
    others = (seed for seed in range(n + len(there)) if seed not in there)
    return sorted([*there, *others][: max(n, len(there))])
