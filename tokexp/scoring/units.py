"""The units over which the cost of a held-out text is kept: its documents, or blocks of a single text.

By them a report says how much of a difference is this text's (`tokexp/analysis/`).
"""

from __future__ import annotations

import numpy as np

from tokexp.data.part import Part
from tokexp.scoring.blocks import BLOCKS

DOCUMENTS, BLOCKS_OF_TEXT = "documents", "blocks"
MOST_UNITS = 1000  # of a text of more documents, neighbours are counted together


def units_of(text: Part) -> tuple[str, int]:
    """What the units of a text are, and how many there are."""
    return (DOCUMENTS, min(len(text), MOST_UNITS)) if text.separated else (BLOCKS_OF_TEXT, BLOCKS)


def unit_of_documents(documents: int) -> np.ndarray:
    """(documents,) int, the unit of each document."""
    return np.arange(documents) * min(documents, MOST_UNITS) // max(1, documents)
