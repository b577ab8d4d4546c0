"""Counts a model's parameters by component, and the FLOPs of training it, from its settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a result is read without torch
    from tokexp.model.gpt import GPTConfig


@dataclass(frozen=True)
class ParameterSplit:
    """Parameters by component, as a run's result has them."""

    params_token_embedding: int
    params_position_embedding: int
    params_lm_head: int  # 0 where it is tied to the token embedding
    params_body: int
    params_total: int


def parameter_split(config: GPTConfig) -> ParameterSplit:
    """The parameters of a model of these settings."""
    C, V, L = config.n_embd, config.vocab_size, config.n_layer
    read = C + 2 * config.kv_heads * (C // config.n_head)  # what attention reads of each token: query, key and value
    norm = C if config.norm == "rmsnorm" else 2 * C
    block = (C + 1) * read + (C + 1) * C + (C + 1) * 4 * C + (4 * C + 1) * C + 2 * norm
    tokens, body = V * C, L * block + norm
    positions = 0 if config.positions == "rope" else config.block_size * C
    head = 0 if config.tie_weights else V * C
    return ParameterSplit(tokens, positions, head, body, params_total=tokens + positions + head + body)


def least_training_bytes(config: GPTConfig, batch_tokens: int, grad_accum: int = 1) -> int:
    """The memory below which no training does on one device; what it really takes is more.

    16 bytes a parameter: itself, its gradient and AdamW's two means, float32 each. Of a batch its ids, in 2 bytes
    each, and of a micro-batch what the matrix products keep for the way back, in bfloat16: query, key, value,
    attention's result and the inner layer of the MLP.
    """
    C = config.n_embd
    kept = C + 2 * config.kv_heads * (C // config.n_head) + C + 4 * C
    micro_batch_tokens = -(-batch_tokens // grad_accum)
    weights = 16 * parameter_split(config).params_total
    return weights + 2 * batch_tokens + 2 * config.n_layer * kept * micro_batch_tokens


def training_flops_per_token(config: GPTConfig) -> int:
    """Floating-point operations to train on one token, forward and backward.

    6 per weight that multiplies (the body's, and the head's V x C whether tied or not; a look-up is
    free), and 12 n_layer C T for attention's scores and sums at a full context of T.
    Source: Kaplan et al. (2020), appendix; Chowdhery et al. (2022), appendix B.
    """
    C, T = config.n_embd, config.block_size
    weights = parameter_split(config).params_body + config.vocab_size * C
    return 6 * weights + 12 * config.n_layer * C * T
