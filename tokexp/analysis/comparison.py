"""The runs that were scored on the same held-out bytes: what every table, picture and sentence of a report asks.

A comparison never mixes two texts: figures over different held-out bytes are not comparable. What is computed from
one is a function of the other modules of this room, and is kept in the comparison where several ask for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tokexp.analysis.cells import Cell, cells_of
from tokexp.analysis.chance.statistics import Estimate, Text, Unknown
from tokexp.analysis.texts.units import Units, baseline_units, blocks_of_evaluations, units_of_runs
from tokexp.runs.study import Study, block_nats
from tokexp.scoring.units import BLOCKS_OF_TEXT, DOCUMENTS

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class BaselineName:
    """A simple model or a compressor, as it is named beside the cells."""

    name: str
    family: str  # static | adaptive

    def __str__(self) -> str:
        return f"{self.name} ({self.family})"


@dataclass(frozen=True)
class Size:
    """The cells whose models have one size."""

    name: str
    cells: list[Cell]  # best first


class Comparison:
    """Runs of a study that were scored on the same bytes, with their cells.

    `runs`: rows of results.csv, best total first, each with its `cell`.
    `means`: a row a cell, best first, indexed by it: the mean of each figure over the seeds; `seeds`, how many there
    are; `bpb_half`, half the width of the 95 % interval of the mean total over them (Student's t), NaN for one;
    `embedding_share`, the share of the parameters that are embeddings or the LM head.
    """

    def __init__(self, study: Study, runs: pd.DataFrame) -> None:
        self.study = study
        self.runs = runs.assign(cell=pd.Series(cells_of(runs), runs.index, dtype=object))
        self.scored_bytes = int(runs.scored_bytes.iloc[0])
        self.scored_sha256 = str(runs.scored_sha256.iloc[0])
        self.corpus = str(runs.corpus.iloc[0])
        self.language = _language(runs)
        self.scored_on = str(runs.scored_on.iloc[0])  # val | test
        self._answers: dict[Any, Any] = {}

    def answer(self, question: Any, compute: Callable[[], T]) -> T:
        """What `compute` returns, kept under `question`."""
        if question not in self._answers:
            self._answers[question] = compute()
        answer: T = self._answers[question]
        return answer

    @cached_property
    def means(self) -> pd.DataFrame:
        grouped = self.runs.groupby("cell", sort=False)
        means = grouped.mean(numeric_only=True)
        means["seeds"] = grouped.size()
        spread = grouped.bpb.std(ddof=1)
        means["bpb_half"] = stdtrit(means.seeds - 1, 0.975) * spread / np.sqrt(means.seeds)
        means["embedding_share"] = 1 - means.params_body / means.params_total
        return means.sort_values("bpb", kind="stable")

    @property
    def cells(self) -> list[Cell]:
        """Best first."""
        return list(self.means.index)

    def mean(self, column: str) -> dict[Cell, float]:
        """A column of `means`."""
        return dict(zip(self.cells, self.means[column].tolist(), strict=True))

    @cached_property
    def sizes(self) -> list[Size]:
        """The smallest first."""
        names = dict.fromkeys(cell.size for cell in self.cells)
        sizes = [Size(name, [cell for cell in self.cells if cell.size == name]) for name in names]
        body = self.mean("params_body")
        return sorted(sizes, key=lambda size: sum(body[cell] for cell in size.cells) / len(size.cells))

    def total(self, cell: Cell) -> Estimate:
        """Total bits per byte at the end, over the seeds."""
        return Estimate.of(self.mean("bpb")[cell], self.mean("bpb_half")[cell])

    def loses_text(self, cell: Cell) -> bool:
        """Whether its tokenizer loses some of the held-out text."""
        return self.mean("bpb_restoration")[cell] > 0

    def runs_of(self, cell: Cell) -> pd.DataFrame:
        return self.runs[self.runs.cell == cell]

    @cached_property
    def labels(self) -> dict[str, str]:
        """What tells the runs apart, by their names: the cell, and where there are several seeds the seed."""
        labels = [str(cell) for cell in self.runs.cell]
        if self.runs.seed.nunique() > 1:
            labels = [f"{label} s{seed}" for label, seed in zip(labels, self.runs.seed, strict=True)]
        if len(set(labels)) < len(labels):
            labels = [f"{label} {digest[:8]}" for label, digest in zip(labels, self.runs.config_hash, strict=True)]
        return dict(zip(self.runs["name"], labels, strict=True))

    @cached_property
    def baselines(self) -> pd.DataFrame:
        """Rows of baselines.csv, over the same bytes."""
        return self.study.baselines[self.study.baselines.val_sha256 == self.scored_sha256]

    @cached_property
    def best_baselines(self) -> pd.DataFrame:
        """The best row of `baselines` of each family, the best of them first."""
        return self.baselines.sort_values("val_bpb", kind="stable").drop_duplicates("family")

    @cached_property
    def few_baselines(self) -> pd.DataFrame:
        """The two best rows of `baselines` of each family, the best first; of those of several orders the best one."""
        rows = self.baselines.sort_values("val_bpb", kind="stable")
        kinds = rows.baseline.str.replace(r" \d+$", "", regex=True)
        return rows[~kinds.duplicated()].groupby("family", sort=False).head(2)

    @cached_property
    def cell_of(self) -> dict[str, Cell]:
        """The cell of each run, by the run's name, best total first."""
        return dict(zip(self.runs["name"], self.runs.cell, strict=True))

    @cached_property
    def first_seeds(self) -> list[str]:
        """The names of the runs with the first seed of each cell, best total first."""
        firsts = set(self.runs.sort_values("seed", kind="stable").drop_duplicates("cell")["name"])
        return [name for name in self.runs["name"] if name in firsts]

    def marginal_gain(self, cell: Cell) -> Estimate | None:
        """Bits per byte that counting all segmentations would save; None where there is no choice of them."""
        gain, error = self.mean("marginal_gain_bpb")[cell], self.mean("marginal_gain_error")[cell]
        return None if np.isnan(gain) else Estimate(gain, 1.96 * error)

    @property
    def on_test(self) -> bool:
        """Whether runs are ranked on a part that nothing was chosen on."""
        return self.scored_on == "test"

    @cached_property
    def evaluates_all(self) -> bool:
        """Whether every evaluation read the whole of the text that ranks."""
        read = self.runs.eval_bytes
        return not self.on_test and bool((read.isna() | (read == self.runs.val_bytes)).all())

    @cached_property
    def documents(self) -> int | None:
        """How many the text that ranks has; None where it is a single text, or nobody knows."""
        known = units_of_runs(self.study, self.runs, self.scored_on)
        if known is None or known.kind != DOCUMENTS:
            return None
        counted = self.runs.test_documents if self.on_test else self.runs.val_documents
        return len(known.n_bytes) if counted.isna().any() else int(counted.iloc[0])

    @cached_property
    def units(self) -> Units | None:
        """What the text that ranks is made of: its documents or, where they are too few or not known, blocks of it."""
        known = units_of_runs(self.study, self.runs, self.scored_on)
        if known is not None and not known.few:
            return known
        return blocks_of_evaluations(self.study, self.runs) if self.evaluates_all else None

    @property
    def unit_kind(self) -> str | None:
        """documents | blocks; None where there is no interval over the text."""
        return self.units.kind if self.units else None

    @property
    def unit_bytes(self) -> np.ndarray:
        """(units,), none where there is no interval over the text."""
        return self.units.n_bytes if self.units else np.zeros(0)

    @cached_property
    def text(self) -> Text:
        """The text that ranks, as `compare_all` asks for it."""
        return self.units.text if self.units else Unknown()

    def end_nats(self, cell: Cell) -> np.ndarray:
        """Nats of each unit of the held-out text at the end of each run: (seeds, units), none where none are known."""
        names = list(self.runs_of(cell)["name"])
        return self.units.nats.loc[names].to_numpy() if self.units else np.zeros((len(names), 0))

    @cached_property
    def baseline_nats(self) -> dict[str, np.ndarray]:
        """Nats of each unit of the held-out text, (units,), by baseline; those known only as a whole are left out."""
        if self.unit_kind == DOCUMENTS and self.units:
            return baseline_units(self.study, self.scored_sha256, self.units)
        if self.unit_kind != BLOCKS_OF_TEXT:
            return {}
        by_name = zip(self.baselines.baseline, block_nats(self.baselines), strict=True)
        return {str(name): nats for name, nats in by_name if not np.isnan(nats).any()}


def _language(runs: pd.DataFrame) -> str:
    """Of parallel texts, several joined by +; "" for others."""
    language = runs.language.iloc[0]
    return language if isinstance(language, str) else ""


def by_cell(runs: pd.DataFrame) -> list[tuple[Cell, pd.DataFrame]]:
    """The rows of each cell, in the order of the cells' names."""
    return [(cast(Cell, cell), rows) for cell, rows in runs.groupby("cell")]


def comparisons(study: Study) -> list[Comparison]:
    """One for each held-out text that the runs of a study were scored on."""
    parts = [part for _, part in study.results.groupby(["corpus", "corpus_sha256", "scored_sha256"], sort=True)]
    return [Comparison(study, part.sort_values(["bpb", "name"])) for part in parts]


def computed_once(
    compute: Callable[Concatenate[Comparison, P], T],
) -> Callable[Concatenate[Comparison, P], T]:
    """`compute(comparison, ...)`, kept in the comparison: tables, pictures and sentences ask for it again."""

    @wraps(compute)
    def ask(comparison: Comparison, *args: P.args, **kwargs: P.kwargs) -> T:
        return comparison.answer((compute, args, *sorted(kwargs.items())), lambda: compute(comparison, *args, **kwargs))

    return ask


def baseline_of(row: Any) -> BaselineName:
    """Of a row of baselines.csv."""
    return BaselineName(str(row.baseline), str(row.family))
