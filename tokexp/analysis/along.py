"""Bits per byte along the held-out text, eighth by eighth: whether a lead is that of the whole text or of a part.

A held-out text need not be of one kind (that of TinyShakespeare is the rest of one play, of which the training part
has the beginning, and then a play of which it has nothing), and a total hides which part decided.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tokexp.analysis.statistics import STRETCHES
from tokexp.analysis.tables import baselines_of, by_cell, cells
from tokexp.runs.study import Study, block_nats


def along(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Total bits per byte at the end: a row a cell, best total first, then the baselines, a column an eighth."""
    named = runs.assign(cell=cells(runs)).groupby("cell")["name"]
    nats = {str(cell): block_nats(study.ends.loc[list(names)]).mean(axis=0) for cell, names in named}
    rows = {cell: nats[cell] for cell in by_cell(runs).cell}
    beside = baselines_of(study, runs).sort_values("val_bpb", kind="stable")
    for (_, row), own in zip(beside.iterrows(), block_nats(beside), strict=True):
        if not np.isnan(own).any():
            rows[f"*{row.baseline} ({row.family})*"] = own
    per_byte = STRETCHES / (np.log(2) * int(runs.val_bytes.iloc[0]))
    eighths = np.array(list(rows.values())).reshape(len(rows), STRETCHES, -1).sum(axis=2) * per_byte
    return pd.DataFrame(eighths, index=list(rows), columns=[f"{i + 1}/{STRETCHES}" for i in range(STRETCHES)])


def stretch_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    formatted = along(study, runs).map(lambda bpb: f"{bpb:.3f}")
    return formatted.rename_axis("run").reset_index()
