"""The units of a held-out text, documents or blocks, and what each run needed for each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokexp.analysis.chance.documents import FEWEST, Documents
from tokexp.analysis.chance.statistics import Blocks, Text, Unknown
from tokexp.runs.study import Study, block_nats
from tokexp.scoring.blocks import BLOCKS
from tokexp.scoring.units import BLOCKS_OF_TEXT, DOCUMENTS

SUMS = ("bytes", "tokens", "lines", "nats")


@dataclass(frozen=True)
class Units:
    """A held-out text in units, and the nats that runs needed for each."""

    kind: str  # documents | blocks
    n_bytes: np.ndarray  # (units,); of blocks an equal share each
    nats: pd.DataFrame  # (runs, units), by the runs' names

    @property
    def few(self) -> bool:
        """Whether they are documents, but too few for an interval over them."""
        return self.kind == DOCUMENTS and len(self.n_bytes) < FEWEST

    @property
    def text(self) -> Text:
        """The text as `compare_all` asks for it."""
        if self.few:
            return Unknown()
        return Documents(self.n_bytes) if self.kind == DOCUMENTS else Blocks(round(float(self.n_bytes.sum())))


def units_of_runs(study: Study, runs: pd.DataFrame, text: str) -> Units | None:
    """The units of one text that all of `runs` have rows of; None where they have not. `text`: its name in the rows."""
    names = list(runs["name"])
    rows = study.units[(study.units.text == text) & study.units["name"].isin(names)]
    kinds = set(study.texts.units[(study.texts.text == text) & study.texts["name"].isin(names)])
    if rows.empty or len(kinds) != 1:
        return None
    nats = rows.pivot_table(index="name", columns="unit", values="nats", aggfunc="first").reindex(names)
    sizes = rows.groupby("unit").bytes
    if nats.isna().to_numpy().any() or (sizes.min() != sizes.max()).any():
        return None if DOCUMENTS in kinds or nats.isna().to_numpy().any() else _as_blocks(nats.astype(float), rows)
    kind = kinds.pop()
    if kind == BLOCKS_OF_TEXT:
        return _as_blocks(nats.astype(float), rows)
    return Units(kind, sizes.first().to_numpy(float), nats.astype(float))


def _as_blocks(nats: pd.DataFrame, rows: pd.DataFrame) -> Units | None:
    """The bytes of a block are those of the tokens that begin in it, and so another number for each tokenizer."""
    if nats.shape[1] != BLOCKS:
        return None
    n_bytes = float(rows.bytes[rows["name"] == nats.index[0]].sum())
    return Units(BLOCKS_OF_TEXT, np.full(BLOCKS, n_bytes / BLOCKS), nats)


def blocks_of_evaluations(study: Study, runs: pd.DataFrame) -> Units:
    """The blocks of what the last evaluation of each run read, which must be the whole of the text."""
    names = list(runs["name"])
    nats = pd.DataFrame(block_nats(study.ends.loc[names]), index=names)
    n_bytes = float(runs.scored_bytes.iloc[0])
    return Units(BLOCKS_OF_TEXT, np.full(BLOCKS, n_bytes / BLOCKS), nats)


def baseline_units(study: Study, sha256: str, units: Units) -> dict[str, np.ndarray]:
    """The nats of each document of a text that baselines needed, by their names."""
    rows = study.units[(study.units["name"] == "") & (study.units.text == sha256)]
    if rows.empty:
        return {}
    nats = rows.pivot_table(index="baseline", columns="unit", values="nats", aggfunc="first").astype(float)
    whole = nats.notna().all(axis=1) & (nats.shape[1] == len(units.n_bytes))
    return {str(name): row.to_numpy() for name, row in nats[whole].iterrows()}
