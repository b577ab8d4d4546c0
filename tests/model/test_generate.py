"""Sampling: the cache changes nothing, the filters keep what they say, lengths are as asked."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
import torch

from tokexp.config import InputError, SampleConfig
from tokexp.model.generate import draw, generate, prompt_ids, sample_chars, sample_tokens
from tokexp.model.gpt import GPT, GPTConfig, KVCache
from tokexp.tokenizer import Tokenizer, train_tokenizer
from tokexp.tokenizer.base import NO_UTF8, StreamingDecoder


def run(model: GPT, prompt: torch.Tensor, **settings: Any) -> torch.Tensor:
    """The tokens after the last draw."""
    *_, last = generate(model, prompt, **settings)
    return last


@pytest.fixture(scope="module")
def model() -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=16))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


@pytest.fixture(scope="module")
def bpe(text: str) -> Tokenizer:
    return train_tokenizer("bpe", text, vocab_size=300)


def test_greedy_equals_uncached_token_for_token(model: GPT) -> None:
    prompt = torch.tensor([[5, 6, 7], [9, 8, 7]])
    got = run(model, prompt, temperature=0, tokens=37)
    tokens = prompt
    while tokens.shape[1] < 40:
        tokens = torch.cat([tokens, model(tokens[:, -16:])[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(got, tokens)


def test_approximate_forgets_the_older_half_of_a_full_window(model: GPT) -> None:
    tokens = torch.tensor([[5, 6, 7], [9, 8, 7]])
    got = run(model, tokens, temperature=0, tokens=47, exact=False)
    start = 0
    while tokens.shape[1] < 50:
        if tokens.shape[1] - start == 17:
            start += 9
        tokens = torch.cat([tokens, model(tokens[:, start:])[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(got, tokens)


def test_dropout_is_off(model: GPT) -> None:
    """Also for a model that was at training, which stays so."""
    wet = GPT(dataclasses.replace(model.config, dropout=0.5))
    wet.load_state_dict(model.state_dict())
    wet.train()
    prompt = torch.tensor([[5, 6, 7]])
    assert torch.equal(run(wet, prompt, temperature=0, tokens=30), run(model, prompt, temperature=0, tokens=30))
    assert wet.training


def test_several_tokens_onto_a_cache_are_refused(model: GPT) -> None:
    """They would see what comes after them."""
    cache = KVCache(model.config, 1, next(model.parameters()))
    model(torch.tensor([[5, 6, 7]]), cache)
    with pytest.raises(ValueError, match="got 2 tokens after 3 in the cache"):
        model(torch.tensor([[8, 9]]), cache)


def test_prompt_longer_than_the_context(model: GPT) -> None:
    prompt = torch.arange(30)[None]
    got = run(model, prompt, temperature=0, tokens=1)
    assert got[0, -1] == model(prompt[:, -16:])[0, -1].argmax()


def test_same_seed_same_tokens_other_seed_others(model: GPT) -> None:
    def tokens(seed: int) -> list[int]:
        return run(model, torch.tensor([[1]]), seed=seed, tokens=29)[0].tolist()

    assert tokens(1) == tokens(1) != tokens(2)


def counts(top_k: int | None = None, top_p: float | None = None, temperature: float = 1.0) -> set[int]:
    logits = torch.tensor([0.4, 0.1, 0.3, 0.2]).log().expand(500, 4)
    generator = torch.Generator().manual_seed(0)
    return set(draw(logits, temperature, top_k, top_p, generator).flatten().tolist())


def test_filters_keep_what_they_say() -> None:
    assert counts() == {0, 1, 2, 3}
    assert counts(temperature=0) == {0}
    assert counts(top_k=2) == {0, 2}
    assert counts(top_k=99) == {0, 1, 2, 3}
    assert counts(top_p=0.4) == {0}
    assert counts(top_p=0.41) == {0, 2}
    assert counts(top_p=1.0) == {0, 1, 2, 3}


def test_forbidden_ids_are_never_drawn(model: GPT, bpe: Tokenizer) -> None:
    assert bpe.never_drawn()[:4] == [0, 1, 2, 3]
    assert {bpe.token_bytes()[i] for i in bpe.never_drawn()[4:]} == {bytes([byte]) for byte in NO_UTF8}
    banned = torch.arange(0, 290)
    got = run(model, torch.tensor([[295]]), forbidden=banned, tokens=49)
    assert (got[0] >= 290).all()


def test_equal_characters_are_equal(model: GPT, bpe: Tokenizer) -> None:
    texts = sample_chars(model, bpe, SampleConfig(prompt="the", count=3, chars=70), seed=0)
    assert [len(text) for text in texts] == [70, 70, 70]
    assert len(set(texts)) == 3


def test_prompt_is_left_out(model: GPT, bpe: Tokenizer) -> None:
    cfg = SampleConfig(prompt="the king", tokens=5, temperature=0)
    text = sample_tokens(model, bpe, cfg, seed=0)
    ids = prompt_ids(bpe, "the king")
    want = run(model, torch.tensor([ids]), temperature=0, forbidden=torch.tensor(bpe.never_drawn()), tokens=5)
    assert bpe.decode(want[0].tolist()) == "the king" + text


class Lossy:
    """A kind that loses something elsewhere, and whose tokens are bytes."""

    lossless = False

    def token_bytes(self) -> list[bytes]:
        return [bytes([i]) for i in range(256)]

    def decode(self, ids: list[int]) -> str:
        return bytes(ids).decode(errors="replace")


@pytest.mark.parametrize("text", ["né 😀!", "né \N{REPLACEMENT CHARACTER}"])
def test_a_lossy_kind_streams_whole_characters(text: str) -> None:
    for ids in (text.encode(), text.encode() + b"\xf0\x9f"):
        decoder = StreamingDecoder(cast(Tokenizer, Lossy()))
        shown = [decoder.feed(i) for i in ids]
        assert "\ufffd" not in "".join(shown[:-1]), "half a character is held back"
        assert "".join(shown) + decoder.finish() == Lossy().decode(list(ids))


def test_prompt_without_tokens_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="has no tokens"):
        prompt_ids(train_tokenizer("word", text), "   ")
