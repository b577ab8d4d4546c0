"""Byte accounting that survives sabotage: bugs that have been published as results, planted one by one.

Each is a tokenizer that counts wrongly or lies about what it loses, put in the place of an honest kind
and run from end to end. It must be refused before training starts, or be unable to move a figure.
The sliding window's bugs have no tokenizer to sit in: they are planted in the evaluation itself, which
refuses them as soon as it scores a text.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpora import corpus_of

import tokexp.stages.prepare
from tokexp.config import (
    BudgetConfig,
    DataConfig,
    ModelConfig,
    RunConfig,
    SampleConfig,
    TokenizerConfig,
    TrackingConfig,
    TrainConfig,
)
from tokexp.data.corpus import Corpus
from tokexp.data.part import Part
from tokexp.encoding.encode import encode_part, encode_stream, write_stream
from tokexp.encoding.prepare import prepare
from tokexp.encoding.stream import TokenStream
from tokexp.experiment import run_experiment
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.scoring import bits_per_byte
from tokexp.scoring.bits_per_byte import Window, score, token_nats
from tokexp.scoring.blocks import by_block
from tokexp.scoring.evaluator import Evaluator
from tokexp.scoring.restoration import RestorationModel, restoration_cost
from tokexp.scoring.target import make_targets
from tokexp.system import places
from tokexp.tokenizer import KINDS, Tokenizer, train_tokenizer
from tokexp.tokenizer.base import UNK, Span, spans_of_lengths
from tokexp.tokenizer.bpe import BPETokenizer
from tokexp.tokenizer.bpe_classic import WORD_OR_NEWLINE, BPEClassicTokenizer
from tokexp.tokenizer.byte import ByteTokenizer
from tokexp.tokenizer.char import CharTokenizer
from tokexp.tokenizer.foreign.hf import HFBPETokenizer, HFWordPieceTokenizer
from tokexp.tokenizer.foreign.sp import SentencePieceBPETokenizer
from tokexp.tokenizer.word import TOKEN, WordTokenizer
from tokexp.tokenizer.word_cased import WordCasedTokenizer

AWKWARD = "Déjà  vu, naïve cafe\u0301s\r\nﬁn: ½ of 日本語 ▁ Ġ 👩‍👩‍👧 THE KING's  \n"


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a saboteur made is kept for an honest kind."""
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")


@pytest.fixture(scope="session")
def plain(text: str) -> Corpus:
    """A text that is awkward in both of its parts."""
    return corpus_of(text[:6000] + AWKWARD + text[6000:-500], text[-500:] + 3 * AWKWARD)


# Bugs of counting: the ids are right, the bytes that each stands for are not.


class LengthOfDecoded(BPETokenizer):
    """A part of a character decodes to U+FFFD: 3 bytes in place of 1."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids = self.encode(text)
        return ids, spans_of_lengths([len(self.decode([i]).encode()) for i in ids])


class BytesOfDecoded(BPETokenizer):
    """The same bug in the table of what tokens write."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        honest = BPETokenizer(self.merges, self.pattern)
        return honest.encode_with_spans(text)

    def decode(self, ids: list[int]) -> str:
        return b"".join(BPETokenizer.token_bytes(self)[i] for i in ids).decode()

    def token_bytes(self) -> list[bytes]:
        return [piece.decode("utf-8", "replace").encode() for piece in super().token_bytes()]


class NoSpacePiece(SentencePieceBPETokenizer):
    """The piece of a space, and the space before a word, counted as nothing."""

    def token_bytes(self) -> list[bytes]:
        return [piece.replace(b" ", b"") for piece in super().token_bytes()]


class FallbackAsSpelled(SentencePieceBPETokenizer):
    """<0xE4> counted as the six characters of its name."""

    def token_bytes(self) -> list[bytes]:
        names = [self._library.id_to_piece(i).encode() for i in range(self.vocab_size)]
        return [names[i] if self._library.is_byte(i) else piece for i, piece in enumerate(super().token_bytes())]

    @property
    def vocab_size(self) -> int:
        return len(self._bytes)


class SpaceMarkerCounted(SentencePieceBPETokenizer):
    """▁ counted as its own 3 bytes."""

    def token_bytes(self) -> list[bytes]:
        return [piece.replace(b" ", "▁".encode()) for piece in super().token_bytes()]


