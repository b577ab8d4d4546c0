"""Save a run between two steps so that it can go on from there, bit for bit, after any kind of end.

A checkpoint is one safetensors file: the weights, the best weights so far, the optimizer's moments, and as
its metadata, in JSON, how far the run was and whose it is. It is written under a temporary name and moved
into place; the one before it is kept until the next one, so that one damaged file costs no more than the
steps between two. What cannot be read, or is of other settings, is passed over with a notice.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tokexp.config import InputError
from tokexp.system.files import replacing
from tokexp.system.reading import Count, Kinds, check, parse_json, require_regular
from tokexp.training.state import TrainState

log = logging.getLogger(__name__)

KEPT = 2
FACTS: Kinds = {"config_hash": str, "step": Count, "tokens_seen": Count, "bytes_seen": Count, "seconds": float}
MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW


def save_checkpoint(
    folder: Path, config_hash: str, model: nn.Module, state: TrainState, best: dict[str, Tensor]
) -> None:
    """Write `folder`/STEP.safetensors and remove all but the two latest.

    `best`: the best weights so far.
    Raises InputError, one line, where it cannot be written; the ones before it stay.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": p for name, p in model.named_parameters()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for name, parameter in model.named_parameters():
        tensors |= {f"{moment}.{name}": state.optimizer.state[parameter][moment] for moment in MOMENTS}
    facts = {"config_hash": config_hash, **state.counts()}
    path = folder / f"{state.step:09d}.safetensors"
    try:
        with replacing(path) as temporary:
            save_file(
                {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()},
                temporary,
                {"tokexp": json.dumps(facts)},
            )
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{path}: cannot be written ({reason}); what was saved before stays: make room, and start again"
        ) from error
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink()


def load_checkpoint(
    folder: Path, config_hash: str, model: nn.Module, state: TrainState, *, most: int
) -> dict[str, Tensor] | None:
    """Bring `model` and `state` to the latest readable checkpoint of these settings, of at most `most` steps.

    Returns the best weights until then, or None where there is no such checkpoint.
    """
    for path in reversed(checkpoints(folder)):
        try:
            with _opened(path) as file:
                facts = _facts(file)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if facts["config_hash"] != config_hash:
                raise ValueError("it is of other settings")
            if facts["step"] > most:
                raise ValueError(f"only the rows of {most} steps are there")
            _restore(model, state, facts, tensors)
        except OSError as error:
            raise _cannot_be_read(path, error) from error
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            log.warning("%s: left aside, since the run cannot continue from it (%s)", path, str(error).splitlines()[0])
            continue
        return {name.removeprefix("best."): value for name, value in tensors.items() if name.startswith("best.")}
    return None


def saved_steps(folder: Path, config_hash: str) -> set[int]:
    """List the steps of the checkpoints of these settings whose beginning can be read."""
    steps = set()
    for path in checkpoints(folder):
        try:
            with _opened(path) as file:
                facts = _facts(file)
        except OSError as error:
            raise _cannot_be_read(path, error) from error
        except (SafetensorError, ValueError, KeyError):
            continue
        if facts["config_hash"] == config_hash:
            steps.add(int(facts["step"]))
    return steps


def _opened(path: Path) -> Any:
    require_regular(path)
    return safe_open(path, "pt")


def _facts(file: Any) -> dict[str, Any]:
    facts: dict[str, Any] = parse_json((file.metadata() or {})["tokexp"].encode())
    check(facts, FACTS, "its facts")
    return facts


def _cannot_be_read(path: Path, error: OSError) -> InputError:
    """The error for what is not to be passed over, since a run that began anew would delete it."""
    return InputError(f"{path}: cannot be read ({error.strerror or error}); make it readable, or delete it")


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in `folder`, the latest last."""
    return sorted(path for path in folder.glob("*.safetensors") if path.stem.isdigit())


def _restore(model: nn.Module, state: TrainState, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Bring model and state to a checkpoint; change nothing unless all is there and fits."""
    changes = []
    for name, parameter in model.named_parameters():
        moments = state.optimizer.state[parameter]
        changes.append((parameter, tensors[f"model.{name}"]))
        changes += [(moments[moment], tensors[f"{moment}.{name}"]) for moment in MOMENTS]
    wrong = [tuple(new.shape) for old, new in changes if old.shape != new.shape]
    if wrong:
        raise ValueError(f"tensors of other shapes, such as {wrong[0]}")
    state.go_to(facts)
    with torch.no_grad():
        for old, new in changes:
            old.copy_(new)
        for moments in state.optimizer.state.values():
            moments["step"].fill_(state.step)
