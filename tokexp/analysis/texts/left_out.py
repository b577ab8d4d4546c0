"""The texts of one corpus, each left out of the training in its turn: does an order hold on texts that nobody saw?

Where every text is held out once, and another model is trained each time, there are as many differences between two
tokenizers as there are texts, each a mean over the seeds. t over them says how far the mean would go with other texts
of the kind (Student 1908). A text counts once, however long it is, since inside it all goes together; the seeds make
its figure surer, and their noise is a part of how figures differ between texts. What makes a text hard for all is
gone, for differences are taken within it. The test is not exact: any two trainings share most of their text, and no
such test knows what that does (Bengio and Grandvalet 2004, "No unbiased estimator of the variance of K-fold
cross-validation"). Nor does it see what a seed does on every text alike, since all texts have the same seeds: so one
seed resolves nothing here either.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import LEVEL, Chance, Interval, holm, holm_level
from tokexp.analysis.comparison import Comparison, Size

FEWEST = 5  # texts, of which t has an interval that is of use
MOST_NAMED = 2  # documents in the name of a text


@dataclass(frozen=True)
class LeadOverTexts:
    """The better of two cells of a size, by the mean over the texts, and how far it is ahead."""

    better: Cell
    worse: Cell
    by_text: dict[str, float]  # bits per byte, a mean over the seeds: negative where the other is ahead
    mean: float
    interval: Interval  # at 95 %, corrected
    p: float  # corrected by Holm for all pairs
    seeds: int  # of each cell on each text, at least

    @property
    def resolved(self) -> bool:
        return self.seeds > 1 and self.p < LEVEL

    @property
    def turns(self) -> list[str]:
        """The texts on which the order is the other way round."""
        return [text for text, difference in self.by_text.items() if difference < 0]


@dataclass(frozen=True)
class LeftOut:
    """What the same cells came to on texts that were left out one after another."""

    every: dict[str, Comparison]  # by the name of the text that was left out
    texts: list[str]  # of these, those on which all cells were scored: the others do not count
    sizes: list[Size]  # the smallest first, their cells by the mean over the texts
    bpb: dict[Cell, dict[str, float]]  # by text, a mean over the seeds
    leads: list[LeadOverTexts]  # of every pair of a size, in the order of the cells

    @property
    def lacking(self) -> list[str]:
        """The texts that lack cells."""
        return [text for text in self.every if text not in self.texts]

    def mean(self, cell: Cell) -> float:
        """Bits per byte over the texts, of which each counts once."""
        return float(np.mean(list(self.bpb[cell].values())))

    def first_on(self, size: Size, cell: Cell) -> int:
        """On how many texts a cell needs the fewest bits of its size."""
        return sum(min(size.cells, key=lambda one: self.bpb[one][text]) == cell for text in self.texts)


def left_out(comparisons: Sequence[Comparison]) -> LeftOut | None:
    """None unless the comparisons of a study are of texts of one corpus that were left out one after another."""
    by_text = _texts(comparisons)
    if by_text is None:
        return None
    (cells, _), *_ = Counter(frozenset(comparison.cells) for comparison in by_text.values()).most_common(1)
    texts = [text for text in by_text if cells <= {*by_text[text].cells}]
    if len(texts) < FEWEST:
        return None
    totals = {text: by_text[text].mean("bpb") for text in texts}
    bpb = {cell: {text: totals[text][cell] for text in texts} for cell in cells}
    sizes = [
        Size(size.name, sorted(cells & {*size.cells}, key=lambda cell: (sum(bpb[cell].values()), str(cell))))
        for size in by_text[texts[0]].sizes
        if cells & {*size.cells}
    ]
    seeds = {cell: min(int(by_text[text].mean("seeds")[cell]) for text in texts) for cell in cells}
    return LeftOut(by_text, texts, sizes, bpb, _leads(sizes, bpb, seeds))


def _texts(comparisons: Sequence[Comparison]) -> dict[str, Comparison] | None:
    """The comparisons by the names of what they held out; None where that is not of one corpus, or not disjoint."""
    corpora = {digest for comparison in comparisons for digest in comparison.runs.documents_sha256}
    named = [(held_out_documents(comparison), comparison) for comparison in comparisons]
    every = [name for names, _ in named for name in names]
    disjoint = all(names for names, _ in named) and len({*every}) == len(every)
    if len(corpora) != 1 or not isinstance(corpora.pop(), str) or not disjoint:
        return None
    return dict(sorted((_name(names), comparison) for names, comparison in named))


def held_out_documents(comparison: Comparison) -> list[str]:
    """The names of the documents that runs are ranked on; none where they are not known one by one."""
    units = comparison.study.units
    first = units[(units["name"] == comparison.runs["name"].iloc[0]) & (units.text == comparison.scored_on)]
    names = list(first.document) if "document" in first else []
    return names if comparison.on_test and all(names) else []


def _name(documents: list[str]) -> str:
    more = len(documents) - MOST_NAMED
    return "+".join([*documents[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])


def _leads(sizes: list[Size], bpb: dict[Cell, dict[str, float]], seeds: dict[Cell, int]) -> list[LeadOverTexts]:
    pairs = [pair for size in sizes for pair in itertools.combinations(size.cells, 2)]
    by_text = [{text: bpb[worse][text] - bpb[better][text] for text in bpb[better]} for better, worse in pairs]
    over = [over_texts(np.array(list(differences.values()))) for differences in by_text]
    p = [chance.p(mean) for mean, chance in over]
    level = holm_level(p)
    return [
        LeadOverTexts(*pair, differences, mean, chance.interval(mean, level), one, min(seeds[cell] for cell in pair))
        for pair, differences, (mean, chance), one in zip(pairs, by_text, over, holm(p), strict=True)
    ]


def over_texts(differences: np.ndarray) -> tuple[float, Chance]:
    """The mean of paired differences, (texts,), and what the choice of the texts does to it: Student's t."""
    n = len(differences)
    return float(differences.mean()), Chance(float(differences.var(ddof=1)) / n, n - 1)
