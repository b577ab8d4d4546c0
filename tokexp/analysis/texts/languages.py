"""The same pages in several languages: what a paragraph costs in each, and how much more than in English.

A byte of Japanese is less text than a byte of English, so that bits per byte says little between languages; a
paragraph is the same text in all. What a language needs more of than English is its premium (of tokens: Petrov et
al. 2023, "Language model tokenizers introduce unfairness between languages").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import LEVEL, Interval
from tokexp.analysis.comparison import Comparison
from tokexp.runs.study import Study

ENGLISH = "en-US"
FEWEST = 30  # pages, below which t with the jackknife's error alone rejects up to 10 % of what is true, at 5 %


@dataclass(frozen=True)
class Premium:
    """How many times what English needs."""

    value: float
    interval: Interval | None  # over pages; None where too few of them are known by name in both languages


@dataclass(frozen=True)
class InLanguage:
    """A tokenizer's models on the pages of one language."""

    language: str
    cell: str
    together: str  # the languages of a model of several, joined by +; "" of one language
    bits_per_paragraph: float
    tokens_per_paragraph: float
    bits_premium: Premium | None  # None where there is no English, and of English itself
    tokens_premium: Premium | None
    bpb: float
    unk_rate: float | None  # None where it is not known for this language alone
    restoration: float  # bits per byte


@dataclass(frozen=True)
class _Pages:
    """What a cell needed for each page of one language, a mean over the seeds."""

    row: InLanguage  # without premiums
    rows: pd.DataFrame  # bits, tokens and lines by page; empty where pages have no names


def in_languages(comparisons: Sequence[Comparison]) -> list[InLanguage]:
    """A row a language and cell, English first; none where no corpus has a language."""
    pages = [one for comparison in comparisons if comparison.language for one in _pages_of(comparison)]
    english = {(one.row.cell, one.row.together): one for one in pages if one.row.language == ENGLISH}
    rows = [_with_premiums(one, english.get((one.row.cell, one.row.together))) for one in pages]
    return sorted(rows, key=lambda row: (row.language != ENGLISH, row.language, row.together, row.bits_per_paragraph))


def _pages_of(comparison: Comparison) -> list[_Pages]:
    several = comparison.language.split("+")
    if len(several) == 1:
        texts = {comparison.language: comparison.scored_on}
    else:
        texts = {language: language for language in several}
    found = [_pages(comparison, cell, language, text) for language, text in texts.items() for cell in comparison.cells]
    return [one for one in found if one is not None]


def _pages(comparison: Comparison, cell: Cell, language: str, text: str) -> _Pages | None:
    """None where the cell's models were not scored on the text."""
    names = list(comparison.runs_of(cell)["name"])
    units = _units(comparison.study, names, text)
    texts = comparison.study.texts
    scored = texts[(texts.text == text) & texts["name"].isin(names)]
    if units is None or scored.empty or not units.lines.sum():
        return None
    sums, alone = units.sum(numeric_only=True), text != language
    bpb, naive = float(scored.bpb.mean()), float(scored.bpb_naive.mean())
    row = InLanguage(
        language=language,
        cell=str(cell),
        together="" if alone else comparison.language,
        bits_per_paragraph=float(sums.bits / sums.lines),
        tokens_per_paragraph=float(sums.tokens / sums.lines),
        bits_premium=None,
        tokens_premium=None,
        bpb=bpb,
        unk_rate=comparison.mean("unk_rate")[cell] if alone else None,
        restoration=bpb - naive,
    )
    named = units[units.index != ""]
    return _Pages(row, named if len(named) == len(units) and named.index.is_unique else units[:0])


def _units(study: Study, names: list[str], text: str) -> pd.DataFrame | None:
    """Bits, tokens and lines of each unit of a text, a mean over runs, by the document's name; None where unknown."""
    rows = study.units[(study.units.text == text) & study.units["name"].isin(names)]
    if rows.empty:
        return None
    by_unit = rows.groupby("unit")
    units = by_unit[["nats", "tokens", "lines"]].mean()
    documents = by_unit.document.first().fillna("") if "document" in rows else pd.Series("", units.index)
    each = pd.DataFrame({
        "bits": units.nats / np.log(2),
        "tokens": units.tokens - 1,  # the one that parts documents
        "lines": units.lines,
    })  # fmt: skip
    return each.set_axis(documents.to_numpy(), axis=0)


def _with_premiums(one: _Pages, english: _Pages | None) -> InLanguage:
    if english is None or english is one:
        return one.row
    return dataclasses.replace(
        one.row,
        bits_premium=_premium(one, english, "bits"),
        tokens_premium=_premium(one, english, "tokens"),
    )


def _premium(one: _Pages, english: _Pages, what: str) -> Premium:
    """The ratio of what a paragraph needs, over the pages that both languages have."""
    shared = one.rows.index.intersection(english.rows.index)
    if not len(shared):
        name = f"{what}_per_paragraph"
        return Premium(getattr(one.row, name) / getattr(english.row, name), None)
    here, there = (pages.rows.loc[shared] for pages in (one, english))
    sums = [values.to_numpy(float) for values in (here[what], there.lines, there[what], here.lines)]
    return ratio_over_pages(*sums)


def ratio_over_pages(*sums: np.ndarray) -> Premium:
    """(sum a * sum b) / (sum c * sum d) over pages, (pages,) each, with its interval at 95 %.

    The jackknife of its logarithm, t at one degree of freedom less than pages, since a ratio is no more likely to be
    twice too large than half too small.
    """
    pages = len(sums[0])
    totals = [each.sum() for each in sums]
    value = float(totals[0] * totals[1] / (totals[2] * totals[3]))
    if pages < FEWEST:
        return Premium(value, None)
    a, b, c, d = (np.log(total - each) for total, each in zip(totals, sums, strict=True))
    without = a + b - c - d
    error = np.sqrt((pages - 1) / pages * ((without - without.mean()) ** 2).sum())
    half = float(stdtrit(pages - 1, 1 - LEVEL / 2) * error)
    return Premium(value, Interval(value * float(np.exp(-half)), value * float(np.exp(half))))