class ByteMarkerCounted(HFBPETokenizer):
    """Ġ, and every other stand-in for a byte, counted as the 2 bytes of the stand-in."""

    def token_bytes(self) -> list[bytes]:
        return [b""] * 4 + [piece.encode() for piece in self.shown]

    def decode(self, ids: list[int]) -> str:
        return b"".join(HFBPETokenizer.token_bytes(self)[i] for i in ids).decode()


class EndMarkerCounted(BPEClassicTokenizer):
    """</w> counted as bytes of the word that it ends."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids = self.encode(text)
        gaps = len(text.encode()) - sum(len(word.encode()) for word in WORD_OR_NEWLINE.findall(text))
        lengths = [len(self._written[i].encode()) for i in ids]
        return ids, spans_of_lengths([lengths[0] + gaps, *lengths[1:]])


class SpacesTwice(WordTokenizer):
    """The white space before a word counted with the word, and again as what lies between."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        lengths, end = [], 0
        for match in TOKEN.finditer(text):
            lengths.append(len(text[end : match.end()].encode()) + len(text[end : match.start()].encode()))
            end = match.end()
        return self.encode(text), spans_of_lengths(lengths)


class SpacesTwiceCased(WordCasedTokenizer):
    """The same in a lossless kind."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids, written = self.encode(text), self.token_bytes()
        return ids, spans_of_lengths([len(written[i]) + written[i].startswith(b" ") for i in ids])


class UnknownAsNothing(CharTokenizer):
    """UNK stands for no bytes, so that what was hard to predict is not divided by."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        return Tokenizer.encode_with_spans(self, text)


class Characters(HFWordPieceTokenizer):
    """The library's offsets are characters; here they pass for bytes."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        encoding = self._library.encode(text, add_special_tokens=False)
        ends = [end for _, end in encoding.offsets[:-1]] + [len(text)]
        return self._our_ids(encoding.ids), list(zip([0, *ends[:-1]], ends, strict=True))


class DecodedText(WordTokenizer):
    """Divides by the bytes of what decoding gives back, UNK's name included."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids = self.encode(text)
        ends = [len(self.decode(ids[: n + 1]).encode()) for n in range(len(ids))]
        return ids, list(zip([0, *ends[:-1]], ends, strict=True))


def edges(change: Callable[[np.ndarray], Any]) -> type[Tokenizer]:
    """A lossless kind whose spans (tokens, 2) are changed before anyone sees them."""

    class WrongSpans(BPETokenizer):
        def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
            ids, spans = super().encode_with_spans(text)
            changed = np.array(spans)
            changed = changed if (new := change(changed)) is None else new
            return ids, [(int(start), int(end)) for start, end in changed]

    return WrongSpans


def overlap(spans: np.ndarray) -> None:
    spans[5, 0] -= 1


def gap(spans: np.ndarray) -> None:
    spans[5, 0] += 1


def past_the_end(spans: np.ndarray) -> None:
    spans[-1, 1] += 1


def short_of_the_end(spans: np.ndarray) -> None:
    spans[-1, 1] -= 1


def late(spans: np.ndarray) -> None:
    spans[0, 0] += 1


def backwards(spans: np.ndarray) -> None:
    """Each begins where the one before ends, and one of them ends before it begins."""
    spans[5, 1] = spans[6, 0] = spans[5, 0] - 1


def shifted(spans: np.ndarray) -> None:
    """Every inner edge one byte late: the spans tile the text, and each is off by one."""
    spans[:-1, 1] += 1
    spans[1:, 0] += 1


def all_shifted(spans: np.ndarray) -> None:
    spans += 1


def one_missing(spans: np.ndarray) -> np.ndarray:
    """One span for two tokens."""
    return np.concatenate([spans[:3], [[spans[3, 0], spans[4, 1]]], spans[5:]])


