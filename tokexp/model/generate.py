"""Samples from a model, with a cache of keys and values as long as the context fits.

Past `block_size` tokens every position moves, and with it every key: the window is then read anew
for each token, which is slow and exact. Where that is too slow there is an approximation: the older
half of a full window is forgotten, so that the context is between half a block and a block long.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from tokexp.config import InputError, SampleConfig
from tokexp.model.gpt import GPT, KVCache
from tokexp.system.meter import Meter
from tokexp.tokenizer.base import StreamingDecoder, Tokenizer


def generate(
    model: GPT,
    prompt_BT: Tensor,
    *,
    tokens: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    forbidden: Tensor | None = None,
    seed: int = 0,
    exact: bool = True,
) -> Iterator[Tensor]:
    """Draw `tokens` tokens (None: for as long as the caller asks) after each row of `prompt_BT`.

    Yields all tokens so far, prompt included, after each one: (B, T). temperature 0 is greedy.
    `forbidden`: ids that are never drawn, (N,). The same seed on the same device draws the same tokens.
    `exact`: past block_size tokens each one sees the block_size before it; otherwise at least half as many.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    T = model.config.block_size
    tokens_BT = prompt_BT.to(device)
    cache = KVCache(model.config, len(tokens_BT), next(model.parameters()))
    start = 0  # of what the cache holds
    was_training = model.training
    model.eval()
    try:
        for _ in itertools.count() if tokens is None else range(tokens):
            with torch.no_grad():
                if exact and tokens_BT.shape[1] > T:
                    logits_BV = model(tokens_BT[:, -T:])[:, -1].float()
                else:
                    if tokens_BT.shape[1] - start > T:
                        start = tokens_BT.shape[1] - (T + 1) // 2
                        cache.clear()
                    logits_BV = model(tokens_BT[:, start + cache.length :], cache)[:, -1].float()
                if forbidden is not None:
                    logits_BV[:, forbidden] = -torch.inf
                tokens_BT = torch.cat([tokens_BT, draw(logits_BV, temperature, top_k, top_p, generator)], dim=1)
            yield tokens_BT
    finally:  # also where nobody asks for more
        model.train(was_training)


def draw(
    logits_BV: Tensor, temperature: float, top_k: int | None, top_p: float | None, generator: torch.Generator
) -> Tensor:
    """One id a row, (B, 1). top_k keeps the k likeliest; top_p the fewest that reach that probability."""
    if temperature == 0:
        return logits_BV.argmax(dim=-1, keepdim=True)
    logits_BV = (logits_BV - logits_BV.amax(dim=-1, keepdim=True)) / temperature
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
    return "".join(stream_tokens(model, tokenizer, cfg, seed=seed))


def stream_tokens(model: GPT, tokenizer: Tokenizer, cfg: SampleConfig, *, seed: int) -> Iterator[str]:
    """The text of `cfg.tokens` new tokens after the prompt, bit by bit as it is drawn."""
    prompt = prompt_ids(tokenizer, cfg.prompt)
    decoder = StreamingDecoder(tokenizer)
    for i in prompt:
        decoder.feed(i)
    for tokens_BT in _generate(model, tokenizer, cfg, prompt, 1, seed, cfg.tokens, exact=True):
        yield decoder.feed(int(tokens_BT[0, -1]))
    yield decoder.finish()


def sample_chars(model: GPT, tokenizer: Tokenizer, cfg: SampleConfig, *, seed: int) -> list[str]:
    """`cfg.count` texts of `cfg.chars` characters each after the prompt: equal text, not equal tokens.

    They are drawn at once, with the approximation for what does not fit into the context.
    """
    if cfg.count == 0:
        return []
    prompt = prompt_ids(tokenizer, cfg.prompt)

    texts: list[str] = []
    steps = _generate(model, tokenizer, cfg, prompt, cfg.count, seed, None, exact=False)
    with Meter("drawing samples", cfg.chars) as meter:
        for n, tokens_BT in enumerate(steps, start=1):
            if n % 16 == 0:  # decoding is not free
                before = min(map(len, texts), default=0)
                texts = [continuation(tokenizer, prompt, row) for row in tokens_BT.tolist()]
                # More than `chars`, since a character at the very end may still be half written.
                if (shortest := min(map(len, texts))) > cfg.chars:
                    break
                meter.advance(shortest - before)
    return [text[: cfg.chars] for text in texts]


def prompt_ids(tokenizer: Tokenizer, prompt: str | None) -> list[int]:
    """The ids of `prompt`. Raises InputError where it has none."""
    if prompt is None:
        raise InputError("prompt: got none, expected the beginning of a text; give some words")
    ids = tokenizer.encode(prompt)
    if not ids:
        raise InputError(f"prompt: got {prompt!r}, which has no tokens of kind {tokenizer.kind!r}; give a word")
    return ids


def continuation(tokenizer: Tokenizer, prompt: list[int], ids: list[int]) -> str:
    """The text that `ids` add to that of `prompt`, with which they begin."""
    return tokenizer.decode(ids)[len(tokenizer.decode(prompt)) :]


def _generate(
    model: GPT,
    tokenizer: Tokenizer,
    cfg: SampleConfig,
    prompt: list[int],
    count: int,
    seed: int,
    tokens: int | None,
    *,
    exact: bool,
) -> Iterator[Tensor]:
    device = next(model.parameters()).device
    return generate(
        model,
        torch.tensor([prompt] * count),
        tokens=tokens,
        temperature=cfg.temperature,
        top_k=cfg.top_k,
        top_p=cfg.top_p,
        forbidden=torch.tensor(tokenizer.never_drawn(), dtype=torch.long, device=device),
        seed=seed,
        exact=exact,
    )
