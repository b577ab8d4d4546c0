"""The model that a run's settings and its tokenizer come to, where one of the two decides a size of the other.

Usually nothing is left to decide: the architecture is that of `conf/model/` for every tokenizer. Two other
comparisons fix something else instead, and then a size follows from the tokenizer:

    data.block_bytes   the context holds equally much text, so its length in tokens differs
    params_total       the model is equally large, so its width differs
"""

from __future__ import annotations

import dataclasses
import logging

from tokexp.config import InputError, ModelConfig, RunConfig
from tokexp.model.gpt import GPTConfig
from tokexp.model.sizes import parameter_split

log = logging.getLogger(__name__)

MOST_OFF = 0.02  # of params_total


def fill_in_sizes(cfg: RunConfig, vocab_size: int, bytes_per_token: float) -> RunConfig:
    """`cfg` with the sizes that it leaves to the tokenizer filled in.

    `bytes_per_token`: over the training part. Raises InputError where no width comes within 2 % of
    `params_total`.
    """
    model = cfg.model
    if cfg.data.block_bytes is not None:
        model = dataclasses.replace(model, block_size=max(1, round(cfg.data.block_bytes / bytes_per_token)))
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
    return dataclasses.replace(cfg, model=model)


def nearest_width(model: ModelConfig, vocab_size: int, params_total: int) -> int:
    """The n_embd, a multiple of n_head, whose total is nearest to `params_total`."""
    step = model.n_head * (2 if model.positions == "rope" else 1)  # rotary positions turn pairs of features
    low, high = 1, 2  # in steps; the total grows with the width
    while _total(dataclasses.replace(model, n_embd=high * step), vocab_size) < params_total:
        low, high = high, 2 * high
    widths = range(low * step, high * step + 1, step)
    return min(
        widths, key=lambda n_embd: abs(_total(dataclasses.replace(model, n_embd=n_embd), vocab_size) - params_total)
    )


def _total(model: ModelConfig, vocab_size: int) -> int:
    return parameter_split(GPTConfig.of(model, vocab_size)).params_total