MISCOUNTS: dict[str, tuple[str, type[Tokenizer], str]] = {
    "length of the decoded token": ("bpe", LengthOfDecoded, r"end at byte \d+, expected the text's end at"),
    "bytes of the decoded token": ("bpe", BytesOfDecoded, r"got b'.*\\xef\\xbf\\xbd', expected b'"),
    "space piece missing": ("sp_bpe", NoSpacePiece, "expected the text's end"),
    "byte fallback as spelled": ("sp_bpe", FallbackAsSpelled, "expected the text's end"),
    "▁ counted": ("sp_bpe", SpaceMarkerCounted, "expected the text's end"),
    "Ġ counted": ("hf_bpe", ByteMarkerCounted, "expected the text's end"),
    "</w> counted": ("bpe_classic", EndMarkerCounted, "expected the text's end"),
    "spaces twice": ("word", SpacesTwice, "expected the text's end"),
    "spaces twice, lossless": ("word_cased", SpacesTwiceCased, "expected the text's end"),
    "UNK as nothing": ("char", UnknownAsNothing, "expected the text's end"),
    "characters for bytes": ("hf_wordpiece", Characters, "not characters"),
    "decoded text for the original": ("word", DecodedText, "nor what decoding gives back"),
    "overlap": ("bpe", edges(overlap), r"as the span of token 5, expected it to begin at"),
    "gap": ("bpe", edges(gap), r"as the span of token 5, expected it to begin at"),
    "past the end": ("bpe", edges(past_the_end), "expected the text's end"),
    "short of the end": ("bpe", edges(short_of_the_end), "expected the text's end"),
    "begins late": ("bpe", edges(late), "token 0, expected it to begin at 0"),
    "backwards": ("bpe", edges(backwards), "token 5, expected it to begin at .* and not to end before"),
    "shifted": ("bpe", edges(shifted), "the bytes of token 0 are not those of its span"),
    "all shifted": ("bpe", edges(all_shifted), "token 0, expected it to begin at 0"),
    "fewer spans than tokens": ("bpe", edges(one_missing), r"got \d+ spans, expected \d+, one a token"),
}


# Lies about loss: the text that is encoded is not the one that was given.


def liar(clean: Callable[[str], str], kind: type[Tokenizer] = ByteTokenizer) -> type[Tokenizer]:
    """A lossless kind that encodes `clean(text)`, and still declares itself lossless."""

    class Liar(kind):  # type: ignore[misc,valid-type]
        def encode(self, text: str) -> list[int]:
            return super().encode(clean(text))

        def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
            return super().encode_arrays(list(map(clean, texts)))

    return Liar


class Remembers(ByteTokenizer):
    """Folds case, and passes the round trip by keeping the text that it was given."""

    def encode(self, text: str) -> list[int]:
        self.kept = text
        return super().encode(text.lower())

    def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
        return [np.array(self.encode(text), dtype=np.uint32) for text in texts]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        return self.encode(text), spans_of_lengths([1] * len(text.lower().encode()))

    def decode(self, ids: list[int]) -> str:
        return self.kept


class MovesBorders(ByteTokenizer):
    """The last byte of a document is given to the next one."""

    def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
        honest = super().encode_arrays(texts)
        ends = np.cumsum([len(one) for one in honest])[:-1]
        return np.split(np.concatenate(honest), np.maximum(ends - 1, 0))


class Unknown(CharTokenizer):
    """Claims that its alphabet holds whatever there is."""

    @property
    def lossless(self) -> bool:
        return True

    @lossless.setter
    def lossless(self, _: bool) -> None: ...


class UnknownNamed(Unknown):
    """The same, with a name that UNK is said to write."""

    def token_bytes(self) -> list[bytes]:
        return [b"?" if i == UNK else piece for i, piece in enumerate(super().token_bytes())]


LIES: dict[str, tuple[str, type[Tokenizer]]] = {
    "case folded": ("byte", liar(str.lower)),
    "spaces collapsed": ("bpe", liar(lambda s: s.replace("  ", " "), BPETokenizer)),
    "ends stripped": ("byte", liar(str.strip)),
    "CRLF made LF": ("byte", liar(lambda s: s.replace("\r\n", "\n"))),
    "NFC": ("word_cased", liar(lambda s: unicodedata.normalize("NFC", s), WordCasedTokenizer)),
    "NFKC": ("sp_bpe", liar(lambda s: unicodedata.normalize("NFKC", s), SentencePieceBPETokenizer)),
    "remembers the text": ("byte", Remembers),
    "UNK": ("char", Unknown),
    "UNK with a name": ("char", UnknownNamed),
}


def settings(kind: str) -> dict[str, Any]:
    sized = kind in ("bpe", "bpe_classic", "hf_bpe", "hf_wordpiece", "sp_bpe")
    return {"vocab_size": 400} if sized else {"vocab_size": 30} if kind == "char" else {}


