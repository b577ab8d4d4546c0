"""Sampling from a model, with a cache of keys and values as long as the context fits.

Past `block_size` tokens every position moves, and with it every key: the window is then read anew
for each token, which is slower and exact.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tokexp.config import InputError, SampleConfig
from tokexp.model import GPT, KVCache
from tokexp.tokenizer.base import Tokenizer


@torch.no_grad()
def generate(
    model: GPT,
    prompt_BT: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    forbidden: Tensor | None = None,
    seed: int = 0,
    done: Callable[[Tensor], bool],
) -> Tensor:
    """Append tokens to each row of `prompt_BT` until `done(tokens so far (B, T))`; returns them all.

    temperature 0 is greedy. `forbidden`: ids that are never drawn, (N,). The same seed on the
    same device draws the same tokens.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    T = model.config.block_size
    tokens_BT = prompt_BT.to(device)
    cache = KVCache(model.config, len(tokens_BT), next(model.parameters()))
    was_training = model.training
    model.eval()
    while not done(tokens_BT):
        if tokens_BT.shape[1] <= T:
            logits_BV = model(tokens_BT[:, cache.length :], cache)[:, -1]
        else:
            logits_BV = model(tokens_BT[:, -T:])[:, -1]
        logits_BV = logits_BV.float()
        if forbidden is not None:
            logits_BV[:, forbidden] = -torch.inf
        tokens_BT = torch.cat([tokens_BT, draw(logits_BV, temperature, top_k, top_p, generator)], dim=1)
    model.train(was_training)
    return tokens_BT


def draw(
    logits_BV: Tensor, temperature: float, top_k: int | None, top_p: float | None, generator: torch.Generator
) -> Tensor:
    """One id a row, (B, 1). top_k keeps the k likeliest; top_p the fewest that reach that probability."""
    if temperature == 0:
        return logits_BV.argmax(dim=-1, keepdim=True)
    logits_BV = logits_BV / temperature
    if top_k is not None and top_k < logits_BV.shape[-1]:
        kth = logits_BV.topk(top_k).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < kth, -torch.inf)
    if top_p is not None and top_p < 1:
        sorted_BV, order = logits_BV.softmax(dim=-1).sort(dim=-1, descending=True)
        beyond = sorted_BV.cumsum(dim=-1) - sorted_BV >= top_p  # reached before this id
        logits_BV = logits_BV.masked_fill(beyond.gather(1, order.argsort(dim=-1)), -torch.inf)
    return torch.multinomial(logits_BV.softmax(dim=-1), 1, generator=generator)


def sample_tokens(model: GPT, tokenizer: Tokenizer, cfg: SampleConfig, *, seed: int) -> str:
    """The text of `cfg.tokens` new tokens after the prompt, the prompt left out."""
    prompt = prompt_ids(tokenizer, cfg.prompt)
    ids = _generate(model, tokenizer, cfg, prompt, 1, seed, lambda t: t.shape[1] >= len(prompt) + cfg.tokens)
    return continuation(tokenizer, prompt, ids[0])


def sample_chars(model: GPT, tokenizer: Tokenizer, cfg: SampleConfig, *, seed: int) -> list[str]:
    """`cfg.count` texts of `cfg.chars` characters each after the prompt: equal text, not equal tokens."""
    if cfg.count == 0:
        return []
    prompt = prompt_ids(tokenizer, cfg.prompt)

    def long_enough(tokens_BT: Tensor) -> bool:
        if (tokens_BT.shape[1] - len(prompt)) % 16:  # decoding is not free
            return False
        # One more than asked for, since a character at the very end may still be half written.
        return all(len(continuation(tokenizer, prompt, row)) > cfg.chars for row in tokens_BT.tolist())

    rows = _generate(model, tokenizer, cfg, prompt, cfg.count, seed, long_enough)
    return [continuation(tokenizer, prompt, row)[: cfg.chars] for row in rows]


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    ids = tokenizer.encode(prompt)
    if not ids:
        raise InputError(f"prompt: got {prompt!r}, which has no tokens of kind {tokenizer.kind!r}; give a word")
    return ids


def continuation(tokenizer: Tokenizer, prompt: list[int], ids: list[int]) -> str:
    """What `ids` add to the text of `prompt`, with which they begin."""
    return tokenizer.decode(ids)[len(tokenizer.decode(prompt)) :]


def _generate(
    model: GPT,
    tokenizer: Tokenizer,
    cfg: SampleConfig,
    prompt: list[int],
    count: int,
    seed: int,
    done: Callable[[Tensor], bool],
) -> list[list[int]]:
    device = next(model.parameters()).device
    rows: list[list[int]] = generate(
        model,
        torch.tensor([prompt] * count),
        temperature=cfg.temperature,
        top_k=cfg.top_k,
        top_p=cfg.top_p,
        forbidden=torch.tensor(tokenizer.never_drawn(), device=device),
        seed=seed,
        done=done,
    ).tolist()
    return rows
