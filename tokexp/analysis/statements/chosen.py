"""What was chosen by looking at held-out text, and at which: collected from the runs and from the code, not by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from tokexp.analysis.comparison import Comparison, computed_once
from tokexp.analysis.texts.counts import own_counts
from tokexp.config.chosen import Chosen
from tokexp.runs.result import tuned_names
from tokexp.scoring.baselines import CHOSEN, KNESER_NEY
from tokexp.scoring.counts import ORDERS


class Where(Enum):
    """Which text a choice was made on, as the comparison sees it."""

    RANKS = auto()  # the one that ranks: the choice flatters what it was made for
    VALIDATION = auto()  # the validation part of its corpus
    ELSEWHERE = auto()  # another corpus


@dataclass(frozen=True)
class Choice:
    chosen: Chosen
    where: Where


@computed_once
def choices(comparison: Comparison) -> list[Choice]:
    """Collect what was chosen for these runs, by setting, then for these baselines; only what is still as chosen."""
    of_runs = {chosen for row in comparison.runs.itertuples() for chosen in _of_run(row, comparison.corpus)}
    names = set(comparison.baselines.baseline)
    of_baselines = [chosen for baseline, chosen in CHOSEN.items() if baseline in names]
    before = [*sorted(of_runs, key=lambda chosen: (chosen.setting, chosen.value)), *of_baselines]
    return [
        *(Choice(chosen, _where(comparison, chosen)) for chosen in before),
        *(Choice(chosen, Where.RANKS) for chosen in _best_order(comparison)),
        *(Choice(chosen, _where(comparison, chosen)) for chosen in _orders_of_counts(comparison)),
    ]


def _of_run(row: Any, corpus: str) -> list[Chosen]:
    """Older runs say in free words what was chosen, which then stands for the setting."""
    settings = {**json.loads(row.settings), "model": row.size}
    lines = [(line, Chosen.of(line)) for line in tuned_names(row.tuned)]
    return [
        chosen or Chosen(line, "", "", corpus)
        for line, chosen in lines
        if chosen is None or chosen.is_at(settings.get(chosen.setting))
    ]


def _where(comparison: Comparison, chosen: Chosen) -> Where:
    if chosen.on != comparison.corpus:
        return Where.ELSEWHERE
    return Where.VALIDATION if comparison.on_test else Where.RANKS


def _best_order(comparison: Comparison) -> list[Chosen]:
    """Of several orders of Kneser-Ney a report names the best, by the text that ranks."""
    rows = comparison.baselines[comparison.baselines.baseline.str.startswith(KNESER_NEY)]
    if len(rows) < 2:
        return []
    _, best = min(zip(rows.val_bpb, rows.baseline, strict=True))
    order = best.removeprefix(KNESER_NEY).strip()
    return [Chosen(f"order of {KNESER_NEY}", order, f"bits per byte of {len(rows)} orders", comparison.corpus)]


def _orders_of_counts(comparison: Comparison) -> list[Chosen]:
    """The orders of counts of the tokenizers' own tokens, which the validation part chose."""
    orders = sorted({one.order for one in own_counts(comparison).values()})
    named = ", ".join(map(str, orders))
    by = f"bits per byte of {len(ORDERS)} orders"
    return [Chosen("orders of counts of own tokens", named, by, comparison.corpus)] if orders else []
