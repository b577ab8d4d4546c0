"""The one GPT that every tokenizer feeds: GPT-2's architecture, under nanoGPT's names.

Pre-LN blocks, learned positions, GELU (tanh), biases in the body and none in the head, untied
unless asked. What people vary next is chosen when the model is made: RMSNorm, rotary positions,
fewer heads for keys and values. Shape suffixes: B batch, T time, C n_embd, H heads, G heads for keys and
values, D C // H, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tokexp.config import InputError, ModelConfig


@dataclass(frozen=True)
class GPTConfig(ModelConfig):
    """A model's settings with the vocabulary, which the tokenizer decides."""

    vocab_size: int = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vocab_size < 1:
            raise InputError(f"model.vocab_size: got {self.vocab_size}, expected at least 1")

    @classmethod
    def of(cls, model: ModelConfig, vocab_size: int) -> Self:
        return cls(**dataclasses.asdict(model), vocab_size=vocab_size)

    @property
    def kv_heads(self) -> int:
        return self.n_kv_head or self.n_head


class KVCache:
    """Keys and values of the tokens read so far: two (B, G, block_size, D) tensors a layer."""

    def __init__(self, config: GPTConfig, batch: int, like: Tensor) -> None:
        shape = (batch, config.kv_heads, config.block_size, config.n_embd // config.n_head)
        self.layers = [(like.new_empty(shape), like.new_empty(shape)) for _ in range(config.n_layer)]
        self.length = 0  # tokens held

    def advance(self, tokens: int) -> None:
        """Count as held what was written behind the tokens held so far."""
        self.length += tokens

    def clear(self) -> None:
        """Hold nothing."""
        self.length = 0

    def copy(self, source: KVCache, rows: Tensor, tokens: int) -> None:
        """Hold the first `tokens` of each of the `rows` (batch,) of `source`, which may repeat."""
        for (keys, values), (source_keys, source_values) in zip(self.layers, source.layers, strict=True):
            keys[:, :, :tokens] = source_keys[rows, :, :tokens]
            values[:, :, :tokens] = source_values[rows, :, :tokens]
        self.length = tokens


NORMS = {"layernorm": nn.LayerNorm, "rmsnorm": nn.RMSNorm}


class Rotary(nn.Module):
    """Turns each pair of features (i, i + D/2) by its position times 10,000^(-2i/D)."""

    cos_TD: Tensor
    sin_TD: Tensor

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        half = config.n_embd // config.n_head // 2
        angles_TD = torch.outer(torch.arange(config.block_size), 10_000.0 ** (-torch.arange(half) / half)).repeat(1, 2)
        self.register_buffer("cos_TD", angles_TD.cos(), persistent=False)
        self.register_buffer("sin_TD", angles_TD.sin(), persistent=False)

    def forward(self, x_BHTD: Tensor, past: int) -> Tensor:
        here = slice(past, past + x_BHTD.shape[2])
        first, second = x_BHTD.chunk(2, dim=-1)
        turned_BHTD = torch.cat([-second, first], dim=-1)
        return (x_BHTD * self.cos_TD[here] + turned_BHTD * self.sin_TD[here]).to(x_BHTD.dtype)


class Unturned(nn.Module):
    """In the place of Rotary where positions are learned."""

    def forward(self, x_BHTD: Tensor, past: int) -> Tensor:
        return x_BHTD


class NoPositions(nn.Module):
    """In the place of the position embedding where positions are rotary."""

    def forward(self, positions_T: Tensor) -> Tensor:
        return torch.zeros((), device=positions_T.device)


class CausalSelfAttention(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.kv_heads = config.n_head, config.kv_heads
        self.dropout = config.dropout
        self.widths = [heads * (config.n_embd // config.n_head) for heads in (self.n_head, *[self.kv_heads] * 2)]
        self.c_attn = nn.Linear(config.n_embd, sum(self.widths))
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.turn = Rotary(config) if config.positions == "rope" else Unturned()

    def forward(self, x_BTC: Tensor, cache: tuple[Tensor, Tensor] | None = None, past: int = 0) -> Tensor:
        B, T, C = x_BTC.shape
        q_BHTD, k_BGTD, v_BGTD = (
            z.view(B, T, -1, C // self.n_head).transpose(1, 2) for z in self.c_attn(x_BTC).split(self.widths, dim=2)
        )
        q_BHTD, k_BGTD = self.turn(q_BHTD, past), self.turn(k_BGTD, past)
        if cache is not None:
            keys, values = cache
            keys[:, :, past : past + T] = k_BGTD
            values[:, :, past : past + T] = v_BGTD
            k_BGTD, v_BGTD = keys[:, :, : past + T], values[:, :, : past + T]
        # One new token sees all that is cached; several at once are only read into an empty cache.
        y_BHTD = F.scaled_dot_product_attention(
            q_BHTD,
            k_BGTD,
            v_BGTD,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=T > 1,
            enable_gqa=self.kv_heads != self.n_head,
        )
        return self.c_proj(y_BHTD.transpose(1, 2).reshape(B, T, C))


class MLP(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd)

    def forward(self, x_BTC: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x_BTC), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = NORMS[config.norm](config.n_embd)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = NORMS[config.norm](config.n_embd)
        self.mlp = MLP(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x_BTC: Tensor, cache: tuple[Tensor, Tensor] | None = None, past: int = 0) -> Tensor:
        x_BTC = x_BTC + self.drop(self.attn(self.ln_1(x_BTC), cache, past))
        return x_BTC + self.drop(self.mlp(self.ln_2(x_BTC)))


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        rope = config.positions == "rope"
        self.wpe = NoPositions() if rope else nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = NORMS[config.norm](config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self._init_weights()
        if config.tie_weights:
            self.lm_head.weight = self.wte.weight

    def _init_weights(self) -> None:
        """GPT-2's: normal(0, 0.02), zero biases, and 1/sqrt(2 n_layer) on what is added to the residual."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                shrink = math.sqrt(2 * self.config.n_layer) if name.endswith("c_proj.weight") else 1
                nn.init.normal_(parameter, std=0.02 / shrink)

    def forward(self, idx_BT: Tensor, cache: KVCache | None = None) -> Tensor:
        """Logits (B, T, V) at every position.

        With a cache, `idx_BT` is what follows the tokens it holds: one, or into an empty cache any number. Raises
        ValueError for others, and for more than block_size.
        """
        return self.lm_head(self.hidden(idx_BT, cache))

    def hidden(self, idx_BT: Tensor, cache: KVCache | None = None) -> Tensor:
        """The last hidden states (B, T, C), which the LM head reads; a loss that never holds all logits needs them."""
        past = cache.length if cache else 0
        T = idx_BT.shape[1]
        if past + T > self.config.block_size:
            raise ValueError(f"got {past + T} tokens, expected at most block_size={self.config.block_size}")
        if past and T > 1:
            raise ValueError(f"got {T} tokens after {past} in the cache, expected one at a time after the first ones")
        positions = torch.arange(past, past + T, device=idx_BT.device)
        x_BTC = self.drop(self.wte(idx_BT) + self.wpe(positions))
        for i, block in enumerate(self.h):
            x_BTC = block(x_BTC, cache.layers[i] if cache else None, past)
        if cache:
            cache.advance(T)
        return self.ln_f(x_BTC)
