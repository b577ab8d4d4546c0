"""Where the loss lies: total bits per byte by kind of content, and along the held-out text.

The bytes of a kind of content are the same for every tokenizer, so its figures may be compared; those that
have so much context in the window are not. How bits are attributed to bytes, and what that is not, stands
in `tokexp/scoring/content.py`.

A held-out text need not be of one kind (that of TinyShakespeare is the rest of one play, of which the training part
has the beginning, and then a play of which it has nothing), and a total hides which part decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import STRETCHES
from tokexp.analysis.comparison import BaselineName, Comparison, baseline_of, computed_once
from tokexp.scoring.units import BLOCKS_OF_TEXT

FEWEST = 100  # bytes with so much context, of which fewer say nothing
WORDS_AND_SPACING = ("word_first", "word_rest", "spacing")  # since a word's end is paid by either of them
SUM_OF_THEM = "words and spacing"
MOST = 0.75  # of a lead


@dataclass(frozen=True)
class Source:
    """A class of bytes, and what it adds to a lead."""

    name: str
    bits: float  # per byte of the whole text
    share: float  # of the bytes


def sources(comparison: Comparison, one: Cell, other: Cell) -> list[Source]:
    """The fewest classes of bytes that make up most of the lead of `one` over `other`, the greatest first.

    Words and spacing are one class. None where the data do not say, and for what is no lead.
    """
    bits, shares = with_words_and_spacing(bits_by_content(comparison, "place"), shares_of_bytes(comparison, "place"))
    if SUM_OF_THEM in bits:
        bits = bits.drop(columns=list(WORDS_AND_SPACING))
    if not {one, other} <= set(bits.index):
        return []
    costs = zip(map(str, bits), *bits.loc[[one, other]].to_numpy().tolist(), strict=True)
    adds = {name: (of_other - of_one) * shares[name] for name, of_one, of_other in costs}
    enough, named = MOST * sum(adds.values()), list[Source]()
    for name in sorted(adds, key=lambda name: -adds[name]):
        if sum(source.bits for source in named) < enough:
            named.append(Source(name, adds[name], shares[name]))
    return named


@computed_once
def bits_by_content(comparison: Comparison, partition: str) -> pd.DataFrame:
    """Bits per byte, a mean over the seeds: a row a cell, best total first, a column a class as the data have them."""
    rows = comparison.study.content[comparison.study.content.partition == partition]
    rows = rows.merge(comparison.runs[["name", "cell"]], on="name")
    enough = rows.bytes >= (FEWEST if partition == "context" else 1)
    rows = rows[enough].assign(bits_per_byte=lambda r: r.bits / r.bytes)
    wide = rows.pivot_table(index="cell", columns="class", values="bits_per_byte", aggfunc="mean", sort=False)
    return wide.reindex([cell for cell in comparison.cells if cell in wide.index])


def with_words_and_spacing(bits: pd.DataFrame, shares: dict[str, float]) -> tuple[pd.DataFrame, dict[str, float]]:
    """Add a class for words and spacing to `bits` and `shares`."""
    if not set(WORDS_AND_SPACING) <= set(bits):
        return bits, shares
    share = sum(shares[name] for name in WORDS_AND_SPACING)
    mean = sum(bits[name] * shares[name] for name in WORDS_AND_SPACING) / share
    return bits.assign(**{SUM_OF_THEM: mean}), {**shares, SUM_OF_THEM: share}


def shares_of_bytes(comparison: Comparison, partition: str) -> dict[str, float]:
    """The share of the held-out bytes that each class has; none where it is another for each tokenizer."""
    if partition == "context":
        return {}
    content = comparison.study.content
    rows = content[(content.partition == partition) & (content.name == comparison.runs["name"].iloc[0])]
    looked_at = content.bytes[(content.partition == "place") & (content.name == comparison.runs["name"].iloc[0])].sum()
    shares: dict[str, float] = (rows.set_index("class").bytes / (looked_at or comparison.scored_bytes)).to_dict()
    return shares


def bits_along(comparison: Comparison) -> dict[Cell | BaselineName, np.ndarray]:
    """Total bits per byte of each eighth of the held-out text at the end, (8,): of the cells, then of the baselines.

    The best total first; baselines that are known only as a whole are left out. None of documents, whose order is
    drawn.
    """
    if comparison.unit_kind != BLOCKS_OF_TEXT or comparison.documents is not None:
        return {}
    nats: dict[Cell | BaselineName, np.ndarray] = {
        cell: comparison.end_nats(cell).mean(axis=0) for cell in comparison.cells
    }
    for row in comparison.baselines.sort_values("val_bpb", kind="stable").itertuples():
        if row.baseline in comparison.baseline_nats:
            nats[baseline_of(row)] = comparison.baseline_nats[str(row.baseline)]
    per_byte = STRETCHES / (np.log(2) * comparison.scored_bytes)
    return {who: blocks.reshape(STRETCHES, -1).sum(axis=1) * per_byte for who, blocks in nats.items()}
