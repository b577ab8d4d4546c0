"""Marginal bits per byte: the estimate against every segmentation, one by one, and its error against its spread."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tokexp.encoding.encode import encode_stream
from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig, KVCache
from tokexp.scoring.bits_per_byte import token_nats
from tokexp.scoring.ngram import KneserNey
from tokexp.scoring.segmentations import proposal
from tokexp.scoring.segmentations.excerpts import Excerpt, choose_excerpts
from tokexp.scoring.segmentations.marginal import marginal
from tokexp.scoring.segmentations.proposal import weigh
from tokexp.tokenizer import Tokenizer, train_tokenizer

T = 16  # block size: excerpts of at most 8 bytes, 8 tokens of context
VAL = "what love is\nthe KING of thee, good lord!\nnot here and not thee shall love the king of what is\n"


def corpus(tokenizer: Tokenizer, train: str, val: str) -> TokenizedCorpus:
    train_stream = encode_stream(tokenizer, train)
    return TokenizedCorpus(train_stream, train_stream, encode_stream(tokenizer, val))


def uneven_model(vocab_size: int) -> GPT:
    """Random weights large enough that contexts matter and some tokens are much likelier than others."""
    torch.manual_seed(2)
    model = GPT(GPTConfig(vocab_size=vocab_size, block_size=T, n_layer=2, n_head=2, n_embd=16, dropout=0.3))
    for parameter in model.parameters():
        if parameter.dim() == 2:
            nn.init.normal_(parameter, std=0.4)
    return model.eval()


@pytest.fixture(scope="module")
def bpe(text: str) -> Tokenizer:
    return train_tokenizer("bpe", text, vocab_size=300)


@pytest.fixture(scope="module")
def model(bpe: Tokenizer) -> GPT:
    return uneven_model(bpe.vocab_size)


@pytest.fixture(scope="module")
def data(bpe: Tokenizer, text: str) -> TokenizedCorpus:
    return corpus(bpe, text, VAL)


def segmentations(text: bytes, written: list[bytes]) -> Iterator[list[int]]:
    if not text:
        yield []
    for i, piece in enumerate(written):
        if piece and text.startswith(piece):
            yield from ([i, *rest] for rest in segmentations(text[len(piece) :], written))


def log_p(model: nn.Module, context: list[int], ids: list[int]) -> float:
    """ln P(ids | context), by a pass over all of it without a cache."""
    with torch.no_grad():
        logits = model(torch.tensor([context + ids[:-1]]))[0, len(context) - 1 :]
    return float(logits.double().log_softmax(dim=-1)[range(len(ids)), ids].sum())


def exact(model: nn.Module, tokenizer: Tokenizer, data: TokenizedCorpus, excerpt: Excerpt) -> tuple[float, float]:
    """ln P of the canonical segmentation of an excerpt, and of all; its place in the stream is searched for."""
    stream = [data.context_id, *data.val.ids.tolist()]
    ids, size = excerpt.ids.tolist(), len(excerpt.ids)
    first = next(i for i in range(1, len(stream)) if stream[i : i + size] == ids and _follows(stream, i, excerpt))
    context = stream[max(0, first - T // 2) : first]
    written = tokenizer.token_bytes()
    text = b"".join(written[i] for i in ids)
    every = [log_p(model, context, cut) for cut in segmentations(text, written)]
    assert len(every) == excerpt.segmentations
    return log_p(model, context, ids), float(np.logaddexp.reduce(every))


def _follows(stream: list[int], i: int, excerpt: Excerpt) -> bool:
    return stream[i - 1] == excerpt.context[-1]


def bigrams(vocab_size: int) -> KneserNey:
    """All ids about equally likely, as random weights have it; the mean weight is right under any."""
    return KneserNey(np.random.default_rng(0).integers(0, vocab_size, 20_000), 2, vocab_size)


def check_unbiased(model: GPT, tokenizer: Tokenizer, data: TokenizedCorpus, text: str, samples: int) -> None:
    """Of each excerpt, the mean weight is what the other segmentations have, within four standard errors."""
    chosen = choose_excerpts(tokenizer, data, text.encode(), T, 8)
    assert chosen
    assert len(chosen[0].context) == 1
    got_log_p, log_weights = weigh(model, chosen, bigrams(tokenizer.vocab_size), samples, seed=1)
    precise = 0
    for excerpt, canonical, weights in zip(chosen, got_log_p, np.exp(log_weights), strict=True):
        log_c, log_all = exact(model, tokenizer, data, excerpt)
        assert canonical == pytest.approx(log_c, abs=1e-4)
        others = math.exp(log_all) - math.exp(log_c)
        error = weights.std(ddof=1) / math.sqrt(samples)
        assert abs(weights.mean() - others) <= 4 * error + 1e-4 * others
        precise += error < 0.05 * others
    assert precise >= len(chosen) - 2, "the check can tell"


def test_the_mean_weight_is_the_probability_of_all_other_segmentations(
    model: GPT, bpe: Tokenizer, data: TokenizedCorpus
) -> None:
    check_unbiased(model, bpe, data, VAL, samples=3000)


def test_so_it_is_in_small_groups(
    model: GPT, bpe: Tokenizer, data: TokenizedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal, "FLOATS_AT_ONCE", 500_000)  # some 400 rows
    check_unbiased(model, bpe, data, VAL, samples=900)


def test_so_it_is_where_ids_share_their_bytes(text: str) -> None:
    """A character of the alphabet is also a byte, and é only bytes."""
    fallback = train_tokenizer("bpe_fallback", text, vocab_size=330)
    assert len(set(fallback.token_bytes())) < fallback.vocab_size - 10
    val = VAL.replace("good lord", "gé lord")
    check_unbiased(uneven_model(fallback.vocab_size), fallback, corpus(fallback, text, val), val, samples=3000)


def test_the_estimate_is_the_exact_ratio_of_sums(model: GPT, bpe: Tokenizer, data: TokenizedCorpus) -> None:
    chosen = choose_excerpts(bpe, data, VAL.encode(), T, 8)
    assert chosen
    both = np.array([exact(model, bpe, data, excerpt) for excerpt in chosen]).sum(axis=0)
    n_bytes = sum(excerpt.n_bytes for excerpt in chosen)
    canonical, every = -both / math.log(2) / n_bytes
    got = marginal(model, bpe, data, VAL.encode(), excerpts=8, samples=3000)
    assert got is not None
    assert got.n_bytes == n_bytes
    assert got.canonical_bpb == pytest.approx(canonical, rel=1e-5)
    assert got.marginal_bpb == pytest.approx(every, abs=0.02 * (canonical - every))
    assert got.gain_bpb == pytest.approx(got.canonical_bpb - got.marginal_bpb)


def test_canonical_cost_is_that_of_the_evaluation(model: GPT, bpe: Tokenizer, data: TokenizedCorpus) -> None:
    """The first window of the evaluation has the excerpt at its beginning, and all excerpts with its context."""
    chosen = choose_excerpts(bpe, data, VAL.encode(), T, 8)
    assert chosen
    costs, _ = weigh(model, chosen, bigrams(bpe.vocab_size), 1, seed=0)
    for excerpt, cost in zip(chosen, costs, strict=True):
        window = np.concatenate([excerpt.context[1:], excerpt.ids])
        nats = token_nats(model, int(excerpt.context[0]), window)
        assert -cost == pytest.approx(nats[len(excerpt.context) - 1 :].sum(), rel=1e-5)


def test_the_same_seed_gives_the_same_figures(model: GPT, bpe: Tokenizer, data: TokenizedCorpus) -> None:
    model.train()
    once = marginal(model, bpe, data, VAL.encode(), samples=4, seed=3)
    assert model.training, "left as it was"
    model.eval()
    assert once == marginal(model, bpe, data, VAL.encode(), samples=4, seed=3)
    assert once != marginal(model, bpe, data, VAL.encode(), samples=4, seed=4)
    assert not model.training


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("byte", {}), ("char", {}), ("word", {}), ("hf_unigram", {"vocab_size": 200}), ("bpe", {"vocab_size": 260})],
)
def test_none_where_there_is_no_choice_or_not_the_text(text: str, kind: str, settings: dict[str, Any]) -> None:
    tokenizer = train_tokenizer(kind, text, **settings)
    got = marginal(uneven_model(tokenizer.vocab_size), tokenizer, corpus(tokenizer, text, VAL), VAL.encode())
    assert got is None


def test_none_for_a_text_of_one_excerpt(model: GPT, bpe: Tokenizer, text: str) -> None:
    assert marginal(model, bpe, corpus(bpe, text, "the king"), b"the king") is None
    assert marginal(model, bpe, corpus(bpe, text, "the"), b"the") is None


def test_another_text_and_too_few_draws_are_refused(model: GPT, bpe: Tokenizer, data: TokenizedCorpus) -> None:
    with pytest.raises(ValueError, match="that were encoded"):
        marginal(model, bpe, data, b"another")
    with pytest.raises(ValueError, match="at least 2 and 1"):
        marginal(model, bpe, data, VAL.encode(), samples=0)


class Greedy(Tokenizer):
    """The longest of some pieces at each place."""

    kind: ClassVar[str] = "greedy"
    lossless = True

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def encode(self, text: str) -> list[int]:
        raw, ids, at = text.encode(), [], 0
        while at < len(raw):
            fitting = [i for i, piece in enumerate(self._pieces) if raw.startswith(piece, at)]
            ids.append(max(fitting, key=lambda i: len(self._pieces[i])))
            at += len(self._pieces[ids[-1]])
        return ids

    def token_bytes(self) -> list[bytes]:
        return self._pieces


class Fixed(nn.Module):
    """P of each token given the one before it, from a table (V, V)."""

    def __init__(self, table: np.ndarray, block_size: int) -> None:
        super().__init__()
        self.config = GPTConfig(vocab_size=len(table), block_size=block_size, n_layer=1, n_head=1, n_embd=1)
        self.table = nn.Parameter(torch.from_numpy(table).log().float())

    def forward(self, idx_BT: Tensor, cache: KVCache | None = None) -> Tensor:
        if cache:
            cache.advance(idx_BT.shape[1])
            assert cache.length <= self.config.block_size
        return self.table[idx_BT]


def test_by_hand() -> None:
    """P(a) = 0.6, P(aa) = 0.4: an excerpt aa costs 0.4 in one token, and 0.6 * 0.6 in the other two."""
    tokenizer, text = Greedy(b"a", b"aa"), "a" * 40
    model: Any = Fixed(np.array([[0.6, 0.4]] * 2), block_size=4)
    got = marginal(model, tokenizer, corpus(tokenizer, text, text), text.encode(), samples=1)
    assert got is not None
    assert got.n_bytes == 40
    assert got.canonical_bpb == pytest.approx(-math.log2(0.4) / 2)
    assert got.marginal_bpb == pytest.approx(-math.log2(0.76) / 2)
    assert got.gain_error == pytest.approx(0, abs=1e-6)


def test_dead_ends_are_not_drawn() -> None:
    """abc is also a bc; ab begins it too, but no token goes on from there."""
    tokenizer, text = Greedy(b"abc", b"ab", b"a", b"bc"), "abc" * 20
    model: Any = Fixed(np.array([[0.4, 0.3, 0.2, 0.1]] * 4), block_size=6)
    got = marginal(model, tokenizer, corpus(tokenizer, text, text), text.encode(), samples=2)
    assert got is not None
    assert got.gain_bpb == pytest.approx(math.log2(0.42 / 0.4) / 3)


class Pair:
    """Letters a and b in pieces that overlap, under a model that remembers one token and knows its training part."""

    tokenizer = Greedy(b"a", b"b", b"ab", b"ba", b"aab", b"bb")

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        table = rng.dirichlet([3.0] * 6, size=6)
        self.model: Any = Fixed(table, T)
        ids = [0]
        for u in rng.random(5000):
            ids.append(min(5, int(np.searchsorted(table[ids[-1]].cumsum(), u))))
        self._train = TokenStream.of_starts(np.array(ids, dtype=np.uint8), np.arange(len(ids) + 1))

    def text(self, length: int, seed: int) -> str:
        return "".join(np.random.default_rng(seed).choice(["a", "b"], length, p=[0.6, 0.4]))

    def corpus(self, text: str) -> TokenizedCorpus:
        return TokenizedCorpus(self._train, self._train, encode_stream(self.tokenizer, text))

    def marginal(self, text: str, excerpts: int, samples: int, seed: int) -> tuple[float, float]:
        data = self.corpus(text)
        got = marginal(self.model, self.tokenizer, data, text.encode(), excerpts=excerpts, samples=samples, seed=seed)
        assert got is not None
        return got.gain_bpb, got.gain_error

    def gain(self, excerpt: Excerpt) -> float:
        """log2 of P(all) / P(canonical), all by adding up from the end."""
        table = self.model.table.detach().double().exp().numpy()
        after: list[np.ndarray] = [np.ones(6)]  # of the rest, by the token before
        for here in reversed(excerpt.matches):
            size = len(after)
            ends = len(excerpt.matches)
            after.append(sum(table[:, i] * after[ends - end][i] for i, end in here))  # type: ignore[arg-type]
            assert len(after) == size + 1
        before = int(excerpt.context[-1])
        path = itertools.pairwise([before, *excerpt.ids.tolist()])
        return math.log2(after[-1][before] / math.prod(table[a, b] for a, b in path))


def test_the_error_covers_the_truth_at_about_its_rate() -> None:
    """Over texts: the truth is the exact gain of a hundred times as many excerpts."""
    pair = Pair()
    long = pair.text(40_000, 2)
    chosen = choose_excerpts(pair.tokenizer, pair.corpus(long), long.encode(), T, 4000)
    assert chosen
    truth = sum(map(pair.gain, chosen)) / sum(excerpt.n_bytes for excerpt in chosen)
    got = [pair.marginal(pair.text(1500, 100 + seed), 40, 64, seed) for seed in range(200)]
    off = np.array([abs(gain - truth) / error for gain, error in got])
    assert 0.55 < (off < 1).mean() < 0.80
    assert (off < 2).mean() > 0.88


def test_the_error_knows_the_noise_of_the_draws() -> None:
    """All excerpts alike: what is left is the noise of the draws, which other seeds show."""
    pair = Pair()
    got = [pair.marginal("aabababb" * 120, 60, 2, seed) for seed in range(100)]
    gains, errors = np.array(got).T
    assert gains.std() == pytest.approx(errors.mean(), rel=0.25)
