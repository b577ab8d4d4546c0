"""Which of two cells is better, by how much, and whether that is real: `statistics.py` over the runs of a report."""

from __future__ import annotations

import itertools

import pandas as pd

from tokexp.analysis.once import once
from tokexp.analysis.statistics import LEVEL, Cell, Difference, compare_all
from tokexp.analysis.tables import by_cell, cells
from tokexp.runs.study import Study, block_nats


@once
def differences(study: Study, runs: pd.DataFrame) -> dict[tuple[str, str], Difference]:
    """Every pair of cells whose models have one size, the better one first.

    That a larger model is better is no question here, and each question more makes an answer harder (Holm).
    """
    runs = runs.assign(cell=cells(runs))
    size = dict(zip(runs.cell, runs["size"], strict=True))
    found = {}
    for cell in by_cell(runs).cell:
        own = runs[runs.cell == cell]
        found[cell] = Cell(own.val_bpb.to_numpy(), block_nats(study.ends.loc[list(own["name"])]))
    pairs = [(one, other) for one, other in itertools.combinations(found, 2) if size[one] == size[other]]
    return compare_all(found, int(runs.val_bytes.iloc[0]), pairs)


def difference_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "better": better,
            "worse": worse,
            "bits per byte": f"{difference.mean:.3f}",
            "over seeds": interval(difference.over_seeds),
            "over the text": interval(difference.over_text),
            "p": f"{difference.p:.2g}" if difference.over_seeds else "",
            "verdict": verdict(difference),
        }
        for (better, worse), difference in differences(study, runs).items()
    ]
    return pd.DataFrame(rows)


def verdict(difference: Difference) -> str:
    """Resolved or not, and if not what would do."""
    if difference.resolved:
        return "resolved"
    if difference.p_text >= LEVEL:
        return "**not resolved**: this text does not tell the averages of these seeds apart"
    if not difference.text_suffices:
        return "**not resolved**: the held-out text is too short for so many comparisons"
    if difference.over_seeds is None:
        return "**not resolved**: one seed is an anecdote; add seed=0,1,2"
    if difference.seeds is None:
        return "**not resolved**: a thousand seeds would not do"
    return f"**not resolved**: some {difference.seeds} seeds a cell would do"


def interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else "{:.3f} to {:.3f}".format(*ends)
