"""How the corpus of a comparison is made up: its parts, what learned from how much of it, what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokexp.analysis.comparison import Comparison


@dataclass(frozen=True)
class PartSize:
    """A part of a corpus."""

    name: str  # training | validation | test
    n_bytes: int
    documents: int | None  # None of a single text


@dataclass(frozen=True)
class Composition:
    """How a corpus is made up."""

    parts: list[PartSize]
    on_test: bool  # whether runs are ranked on a third part
    evaluated_bytes: int | None  # of the validation part, where evaluations read only its beginning
    tokenizer_bytes: list[int]  # of the training part, that tokenizers learned from, where that is not all
    learned_bytes: int | None  # of it, that restoration and readability learned from, where that is not all
    seen: int  # held-out documents that stand in the training part word for word
    skipped: int  # records that could not be read

    @property
    def ranked(self) -> PartSize:
        """The part that runs are ranked on."""
        return self.parts[-1]


def composition(comparison: Comparison) -> Composition | None:
    """None for runs from before it was written down."""
    runs = comparison.runs[comparison.runs.train_bytes.notna()]
    if runs.empty:
        return None
    row = runs.iloc[0]
    of_documents = comparison.documents is not None or max(row.train_documents, row.val_documents) > 1
    parts = [
        PartSize("training", int(row.train_bytes), int(row.train_documents) if of_documents else None),
        PartSize("validation", int(row.val_bytes), int(row.val_documents) if of_documents else None),
    ]
    if comparison.on_test:
        parts.append(PartSize("test", int(row.test_bytes), int(row.test_documents) if of_documents else None))
    own = runs.tokenizer_train_bytes[runs.trained_on != "external"].dropna()
    return Composition(
        parts,
        comparison.on_test,
        _less(row.eval_bytes, row.val_bytes),
        sorted({int(n) for n in own if n < row.train_bytes}),
        _less(row.learned_bytes, row.train_bytes),
        _count(row.documents_seen),
        _count(row.records_skipped),
    )


def _less(part: Any, whole: Any) -> int | None:
    """The first, where it is known and smaller."""
    return int(part) if part < whole else None  # False for NaN


def _count(n: Any) -> int:
    return int(n) if n > 0 else 0  # of NaN 0
