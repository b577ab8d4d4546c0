"""Are the models before the baselines, and is that real? The comparison of two cells, with a baseline as the second.

Each cell beside the best baseline of each family, at the end of the budget and at its best checkpoint. A
baseline is the same for every seed, so that Welch's t is that of one sample; over the text the two are
paired, block by block. One that is known only as a whole (gzip, bz2, xz, zstd) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.differences import interval, verdict
from tokexp.analysis.statistics import Cell, Difference, compare_all
from tokexp.analysis.store import Study, block_nats, once
from tokexp.analysis.tables import baselines_of, by_cell, cells
from tokexp.blocks import crossfit

END, BEST = "end", "best, cross-fitted"
FAMILIES = {
    "static": "the best baseline that learned from the training part alone",
    "adaptive": "the best that goes on learning as it reads",
}


@dataclass(frozen=True)
class Standing:
    """A cell beside a baseline."""

    cell: str
    at: str  # END | BEST
    baseline: str
    family: str
    difference: Difference  # of the baseline's bits per byte over the cell's: positive where the cell is before it

    @property
    def said(self) -> str:
        place = "before" if self.difference.mean > 0 else "behind"
        by = f"{abs(self.difference.mean):.3f}: {verdict(self.difference)}"
        return f"{self.cell} is {place} {self.baseline}, {FAMILIES[self.family]}, by {by}."


@once
def standings(study: Study, runs: pd.DataFrame) -> list[Standing]:
    """Every cell, the best first, beside the best baseline of each family, at both points; corrected together.

    A cell that was best at its end has one point.
    """
    n_bytes = int(runs.val_bytes.iloc[0])
    known = baselines_of(study, runs)
    known = known[~np.isnan(block_nats(known)).any(axis=1)].sort_values("val_bpb", kind="stable")
    best = known.drop_duplicates("family").sort_values("family", ascending=False)  # static, adaptive
    # Two seeds that do not differ add nothing to the variance, nor to its degrees of freedom.
    marks = {str(name): _cell([nats] * 2, n_bytes) for name, nats in zip(best.baseline, block_nats(best), strict=True)}
    evaluated = {name: block_nats(own) for name, own in study.blocks.groupby("name")}
    own: dict[str, Cell] = {}
    for cell, names in runs.assign(cell=cells(runs)).groupby("cell").name:
        end = own[f"{cell} {END}"] = _cell([evaluated[name][-1] for name in names], n_bytes)
        chosen = _cell([crossfit(evaluated[name]) for name in names], n_bytes)
        if not np.array_equal(chosen.blocks, end.blocks):  # else the same would be asked twice
            own[f"{cell} {BEST}"] = chosen
    asked = [
        (str(cell), at, str(baseline), str(family))
        for cell in by_cell(runs).cell
        for at in (END, BEST)
        if f"{cell} {at}" in own
        for baseline, family in zip(best.baseline, best.family, strict=True)
    ]
    found = compare_all(own | marks, n_bytes, [(f"{cell} {at}", baseline) for cell, at, baseline, _ in asked])
    return [Standing(*place, found[f"{place[0]} {place[1]}", place[2]]) for place in asked]


def _cell(nats: list[np.ndarray], n_bytes: int) -> Cell:
    blocks = np.array(nats)
    return Cell(blocks.sum(axis=1) / (np.log(2) * n_bytes), blocks)


def beside_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "run": place.cell,
            "at": place.at,
            "baseline": f"{place.baseline} ({place.family})",
            "before it by": f"{place.difference.mean:+.3f}",
            "over seeds": interval(place.difference.over_seeds),
            "over the text": interval(place.difference.over_text),
            "p": f"{place.difference.p:.2g}" if place.difference.over_seeds else "",
            "verdict": verdict(place.difference),
        }
        for place in standings(study, runs)
    ]
    return pd.DataFrame(rows)
