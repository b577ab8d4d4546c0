"""Tell runs apart: by the hash of all that changes their figures, and by name."""

from __future__ import annotations

import json
import re
from typing import Any

from tokexp.config import RunConfig, to_dict
from tokexp.data.corpus import Corpus
from tokexp.system.files import sha256
from tokexp.tokenizer import identity

DEMO, SINGLE = "demo", "single"  # sweeps without a name of their own: the README's, and runs that are no sweep

RESULTS_VERSION = 3  # raised when a change to the code changes figures, so that old runs are not mistaken for new
FIRST_VERSION = 2  # of results that do not say theirs
CHANGES = {  # what each version changed, for the report of older runs
    3: "unknown words cost less to restore (0.006 bits per byte for word on TinyShakespeare), a loss may differ in its "
    "fourth digit, and samples have no bytes that are in no text",
}


def settings_of(cfg: RunConfig, corpus: Corpus, precision: str) -> dict[str, Any]:
    """List by dotted name the settings that change figures; not the seed, and of texts only their content counts.

    A limit on what is read of a text is one of them only where the text is longer.
    """
    tree = to_dict(cfg)
    groups = {key: tree[key] for key in ("tokenizer", "model", "train", "budget", "sample")}
    groups["tokenizer"] = identity(groups["tokenizer"])
    flat = {f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}
    for name in ("train.compile", "train.cuda_graph", "train.checkpoint_every"):
        del flat[name]  # the same figures, sooner or safer
    for name, part in (("tokenizer.train_bytes", corpus.train), ("train.eval_bytes", corpus.val)):
        if (limit := flat[name]) is not None and limit >= part.n_bytes:
            del flat[name]
    flat |= {"data.block_bytes": cfg.data.block_bytes, "params_total": cfg.params_total}
    if cfg.data.block_bytes is not None:
        del flat["model.block_size"]  # it follows
    if cfg.train.batch_bytes is not None:
        del flat["train.batch_size"]
    if cfg.params_total is not None:
        del flat["model.n_embd"]
    return {**{name: value for name, value in flat.items() if value is not None}, "precision": precision}


def config_hash(cfg: RunConfig, corpus: Corpus, precision: str) -> str:
    """SHA-256, hex, of everything that changes the figures; names, paths and logging do not.

    The corpus counts by the content of its two parts, `precision` as it was resolved.
    """
    what = {
        "results_version": RESULTS_VERSION,
        **corpus.hashes,
        "seed": cfg.seed,
        **settings_of(cfg, corpus, precision),
    }
    canonical = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode())


def run_name(cfg: RunConfig, config_hash: str) -> str:
    """Name a run, such as bpe-nano-v4096-s0-0123abcd: v4096 is what its sweep varies besides tokenizer and model."""
    label = [cfg.label] if cfg.label else []
    return "-".join([cfg.arm, cfg.size, *label, f"s{cfg.seed}", config_hash[:8]])


def is_unnamed(sweep: str) -> bool:
    """Whether a sweep's name is none that somebody gave it, but the one that its command came to."""
    return sweep in (DEMO, SINGLE) or re.fullmatch(r".+-[a-f][0-9a-f]{3}", sweep) is not None
