"""Fills in the sizes of a model that follow from its tokenizer.

Usually nothing is left to decide: the architecture is that of `conf/model/` for every tokenizer. Three other
comparisons fix something else instead, and then a size follows from the tokenizer:

    data.block_bytes    the context holds equally much text, so its length in tokens differs
    train.batch_bytes   a step reads equally much text, so its number of sequences differs
    params_total        the model is equally large, so its width differs

A context in bytes alone changes the text in a step too, and with it the number of steps in a budget: whoever asks what
context is worth sets both.
"""

from __future__ import annotations

import dataclasses
import logging
from bisect import bisect_left

import torch

from tokexp.config import InputError, ModelConfig, RunConfig
from tokexp.model.gpt import GPTConfig
from tokexp.model.sizes import least_training_bytes, parameter_split
from tokexp.system.device import total_memory

log = logging.getLogger(__name__)

MOST_OFF = 0.02  # of params_total
MOST_OFF_BATCH = 0.2  # of train.batch_bytes: of a few contexts none may be nearer


def fill_in_sizes(cfg: RunConfig, vocab_size: int, bytes_per_token: float) -> RunConfig:
    """`cfg` with the sizes that it leaves to the tokenizer filled in.

    `bytes_per_token`: over the training part. Raises InputError where no width comes within 2 % of
    `params_total`, or no number of sequences within 20 % of `train.batch_bytes`.
    """
    model, train = cfg.model, cfg.train
    if cfg.data.block_bytes is not None:
        model = dataclasses.replace(model, block_size=max(1, round(cfg.data.block_bytes / bytes_per_token)))
    if train.batch_bytes is not None:
        train = dataclasses.replace(train, batch_size=_sequences(train.batch_bytes, model.block_size * bytes_per_token))
    if cfg.params_total is not None:
        model = dataclasses.replace(model, n_embd=nearest_width(model, vocab_size, cfg.params_total))
        got = _total(model, vocab_size)
        off = got / cfg.params_total - 1
        if abs(off) > MOST_OFF:
            raise InputError(
                f"params_total: got {cfg.params_total:,}, but with {vocab_size:,} tokens and {model.n_head} heads the "
                f"nearest is {got:,} (n_embd={model.n_embd}), {off:+.1%}, expected within {MOST_OFF:.0%}; "
                "try fewer heads or another total"
            )
        log.info("n_embd=%d: %s parameters, %+.2f%% from params_total", model.n_embd, f"{got:,}", 100 * off)
    return dataclasses.replace(cfg, model=model, train=train)


def _sequences(batch_bytes: int, context_bytes: float) -> int:
    """How many contexts of so many bytes are nearest to `batch_bytes`.

    Raises InputError where none come within 20 %.
    """
    sequences = max(1, round(batch_bytes / context_bytes))
    if abs(sequences * context_bytes / batch_bytes - 1) > MOST_OFF_BATCH:
        raise InputError(
            f"train.batch_bytes: got {batch_bytes:,}, but a context is {context_bytes:,.0f} bytes of text, expected a "
            f"number of contexts that come within {MOST_OFF_BATCH:.0%}; give more bytes or a smaller model.block_size"
        )
    return sequences


def nearest_width(model: ModelConfig, vocab_size: int, params_total: int) -> int:
    """The n_embd, a multiple of n_head, whose total is nearest to `params_total`."""
    step = model.n_head * (2 if model.positions == "rope" else 1)  # rotary positions turn pairs of features

    def total(steps: int) -> int:  # grows with the width
        return _total(dataclasses.replace(model, n_embd=steps * step), vocab_size)

    high = 2
    while total(high) < params_total:
        high *= 2
    above = bisect_left(range(high), params_total, lo=1, key=total)
    return step * min((max(1, above - 1), above), key=lambda steps: abs(total(steps) - params_total))


def _total(model: ModelConfig, vocab_size: int) -> int:
    return parameter_split(GPTConfig.of(model, vocab_size)).params_total


def require_memory(config: GPTConfig, batch_size: int, grad_accum: int, device: torch.device) -> None:
    """Raise InputError where a training needs more memory than `device` has, before anything is allocated.

    `batch_size`: sequences of this process. What passes may still not fit, since it is the least that is counted.
    """
    needed, there = least_training_bytes(config, batch_size * config.block_size, grad_accum), total_memory(device)
    if needed > there:
        weights = least_training_bytes(config, 0)
        raise InputError(
            f"model of {parameter_split(config).params_total:,} parameters, {config.n_layer:,} layers of width "
            f"{config.n_embd:,}, with train.batch_size={batch_size:,}: its training needs at least {needed / 1e9:,.1f} "
            f"GB of memory ({weights / 1e9:,.1f} for the parameters), {device} has {there / 1e9:,.1f}; "
            "try a smaller model, params_total or train.batch_size, or a larger train.grad_accum"
        )
