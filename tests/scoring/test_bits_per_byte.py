"""Every held-out byte scored once, under any window; the blocks; the price of choosing a checkpoint."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.scoring.bits_per_byte import Score, score, token_nats
from tokexp.tokenizer import train_tokenizer

V, T = 13, 8


@pytest.fixture(scope="module")
def model() -> GPT:
    torch.manual_seed(1)
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=1, n_head=1, n_embd=8)).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def ids(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, V, n).astype(np.uint8)


def reference(model: GPT, context_id: int, ids: np.ndarray, overlap: int) -> list[float]:
    """One target at a time: each is predicted from its window's beginning up to it."""
    stream, nats, start = [context_id, *ids.tolist()], [], 0
    for i in range(len(ids)):
        if i - start == T:
            start = i - overlap
        logits = model(torch.tensor([stream[start : i + 1]]))[0, -1]
        nats.append(-F.log_softmax(logits, dim=-1)[stream[i + 1]].item())
    return nats


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 37])
@pytest.mark.parametrize("sliding", [False, True])
def test_each_target_once_with_the_context_of_its_window(model: GPT, n: int, sliding: bool) -> None:
    got = token_nats(model, 3, ids(n), sliding=sliding)
    assert got == pytest.approx(reference(model, 3, ids(n), T // 2 if sliding else 0), rel=1e-5)


def test_context_of_one_token_slides_too() -> None:
    tiny = GPT(GPTConfig(vocab_size=V, block_size=1, n_layer=1, n_head=1, n_embd=8))
    assert token_nats(tiny, 0, ids(5), sliding=True) == pytest.approx(token_nats(tiny, 0, ids(5)))


def test_dropout_is_off_and_the_model_stays_as_it_was(model: GPT) -> None:
    wet = GPT(dataclasses.replace(model.config, dropout=0.5)).double()
    wet.load_state_dict(model.state_dict())
    wet.train()
    assert token_nats(wet, 0, ids(20)) == pytest.approx(token_nats(model, 0, ids(20)))
    assert wet.training


def test_bits_per_byte_is_a_ratio_of_sums() -> None:
    got = Score(np.array([1.0, 2.0]), TokenStream(np.array([5, 6]), np.array([1, 2])))
    assert got.block_nats.nonzero()[0].tolist() == [0, 21], "by each token's first byte"
    assert got.bits_per_byte == pytest.approx(3 / (math.log(2) * 3))
    assert got.loss == 1.5


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_bytes_are_those_of_the_text_for_every_kind(text: str, kind: str) -> None:
    tokenizer = train_tokenizer(kind, text)
    stream = encode_stream(tokenizer, "Il était une fois…  THE king\n")
    assert stream.n_bytes == len("Il était une fois…  THE king\n".encode())
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, n_layer=1, n_head=1, n_embd=8))
    got = score(model, 5, stream)
    assert got.nats == pytest.approx(len(stream) * math.log(tokenizer.vocab_size), rel=0.05), "untrained: uniform"
