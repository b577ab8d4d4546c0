"""What a model's settings come to: its parameters by part, and the FLOPs of training it."""

from __future__ import annotations

from typing import Any

from tokexp.model.gpt import GPTConfig


def parameter_split(config: GPTConfig) -> dict[str, Any]:
    """Parameters by part, as result columns. A tied head has none of its own."""
    C, V, L = config.n_embd, config.vocab_size, config.n_layer
    read = C + 2 * config.kv_heads * (C // config.n_head)  # what attention reads of each token: query, key and value
    norm = C if config.norm == "rmsnorm" else 2 * C
    block = (C + 1) * read + (C + 1) * C + (C + 1) * 4 * C + (4 * C + 1) * C + 2 * norm
    split = {
        "params_token_embedding": V * C,
        "params_position_embedding": 0 if config.positions == "rope" else config.block_size * C,
        "params_lm_head": 0 if config.tie_weights else V * C,
        "params_body": L * block + norm,
    }
    return {**split, "params_total": sum(split.values())}


def training_flops_per_token(config: GPTConfig) -> int:
    """Floating-point operations to train on one token, forward and backward.

    6 per weight that multiplies (the body's, and the head's V x C whether tied or not; a look-up is
    free), and 12 n_layer C T for attention's scores and sums at a full context of T.
    Source: Kaplan et al. (2020), appendix; Chowdhery et al. (2022), appendix B.
    """
    C, T = config.n_embd, config.block_size
    weights = parameter_split(config)["params_body"] + config.vocab_size * C
    return 6 * weights + 12 * config.n_layer * C * T
