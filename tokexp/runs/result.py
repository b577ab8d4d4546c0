"""What a run found: `result.json`, its settings' hash, and reading runs back.

Reading results needs no torch; `load_run`, which rebuilds a model, imports it when called.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pandas as pd

from tokexp.config import InputError
from tokexp.system.files import write_json

if TYPE_CHECKING:
    pass

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunResult:
    """One row: what was run, what it cost and what it scored. bpb is bits per UTF-8 byte of held-out text."""

    schema_version: int
    name: str
    sweep: str
    arm: str
    size: str
    config_hash: str
    settings: dict[str, Any]  # what the hash is of, the seed and the texts left out, by dotted name
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]
    threads: int
    machine: str  # its processor or GPU; seconds are compared only within one
    workers: int  # runs at work on it at the same time
    tuned: list[str]  # what was chosen by looking at the held-out text
    seed: int
    device: str
    precision: str
    corpus: str
    corpus_sha256: str
    val_sha256: str
    tokenizer: str  # kind
    tokenizer_sha256: str
    trained_on: str
    lossless: bool
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    block_size: int
    dropout: float
    tie_weights: bool
    norm: str
    positions: str
    n_kv_head: int | None
    batch_size: int
    params_token_embedding: int
    params_position_embedding: int
    params_lm_head: int
    params_body: int
    params_total: int
    steps: int
    budget: str  # what was held equal, such as "steps=600"
    tokens_seen: int
    bytes_seen: int
    epochs: float  # tokens_seen over the tokens of the training part
    flops: float
    grad_norm_spikes: float  # share of steps, see train.spike_share
    train_seconds: float  # evaluation left out
    tokens_per_second: float
    train_loss: float  # nats per token, on a training slice as long as the held-out text, at the end
    val_loss: float  # nats per token, at the end
    best_train_loss: float  # at the evaluation with the best val_loss
    best_val_loss: float
    val_bytes: int
    val_tokens: int
    val_bpb_naive: float
    val_bpb_restoration: float
    val_bpb_restoration_spacing: float
    val_bpb_restoration_case: float
    val_bpb_restoration_spelling: float
    val_bpb: float  # naive + restoration, at the end: what is ranked
    val_bpb_sliding: float
    best_val_bpb: float  # checkpoint chosen on this text
    best_val_bpb_crossfit: float
    marginal_gain_bpb: float | None  # what all segmentations would save, see segmentation.py; None without a choice
    marginal_gain_error: float | None  # its standard error
    bytes_per_token: float  # this and the next: of the tokenizer alone, see intrinsic.py
    chars_per_token: float
    vocab_used: int
    fertility: float
    words_split: float
    unk_rate: float
    byte_fallback_rate: float
    token_bytes_p10: float
    token_bytes_p50: float
    token_bytes_p90: float
    token_bytes_max: int
    unigram_entropy: float
    renyi_efficiency: float
    tokenizer_train_seconds: float
    tokenizer_encode_seconds: float
    sample_chars_500: int
    context_id: int  # the id before the held-out text


def save_result(folder: Path, result: RunResult) -> None:
    write_json(folder / "result.json", dataclasses.asdict(result))


def load_result(folder: Path) -> RunResult:
    """Raises InputError, one line, where `folder` has no result that this version can read."""
    path = folder / "result.json"
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{folder}: no finished run there ({error.strerror}: result.json)") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); delete it and run again") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: got schema_version {version}, expected {SCHEMA_VERSION}; run again")
    wrong = [name for name, kind in _fields().items() if not _is_a(data.get(name, _MISSING), kind)]
    if wrong:
        raise InputError(
            f"{path}: {', '.join(wrong)} missing or of another type than expected; delete it and run again"
        )
    return RunResult(**{f.name: data[f.name] for f in dataclasses.fields(RunResult)})


@lru_cache(maxsize=1)
def _fields() -> dict[str, Any]:
    """The fields of a result and their types; found once, since a report may read a thousand."""
    return get_type_hints(RunResult)


_MISSING = object()


def _is_a(value: Any, kind: Any) -> bool:
    allowed = [getattr(option, "__origin__", option) for option in get_args(kind) or (kind,)]
    origin = getattr(kind, "__origin__", None)
    allowed = [origin] if origin in (dict, list) else allowed
    return type(value) in allowed or (float in allowed and type(value) is int)


def has_result(folder: Path, digest: str) -> bool:
    """Whether `folder` holds the finished run whose settings hash to `digest`."""
    try:
        return load_result(folder).config_hash == digest
    except InputError:
        return False


def find_results(folder: Path) -> tuple[list[Path], list[str]]:
    """The run folders below `folder` that hold a readable result, by name, and a line about each other one."""
    good, bad = [], []
    for path in sorted(folder.glob("*/result.json")):
        try:
            load_result(path.parent)
            good.append(path.parent)
        except InputError as error:
            bad.append(str(error))
    return good, bad


def load_results(folder: Path | str) -> pd.DataFrame:
    """A row for every finished run below `folder`; unreadable results are left out."""
    rows = [flatten(load_result(run)) for run in find_results(Path(folder))[0]]
    return pd.DataFrame(rows)


def flatten(result: RunResult) -> dict[str, Any]:
    """One flat row: the versions, the settings and what was tuned as text."""
    row = dataclasses.asdict(result)
    row["versions"] = " ".join(f"{name}={version}" for name, version in sorted(result.versions.items()))
    row["settings"] = json.dumps(result.settings, sort_keys=True)
    row["tuned"] = "; ".join(result.tuned)
    return row
