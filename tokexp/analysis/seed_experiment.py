"""The seed experiment's published figures beside those of runs by its protocol: what is reproduced, and what is not.

Its "final loss" was a training loss, its tokenizers had seen the held-out text, and each of them held out another
text; so only some of its figures can be met, and the one to compare, bits per byte, it did not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tokexp.analysis.tables import by_cell, cells
from tokexp.runs.study import Study

# Our arms, and which of its tokenizers each stands for: its BPE marked the ends of words, as `bpe_classic` does.
ARMS = {"char": "char", "word": "word", "bpe_classic": "bpe", "bpe": "bpe"}
# What makes a run one of its protocol, as columns of results.csv.
PROTOCOL = {"n_layer": 4, "n_head": 4, "n_embd": 256, "block_size": 128, "batch_size": 16, "steps": 8000}


@dataclass(frozen=True)
class Figure:
    name: str
    column: str  # of `_measured`
    form: str
    within: float  # the share by which a figure may differ and count as reproduced
    said: dict[str, float]  # by the tokenizer that it had


FIGURES = [
    Figure("vocabulary", "vocab_size", ",.0f", 0, {"char": 69, "word": 6551, "bpe": 6551}),
    Figure(
        "parameters, at its vocabulary", "params_there", ",.0f", 0.005, {"char": 3.23e6, "word": 6.55e6, "bpe": 6.55e6}
    ),
    Figure(
        "of which for the vocabulary and positions", "embedding_there", ".2%", 0.01,
        {"char": 0.0211, "word": 0.52, "bpe": 0.52},
    ),
    Figure('"final loss": training, end (nats/token)', "train_loss", ".2f", 0.1, {"char": 1.5, "word": 3, "bpe": 3}),
    Figure("held-out loss, end (nats/token)", "val_loss", ".2f", 0.05, {"char": 1.82, "word": 4.85, "bpe": 4.37}),
    Figure("held-out loss, best (nats/token)", "best_val_loss", ".2f", 0.05, {"char": 1.79, "word": 4.58, "bpe": 4.24}),
    Figure(
        "characters in a sample of 500 tokens", "sample_chars_500", ",.0f", 0.1,
        {"char": 490, "word": 1602, "bpe": 1505},
    ),
    Figure("bits per byte, end", "val_bpb", ".3f", 0, {}),
    Figure("bits per byte, best, cross-fitted", "best_val_bpb_crossfit", ".3f", 0, {}),
]  # fmt: skip


def original_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """A row a figure and arm; empty where no run follows the protocol on TinyShakespeare."""
    own = runs[runs.arm.isin(ARMS) & (runs.corpus == "tinyshakespeare")]
    for column, value in PROTOCOL.items():
        own = own[own[column] == value] if column in own else own[:0]
    if not len(own):
        return pd.DataFrame()
    arm_of = dict(zip(cells(own), own.arm, strict=True))
    means = _measured(by_cell(own).set_index("cell"), arm_of)
    rows = []
    for figure in FIGURES:
        for cell, arm in arm_of.items():
            here, said = float(means[figure.column][cell]), figure.said.get(ARMS[arm])
            rows.append(
                {
                    "figure": figure.name,
                    "tokenizer": cell,
                    "seeds": str(means.seeds[cell]),
                    "the seed experiment": "" if said is None else format(said, figure.form),
                    "here": format(here, figure.form),
                    "verdict": verdict(here, said, figure.within),
                }
            )
    return pd.DataFrame(rows)


def _measured(means: pd.DataFrame, arm_of: dict[str, str]) -> pd.DataFrame:
    """The means, with what the parameters would be at the vocabulary that the seed experiment had."""
    vocabulary = FIGURES[0]
    there = pd.Series({cell: vocabulary.said[ARMS[arm]] for cell, arm in arm_of.items()})
    for_tokens = (means.params_token_embedding + means.params_lm_head) * there / means.vocab_size
    embedding = for_tokens + means.params_position_embedding
    total = embedding + means.params_body
    return means.assign(params_there=total, embedding_there=embedding / total)


def verdict(here: float, said: float | None, within: float) -> str:
    if said is None:
        return "it had none"
    return "reproduced" if abs(here / said - 1) <= within else f"not so: {here / said - 1:+.1%}"
