"""The seed experiment's published figures beside those of runs by its protocol: what is reproduced, and what is not.

Its "final loss" was a training loss, its tokenizers had seen the held-out text, and each of them held out another
text; so only some of its figures can be met, and the one to compare, bits per byte, it did not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison

# Our arms, and which of its tokenizers each stands for: its BPE marked the ends of words, as `bpe_classic` does.
ARMS = {"char": "char", "word": "word", "bpe_classic": "bpe", "bpe": "bpe"}
# What makes a run one of its protocol, as columns of results.csv.
PROTOCOL = {"n_layer": 4, "n_head": 4, "n_embd": 256, "block_size": 128, "batch_size": 16, "steps": 8000}


@dataclass(frozen=True)
class Figure:
    name: str
    column: str  # of `_measured`
    within: float  # the share by which a figure may differ and count as reproduced
    published: dict[str, float]  # by the tokenizer that it had


PUBLISHED = [
    Figure("vocabulary", "vocab_size", 0, {"char": 69, "word": 6551, "bpe": 6551}),
    Figure(
        "parameters, at its vocabulary", "params_there", 0.005, {"char": 3.23e6, "word": 6.55e6, "bpe": 6.55e6}
    ),
    Figure(
        "of which for the vocabulary and positions", "embedding_there", 0.01,
        {"char": 0.0211, "word": 0.52, "bpe": 0.52},
    ),
    Figure('"final loss": training, end (nats/token)', "train_loss", 0.1, {"char": 1.5, "word": 3, "bpe": 3}),
    Figure("held-out loss, end (nats/token)", "val_loss", 0.05, {"char": 1.82, "word": 4.85, "bpe": 4.37}),
    Figure("held-out loss, best (nats/token)", "best_val_loss", 0.05, {"char": 1.79, "word": 4.58, "bpe": 4.24}),
    Figure(
        "characters in a sample of 500 tokens", "sample_chars_500", 0.1,
        {"char": 490, "word": 1602, "bpe": 1505},
    ),
    Figure("bits per byte, end", "val_bpb", 0, {}),
    Figure("bits per byte, best, cross-fitted", "best_val_bpb_crossfit", 0, {}),
]  # fmt: skip


@dataclass(frozen=True)
class Reproduction:
    """A published figure beside ours."""

    figure: Figure
    cell: Cell
    seeds: int
    published: float | None  # None where it had none
    here: float

    @property
    def off(self) -> float | None:
        """By which share ours is above the published one."""
        return None if self.published is None else self.here / self.published - 1

    @property
    def reproduced(self) -> bool | None:
        return None if self.off is None else abs(self.off) <= self.figure.within


def reproductions(comparison: Comparison) -> list[Reproduction]:
    """A row a figure and cell; none where no run follows the protocol on TinyShakespeare."""
    runs = comparison.runs[comparison.runs.arm.isin(ARMS) & (comparison.runs.corpus == "tinyshakespeare")]
    for column, value in PROTOCOL.items():
        runs = runs[runs[column] == value] if column in runs else runs[:0]
    if not len(runs):
        return []
    by_protocol = Comparison(comparison.study, runs)
    cells = list(dict.fromkeys(by_protocol.runs.cell))
    means = _measured(by_protocol.means)
    return [
        Reproduction(
            figure,
            cell,
            int(means.seeds[cell]),
            figure.published.get(ARMS[cell.arm]),
            float(means[figure.column][cell]),
        )
        for figure in PUBLISHED
        for cell in cells
    ]


def _measured(means: pd.DataFrame) -> pd.DataFrame:
    """The means, with what the parameters would be at the vocabulary that the seed experiment had."""
    vocabulary = PUBLISHED[0].published
    there = pd.Series([vocabulary[ARMS[cell.arm]] for cell in means.index], means.index)
    for_tokens = (means.params_token_embedding + means.params_lm_head) * there / means.vocab_size
    embedding = for_tokens + means.params_position_embedding
    total = embedding + means.params_body
    return means.assign(params_there=total, embedding_there=embedding / total)
