"""Are the models before the baselines, and is that real? The comparison of two cells, with a baseline as the second.

Each cell beside the best baseline of each family, at the end of the budget and at its best checkpoint. A
baseline is the same for every seed, so that Welch's t is that of one sample; over the text the two are
paired, block by block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.differences import interval, verdict
from tokexp.analysis.once import once
from tokexp.analysis.statistics import Cell, Difference, compare_all
from tokexp.analysis.tables import baselines_of, by_cell, cells
from tokexp.runs.study import Study, block_nats
from tokexp.scoring.blocks import crossfit

END, BEST = "end", "best, cross-fitted"
FAMILIES = {
    "static": "the best baseline that learned from the training part alone",
    "adaptive": "the best that goes on learning as it reads",
}


@dataclass(frozen=True)
class Lead:
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
def leads(study: Study, runs: pd.DataFrame) -> list[Lead]:
    """Every cell, the best first, beside the best baseline of each family, at the end and at its best checkpoint.

    Corrected for being read together, each point by itself. A cell that was best at its end has one point; a family
    whose best baseline is known only as a whole is left out.
    """
    n_bytes = int(runs.val_bytes.iloc[0])
    best = baselines_of(study, runs).sort_values("val_bpb", kind="stable").drop_duplicates("family")
    best = best[~np.isnan(block_nats(best)).any(axis=1)].sort_values("family", ascending=False)  # static, adaptive
    families = dict(zip(best.baseline, best.family, strict=True))
    # Two seeds that do not differ add nothing to the variance, nor to its degrees of freedom.
    marks = {str(name): _cell([nats] * 2, n_bytes) for name, nats in zip(best.baseline, block_nats(best), strict=True)}
    evaluated = {name: block_nats(own) for name, own in study.blocks.groupby("name")}
    named = runs.assign(cell=cells(runs)).groupby("cell")["name"]
    ends = {str(cell): _cell([evaluated[name][-1] for name in names], n_bytes) for cell, names in named}
    chosen = {str(cell): _cell([crossfit(evaluated[name]) for name in names], n_bytes) for cell, names in named}
    other = {cell: own for cell, own in chosen.items() if not np.array_equal(own.blocks, ends[cell].blocks)}
    found = []
    for at, own in ((END, ends), (BEST, other)):
        pairs = [(cell, name) for cell in own for name in marks]
        compared = compare_all(own | marks, n_bytes, pairs)
        found += [Lead(cell, at, name, families[name], compared[cell, name]) for cell, name in pairs]
    order = list(by_cell(runs).cell)
    return sorted(found, key=lambda lead: order.index(lead.cell))


def _cell(nats: list[np.ndarray], n_bytes: int) -> Cell:
    blocks = np.array(nats)
    return Cell(blocks.sum(axis=1) / (np.log(2) * n_bytes), blocks)


def beside_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "run": lead.cell,
            "at": lead.at,
            "baseline": f"{lead.baseline} ({lead.family})",
            "before it by": f"{lead.difference.mean:+.3f}",
            "over seeds": interval(lead.difference.over_seeds),
            "over the text": interval(lead.difference.over_text),
            "p": f"{lead.difference.p:.2g}" if lead.difference.over_seeds else "",
            "verdict": verdict(lead.difference),
        }
        for lead in leads(study, runs)
    ]
    return pd.DataFrame(rows)
