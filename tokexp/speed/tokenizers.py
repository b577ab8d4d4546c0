"""Times our BPE against other libraries."""

from __future__ import annotations

from collections.abc import Callable

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from tokexp.speed.in_turn import Contestants, time_in_turn
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.base import SPECIALS
from tokexp.tokenizer.bpe import BPETokenizer
from tokexp.tokenizer.split import PATTERNS


def hugging_face(text: str, vocab_size: int) -> tokenizers.Tokenizer:
    """The library's byte-level BPE, trained on `text` with our specials."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def bench_tokenizers(text: str, vocab_size: int, rounds: int) -> None:
    """Time our BPE, with fresh caches, against Hugging Face's and, for encoding, tiktoken with the same ranks."""
    time_in_turn(
        f"BPE training, {len(text.encode()) / 1e6:.1f} MB, vocabulary {vocab_size:,}",
        {
            "tokexp": lambda: lambda: train_tokenizer("bpe", text, vocab_size=vocab_size),
            "Hugging Face": lambda: lambda: hugging_face(text, vocab_size),
        },
        rounds,
    )
    trained = BPETokenizer.train(text, vocab_size=vocab_size)
    library = hugging_face(text, vocab_size).to_str()

    def encoders(text: str) -> Contestants:
        def ours() -> Callable[[], object]:
            fresh = BPETokenizer(trained.merges, trained.pattern)
            return lambda: fresh.encode(text)

        def theirs() -> Callable[[], object]:
            fresh = tokenizers.Tokenizer.from_str(library)
            return lambda: fresh.encode(text)

        return {"tokexp": ours, "Hugging Face": theirs, **tiktoken_of(trained, text)}

    time_in_turn("encoding it, cold", encoders(text), rounds)
    time_in_turn("encoding 'a' a million times", encoders("a" * 1_000_000), rounds)
    time_in_turn("encoding 1 MB of it without white space", encoders("".join(text.split())[:1_000_000]), rounds)


def tiktoken_of(trained: BPETokenizer, text: str) -> Contestants:
    """tiktoken with the ranks of `trained`, where it is installed."""
    try:
        import tiktoken
    except ImportError:
        return {}
    ranks = {piece: rank for rank, piece in enumerate(trained.token_bytes()[len(SPECIALS) :])}
    pattern = PATTERNS[trained.pattern][0]
    encoding = tiktoken.Encoding("tokexp", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return {"tiktoken": lambda: lambda: encoding.encode_ordinary(text)}
