"""The state of a training between two steps, beside the weights of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from tokexp.system.distributed import World

COUNTS = {"step": int, "tokens_seen": int, "bytes_seen": int, "seconds": float}  # of a TrainState


@dataclass
class TrainState:
    """The counts of a training and its optimizer; changed only by its own methods, and as the optimizer steps."""

    optimizer: torch.optim.AdamW
    step: int = 0  # steps done
    tokens_seen: int = 0
    bytes_seen: int = 0  # of the text predicted
    seconds: float = 0.0  # of training alone

    def count_step(self, tokens: int, n_bytes: int) -> None:
        self.step += 1
        self.tokens_seen += tokens
        self.bytes_seen += n_bytes

    def count_seconds(self, seconds: float) -> None:
        self.seconds += seconds

    def counts(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in COUNTS}

    def go_to(self, counts: Mapping[str, float]) -> None:
        """Take on the counts of another moment. Raises KeyError where one is missing."""
        values = {name: kind(counts[name]) for name, kind in COUNTS.items()}
        for name, value in values.items():
            setattr(self, name, value)


def share(world: World, model: torch.nn.Module, state: TrainState) -> None:
    """Bring every process to where the first one stands, which may have gone on from a checkpoint."""
    if world.size == 1:
        return
    counts = torch.tensor(list(state.counts().values()), dtype=torch.float64).to(next(model.parameters()).device)
    moments = [moment for moments in state.optimizer.state.values() for moment in moments.values()]
    world.share([counts, *(p.data for p in model.parameters()), *moments])
    state.go_to(dict(zip(COUNTS, counts.tolist(), strict=True)))
