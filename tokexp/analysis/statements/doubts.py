"""Why the runs of a comparison may not be able to say which tokenizer is better, whatever their figures are.

A doubt takes the answer away. A confound leaves it, and says what a lead comes to where something is charged
otherwise that bits per byte charge tokenizers unequally.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, computed_once

ENOUGH = 10_000_000  # bytes that a model has read: of a large corpus nobody reads all
MOST = 0.2  # of the tokens that are unknown, of the total that is restoration, of the steps that are warm-up
SHRUNK = 2 / 3  # of a lead: where less is left of it, that is said


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


class Charge(Enum):
    """What bits per byte charge tokenizers unequally."""

    WINDOWS = auto()  # a window's first tokens have little context, and windows of short tokens are more
    SEGMENTATIONS = auto()  # only the canonical one counts, and a large vocabulary has more of them


@dataclass(frozen=True)
class Confound:
    """The leads of a size's best cell that are others where something is charged otherwise."""

    charge: Charge
    cell: Cell
    leads: list[tuple[Cell, float, float]]  # over which cell, the nearest first: as ranked, and where it is


def confounds(comparison: Comparison) -> list[Confound]:
    """The leads, of each size's best and of its best that loses no text, that shrink much or turn round.

    Where windows slide: to less than two thirds. Where all segmentations count: to less than nothing.
    """
    found = []
    for charge, figures, left in (
        (Charge.WINDOWS, comparison.mean("bpb_sliding"), SHRUNK),
        (Charge.SEGMENTATIONS, _with_all_segmentations(comparison), 0.0),
    ):
        for cell, others in _leaders(comparison):
            leads = [
                (other, lead, figures[other] - figures[cell])
                for other in others
                if (lead := comparison.total(other).value - comparison.total(cell).value) > 0
            ]
            changed = [(other, lead, now) for other, lead, now in leads if now < left * lead]
            found += [Confound(charge, cell, changed)] if changed else []
    return found


def _leaders(comparison: Comparison) -> list[tuple[Cell, list[Cell]]]:
    """Each size's best cell and, where that loses text, its best that does not; with the cells behind it."""
    leaders = []
    for size in comparison.sizes:
        lossless = [cell for cell in size.cells if not comparison.loses_text(cell)]
        leaders += [(cell, size.cells[size.cells.index(cell) + 1 :]) for cell in {*size.cells[:1], *lossless[:1]}]
    return sorted(leaders, key=lambda leader: comparison.cells.index(leader[0]))


def _with_all_segmentations(comparison: Comparison) -> dict[Cell, float]:
    """Bits per byte of each cell; NaN for kinds that are not lossless, of whose segmentations nothing is known."""
    lossless = comparison.runs.groupby("cell").lossless.all().reindex(comparison.cells)
    gains = comparison.means.marginal_gain_bpb.fillna(0.0).where(lossless)  # characters have no choice of them
    return dict(zip(comparison.cells, (comparison.means.bpb - gains).tolist(), strict=True))


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
