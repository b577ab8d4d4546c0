"""Where the loss lies: total bits per byte by kind of content, a mean over the seeds of each cell.

The bytes of a kind of content are the same for every tokenizer, so its figures may be compared; those that
have so much context in the window are not. How bits are attributed to bytes, and what that is not, stands
in `tokexp/scoring/content.py`.
"""

from __future__ import annotations

import pandas as pd

from tokexp.analysis.tables import by_cell, cells
from tokexp.runs.study import Study

FEWEST = 100  # bytes with so much context, of which fewer say nothing
TOGETHER, ALL = ("word_first", "word_rest", "spacing"), "words and spacing"


def content_of(study: Study, runs: pd.DataFrame, partition: str) -> pd.DataFrame:
    """Bits per byte: a row a cell, best total first, a column a class in the order of the data."""
    rows = study.content[study.content.partition == partition]
    rows = rows.merge(runs.assign(cell=cells(runs))[["name", "cell"]], on="name")
    enough = rows.bytes >= (FEWEST if partition == "context" else 1)
    rows = rows[enough].assign(bits_per_byte=lambda r: r.bits / r.bytes)
    wide = rows.pivot_table(index="cell", columns="class", values="bits_per_byte", aggfunc="mean", sort=False)
    return wide.reindex([cell for cell in by_cell(runs).cell if cell in wide.index])


def content_table(study: Study, runs: pd.DataFrame, partition: str) -> pd.DataFrame:
    """The same, formatted, each class headed by its share of the bytes."""
    wide = content_of(study, runs, partition)
    of_one = study.content[(study.content.partition == partition) & (study.content.name == runs["name"].iloc[0])]
    share = (of_one.set_index("class").bytes / runs.val_bytes.iloc[0]).to_dict()
    if set(TOGETHER) <= set(wide):  # since a word's end is paid by either of them
        wide = wide.assign(**{ALL: sum(wide[name] * share[name] for name in TOGETHER)})
        share[ALL] = sum(share[name] for name in TOGETHER)
        wide[ALL] /= share[ALL]
    table = pd.DataFrame({"run": wide.index})
    for name in wide.columns:
        heading = f"{name} ({share[name]:.1%})" if partition != "context" and name in share else str(name)
        table[heading] = ["" if pd.isna(value) else f"{value:.3f}" for value in wide[name]]
    return table
