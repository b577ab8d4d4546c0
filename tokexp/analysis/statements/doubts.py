"""Why the runs of a comparison may not be able to say which tokenizer is better, whatever their figures are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, computed_once

ENOUGH = 10_000_000  # bytes that a model has read: of a large corpus nobody reads all
MOST = 0.2  # of the tokens that are unknown, of the total that is restoration, of the steps that are warm-up


class Flaw(Enum):
    UNKNOWN = auto()  # too many of the tokens are unknown; the figure is their share
    RESTORATION = auto()  # too much of the total is restoration; its share
    WARM_UP = auto()  # the learning rate was rising for too long; for what share of the steps at least
    LESS_THAN_A_PASS = auto()  # it has read neither the training part once nor 10 MB of it; how much of it
    WORSE_THAN_GZIP = auto()  # so is every model; the total


@dataclass(frozen=True)
class Doubt:
    """A flaw of a leader, or of all cells."""

    flaw: Flaw
    cells: list[tuple[Cell, float]]  # that have it, best total first, each with its figure
    every: bool  # whether all cells have it


@computed_once
def doubts(comparison: Comparison) -> list[Doubt]:
    """Name the flaws that a leader has; those of cells that do not lead change no answer."""
    leaders = {size.cells[0] for size in comparison.sizes}
    found = []
    for flaw, figures in _flawed(comparison).items():
        cells = [(cell, figures[cell]) for cell in comparison.cells if cell in figures]
        if leaders & figures.keys():
            found.append(Doubt(flaw, cells, len(cells) == len(comparison.cells)))
    return found


def _flawed(comparison: Comparison) -> dict[Flaw, dict[Cell, float]]:
    means, totals, read = comparison.means, comparison.mean("bpb"), comparison.mean("bytes_seen")
    restoration = dict(zip(comparison.cells, (means.bpb_restoration / means.bpb).tolist(), strict=True))
    gzip = comparison.baselines.val_bpb[comparison.baselines.baseline == "gzip"]
    worse = len(gzip) > 0 and min(totals.values()) > gzip.iloc[0]
    return {
        Flaw.UNKNOWN: _over(comparison.mean("unk_rate")),
        Flaw.RESTORATION: _over(restoration),
        Flaw.WARM_UP: _over(_warm_up(comparison)),
        Flaw.LESS_THAN_A_PASS: {
            cell: passes for cell, passes in comparison.mean("epochs").items() if passes < 1 and read[cell] < ENOUGH
        },
        Flaw.WORSE_THAN_GZIP: totals if worse else {},
    }


def _over(shares: dict[Cell, float]) -> dict[Cell, float]:
    return {cell: share for cell, share in shares.items() if share > MOST}


def _warm_up(comparison: Comparison) -> dict[Cell, float]:
    """The share of its steps for which each cell's learning rate was rising, as far as its evaluations show."""
    curves = comparison.study.curves
    shares: dict[Cell, float] = {}
    for name, curve in curves[curves.name.isin(comparison.runs["name"])].groupby("name"):
        rising = curve.step[curve.lr < curve.lr.shift(-1)]
        share = float(rising.max() / curve.step.max()) if len(rising) else 0.0
        if len(curve) > 1 and curve.lr.iloc[-1] > curve.lr.iloc[-2]:
            share = 1.0
        cell = comparison.cell_of[str(name)]
        shares[cell] = max(share, shares.get(cell, 0.0))
    return shares
