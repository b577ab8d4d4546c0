"""What a study answers, as facts: who leads, is that real, against which baselines and under which terms."""

from __future__ import annotations

from dataclasses import dataclass

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate
from tokexp.analysis.chance.verdicts import Difference
from tokexp.analysis.comparison import Comparison, Size
from tokexp.analysis.differences import END, Lead, differences, leads
from tokexp.analysis.statements.chosen import Choice, choices
from tokexp.analysis.statements.doubts import Confound, confounds
from tokexp.analysis.views import Agreement, agreement


@dataclass(frozen=True)
class Leader:
    """The best cell of a size."""

    size: str | None  # None where all models have one
    cell: Cell
    total: Estimate
    second: tuple[Cell, Difference] | None  # the next one, and by how much it is behind
    restoration: float  # bits per byte of the total that bring back what the tokenizer loses
    lossless: tuple[Cell, Estimate] | None  # where it loses text: the best that does not
    pairs: int  # with how many their difference is judged together
    such_texts: bool  # whether a verdict holds of other such texts, too


@dataclass(frozen=True)
class Answer:
    """What a study says to its question."""

    leaders: list[Leader]  # of each size, the smallest first
    against_baselines: list[list[Lead]]  # of the largest size's leader, and of its best that loses no text
    agreement: Agreement


@dataclass(frozen=True)
class SizeLead:
    """How far the best cell of a size is ahead of each other one."""

    size: str
    cell: Cell
    ahead_of: list[tuple[Cell, Difference]]  # the nearest first


@dataclass(frozen=True)
class Ranking:
    """The answer, and what its leads are worth."""

    answer: Answer
    best_per_token: Cell | None  # that has the lowest loss per token, where it is not the best
    leads: list[SizeLead]
    confounds: list[Confound]
    choices: list[Choice]  # by looking at held-out text


def answer(comparison: Comparison) -> Answer:
    sizes = comparison.sizes
    leaders = [_leader(comparison, size, size.name if len(sizes) > 1 else None) for size in sizes]
    best = best_of(comparison, sizes[-1])
    against = [[lead for lead in leads(comparison) if (lead.cell, lead.at) == (cell, END)] for cell in best]
    return Answer(leaders, against, agreement(comparison))


def best_of(comparison: Comparison, size: Size) -> list[Cell]:
    """The best cell of a size, and where it loses text the best that does not."""
    best = size.cells[0]
    lossless = [cell for cell in size.cells if not comparison.loses_text(cell)]
    return [best, lossless[0]] if comparison.loses_text(best) and lossless else [best]


def _leader(comparison: Comparison, size: Size, name: str | None) -> Leader:
    best, *others = size.cells
    second = (others[0], differences(comparison)[best, others[0]]) if others else None
    lossless = best_of(comparison, size)[1:]
    return Leader(
        name,
        best,
        comparison.total(best),
        second,
        comparison.mean("bpb_restoration")[best],
        (lossless[0], comparison.total(lossless[0])) if lossless else None,
        len(differences(comparison)),
        comparison.text.such_texts,
    )


def ranking(comparison: Comparison) -> Ranking:
    losses = comparison.mean("val_loss")
    per_token = min(losses, key=lambda cell: losses[cell])
    return Ranking(
        answer(comparison),
        per_token if per_token != comparison.cells[0] else None,
        [lead for size in comparison.sizes if (lead := size_lead(comparison, size.name, size.cells))],
        confounds(comparison),
        choices(comparison),
    )


def size_lead(comparison: Comparison, size: str, cells: list[Cell]) -> SizeLead | None:
    """How far the first of `cells`, which are of one size and best first, is ahead; None where it is alone."""
    best, *others = cells
    by_pair = differences(comparison)
    return SizeLead(size, best, [(cell, by_pair[best, cell]) for cell in others]) if others else None


def leads_of_best(comparison: Comparison) -> list[SizeLead]:
    """The leads of each size's best cell and, where it loses text, of the best that loses none."""
    leads = []
    for size in comparison.sizes:
        lossless = [cell for cell in size.cells if not comparison.loses_text(cell)]
        for cells in (size.cells, lossless) if comparison.loses_text(size.cells[0]) else (size.cells,):
            if cells and (lead := size_lead(comparison, size.name, cells)):
                leads.append(lead)
    return leads