def plant(monkeypatch: pytest.MonkeyPatch, kind: str, bug: type[Tokenizer]) -> None:
    monkeypatch.setitem(KINDS, kind, bug)


def config(folder: Path, text: Corpus, kind: str) -> RunConfig:
    for part in ("train", "val"):
        (folder / part).write_bytes(getattr(text, part).text.encode())
    return RunConfig(
        data=DataConfig(name="text", path=str(folder / "train"), val=str(folder / "val")),
        tokenizer=TokenizerConfig(kind=kind, vocab_size=settings(kind).get("vocab_size")),
        model=ModelConfig(block_size=16, n_layer=1, n_head=1, n_embd=8),
        train=TrainConfig(batch_size=2, eval_every=4),
        budget=BudgetConfig(steps=4),
        sample=SampleConfig(tokens=5, count=0),
        tracking=TrackingConfig(mode="disabled"),
    )


def refused(cfg: RunConfig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a run says when it refuses, before its first step."""
    monkeypatch.setattr(tokexp.stages.prepare, "train", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(ValueError, match=r"got .*, expected ") as caught:
        run_experiment(cfg, folder)
    assert not (folder / "result.json").exists()
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", MISCOUNTS)
def test_a_miscount_is_refused_before_training(
    name: str, plain: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, bug, message = MISCOUNTS[name]
    plant(monkeypatch, kind, bug)
    said = refused(config(tmp_path, plain, kind), tmp_path / "run", monkeypatch)
    assert re.search(message, said), said


@pytest.mark.parametrize("name", [name for name, (_, bug, _) in MISCOUNTS.items() if bug.__name__ == "WrongSpans"])
def test_spans_of_a_lossless_kind_count_for_nothing(name: str, plain: Corpus) -> None:
    """Even unrefused: the bytes of its tokens are those that they write."""
    _, bug, _ = MISCOUNTS[name]
    honest = train_tokenizer("bpe", plain.train.text, vocab_size=400)
    wrong = bug.from_json(honest.to_json())
    for part in (plain.val, Part.of_texts(["the king", "Déjà vu\n"])):
        one, other = encode_part(honest, part), encode_part(wrong, part)
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.lengths, other.lengths)


def test_a_document_has_its_own_bytes_and_none_of_the_next_one() -> None:
    """Of many that are encoded together each is checked, or encoded for itself."""
    part = Part.of_texts(["the king", "é", "x", "of my lord\n"])
    one, other = (encode_part(kind(), part) for kind in (ByteTokenizer, MovesBorders))
    assert np.array_equal(one.ids, other.ids)
    assert np.array_equal(one.lengths, other.lengths)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_before_training(
    name: str, plain: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, bug = LIES[name]
    plant(monkeypatch, kind, bug)
    refused(config(tmp_path, plain, kind), tmp_path / "run", monkeypatch)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_that_only_the_training_text_shows_is_refused(
    name: str, plain: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, bug = LIES[name]
    plant(monkeypatch, kind, bug)
    easy = dataclasses.replace(plain, val=Part.of_text("the king of my good lord, not here"))
    said = refused(config(tmp_path, easy, kind), tmp_path / "run", monkeypatch)
    assert "decode(encode(text))" not in said, "the held-out text shows nothing"


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in [*MISCOUNTS.values(), *LIES.values()]}))
def test_the_honest_kind_passes_on_the_same_text(kind: str, plain: Corpus) -> None:
    data = prepare(kind, settings(kind), plain).data
    assert (data.train.n_bytes, data.val.n_bytes) == (plain.train.n_bytes, plain.val.n_bytes)


def test_a_text_in_parts_and_a_text_of_ones_own_are_held_to_it_too(
    plain: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded = liar(str.lower)()
    with pytest.raises(ValueError, match="got b't', expected b'T'"):
        write_stream(folded, Part.of_texts(["the ", "king, The", " end"], separated=False), tmp_path, "x")
    with pytest.raises(ValueError, match="got b'k', expected b'K'"):
        encode_stream(folded, "the King")
    with pytest.raises(ValueError, match="got b'', expected b'all of it'"):
        encode_stream(liar(lambda _: "")(), "all of it")


# What cannot move a figure.


class Uniform(GPT):
    """A model that finds every token as probable as any other."""

    def forward(self, idx_BT: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*idx_BT.shape, self.config.vocab_size)


def uniform(vocab_size: int, block_size: int = 16) -> GPT:
    return Uniform(GPTConfig(vocab_size=vocab_size, block_size=block_size, n_layer=1, n_head=1, n_embd=8))


@pytest.mark.parametrize("kind", ["byte", "char", "word", "bpe", "hf_wordpiece", "sp_bpe"])
@pytest.mark.parametrize("sliding", [False, True])
def test_the_divisor_is_the_bytes_of_the_original_text(kind: str, plain: Corpus, sliding: bool) -> None:
    """Of a uniform model every figure is known: tokens x log2(vocabulary) over the bytes of the file."""
    tokenizer = train_tokenizer(kind, plain.train.text, **settings(kind))
    stream = encode_stream(tokenizer, plain.val.text)
    bits = len(stream) * math.log2(tokenizer.vocab_size)
    got = score(uniform(tokenizer.vocab_size), 0, stream, sliding=sliding).bits_per_byte
    assert got == pytest.approx(bits / len(plain.val.text.encode()), rel=1e-6)
    assert abs(got / (bits / len(plain.val.text)) - 1) > 0.05, "characters are fewer"
    decoded = tokenizer.decode(stream.ids.tolist()).encode()
    assert tokenizer.lossless or abs(got / (bits / len(decoded)) - 1) > 0.005, "what comes back has another length"


class Unlike(GPT):
    """A model that charges a token by its id, whatever stands before it."""

    def forward(self, idx_BT: torch.Tensor) -> torch.Tensor:
        logits_V = torch.linspace(0, 12, self.config.vocab_size)
        return logits_V.expand(*idx_BT.shape, -1)


def test_the_figure_is_a_ratio_of_sums_not_a_mean_of_ratios(plain: Corpus) -> None:
    tokenizer = train_tokenizer("bpe", plain.train.text, vocab_size=400)
    stream = encode_stream(tokenizer, plain.val.text)
    model = Unlike(GPTConfig(vocab_size=400, block_size=16, n_layer=1, n_head=1, n_embd=8))
    got = score(model, 0, stream).bits_per_byte
    bits = token_nats(model, 0, stream.ids) / math.log(2)
    lengths = np.diff(stream.starts)
    assert got == pytest.approx(bits.sum() / len(plain.val.text.encode()))
    windows = [slice(i, i + 16) for i in range(0, len(stream), 16)]
    means = {
        "of windows": np.mean([bits[w].sum() / lengths[w].sum() for w in windows]),
        "of tokens": np.mean(bits / lengths),
        "of the loss": bits.mean() / lengths.mean(),
    }
    assert abs(means["of windows"] / got - 1) > 0.01
    assert abs(means["of tokens"] / got - 1) > 0.05
    assert means["of the loss"] == pytest.approx(got), "the same sums, each divided by the tokens"


def test_what_is_recorded_is_the_ratio_of_sums_over_the_original_text(plain: Corpus) -> None:
    """A lossy kind on a text that is not ASCII, from the recorded columns and the text alone."""
    prepared = prepare("word", {}, plain)
    model = Unlike(GPTConfig(vocab_size=prepared.tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8))
    restoration = restoration_cost(prepared.tokenizer, plain.train, plain.val)
    evaluator = Evaluator(model, prepared.data, make_targets(prepared, plain), None)
    row, scores = evaluator(), evaluator.final_scores({}).val
    raw = plain.val.text.encode()
    bits = row.val_loss * len(prepared.data.val) / math.log(2)
    assert scores.val_bpb_naive == pytest.approx(bits / len(raw))
    assert scores.val_bpb == pytest.approx((bits + restoration.total) / len(raw))
    assert scores.val_bpb == pytest.approx(sum(row.val_block_nats) / math.log(2) / len(raw))
    assert scores.val_bpb_sliding == pytest.approx(scores.val_bpb), "this model looks at no context"
    decoded = prepared.tokenizer.decode(prepared.data.val.ids.tolist())
    for wrong in (plain.val.text, decoded.encode()):
        assert abs(bits / len(wrong) / scores.val_bpb_naive - 1) > 0.05


def test_wrong_lengths_could_not_move_a_figure_even_unrefused(plain: Corpus) -> None:
    """The divisor is the last edge, the text's own end; what lies between only says which block a token is in."""
    stream = encode_stream(train_tokenizer("bpe", plain.train.text, vocab_size=400), plain.val.text)
    moved = stream.starts.copy()
    moved[1:-1] = np.minimum(moved[1:-1] + 2, moved[-1])
    nats = np.random.default_rng(0).random(len(stream))
    wrong = TokenStream.of_starts(stream.ids, moved)
    assert wrong.n_bytes == stream.n_bytes
    assert by_block(nats, wrong.starts).sum() == pytest.approx(by_block(nats, stream.starts).sum())
    assert score(uniform(400), 0, wrong).bits_per_byte == pytest.approx(score(uniform(400), 0, stream).bits_per_byte)


class InnerMarkerCounted(HFWordPieceTokenizer):
    """## counted as bytes of every piece inside a word: a lossy kind, whose spans are the library's."""

    def token_bytes(self) -> list[bytes]:
        return [b""] * 4 + [piece.encode() for piece in self.shown]


class ShiftedWords(WordTokenizer):
    """Every inner edge a byte late, in a kind whose spans no table of bytes can contradict."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids, spans = super().encode_with_spans(text)
        ends = [min(end + 1, spans[-1][1]) for _, end in spans]
        return ids, list(zip([0, *ends[:-1]], ends, strict=True))


@pytest.mark.parametrize(("kind", "bug"), [("hf_wordpiece", InnerMarkerCounted), ("word", ShiftedWords)])
def test_a_lossy_kind_that_miscounts_within_its_text_only_pays(
    kind: str, bug: type[Tokenizer], plain: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same tokens, same divisor, and a restoration that has more to say: the total can only rise."""
    honest = train_tokenizer(kind, plain.train.text, **settings(kind))
    plant(monkeypatch, kind, bug)
    wrong = train_tokenizer(kind, plain.train.text, **settings(kind))
    streams = [encode_stream(tokenizer, plain.val.text) for tokenizer in (honest, wrong)]
    assert np.array_equal(streams[0].ids, streams[1].ids)
    assert streams[0].n_bytes == streams[1].n_bytes
    costs = [restoration_cost(tokenizer, plain.train, plain.val).total for tokenizer in (honest, wrong)]
    assert costs[1] > costs[0]


class FoldsWhatIsScored(CharTokenizer):
    """`encode` is exact; the ids that a model is scored on are of the small letters."""

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        return CharTokenizer(self.alphabet).encode_with_spans(text.lower())


def test_restoration_is_of_the_ids_that_are_scored(text: str) -> None:
    folded = FoldsWhatIsScored.train(text)
    assert folded.decode(folded.encode(text)) == text
    got = restoration_cost(folded, Part.of_text(text[:6000]), Part.of_text(text[6000:7000]))
    assert (
        got.total == RestorationModel(folded, Part.of_text(text[:6000])).cost(Part.of_text(text[6000:7000])).total > 10
    )


# Windows.


def last_dropped(cut: list[Window]) -> list[Window]:
    return cut[:-1]


def first_dropped(cut: list[Window]) -> list[Window]:
    return cut[1:]


def last_twice(cut: list[Window]) -> list[Window]:
    return [*cut, cut[-1]]


def tail_twice(cut: list[Window]) -> list[Window]:
    """The last window is moved back until it is full, and scores again what was scored before."""
    return [*cut[:-1], Window(cut[-1].end - 16, cut[-1].end - 16, cut[-1].end)]


def head_unscored(cut: list[Window]) -> list[Window]:
    """The first window, like those after it, scores its second half alone."""
    return [cut[0]._replace(new=cut[0].end // 2), *cut[1:]]


@pytest.mark.parametrize("bug", [last_dropped, first_dropped, last_twice, tail_twice, head_unscored])
@pytest.mark.parametrize("sliding", [False, True])
def test_windows_that_do_not_score_every_token_once_are_refused(
    bug: Callable[[list[Window]], list[Window]], sliding: bool, plain: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = encode_stream(train_tokenizer("byte", ""), plain.val.text)
    honest = bits_per_byte.windows
    assert honest(len(stream), 16, sliding=sliding)[-1].end % 8, "the last window is a short one"
    monkeypatch.setattr(bits_per_byte, "windows", lambda *args, **kwargs: bug(honest(*args, **kwargs)))
    with pytest.raises(AssertionError, match="exactly once"):
        score(uniform(260), 0, stream, sliding=sliding)
