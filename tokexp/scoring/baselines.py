"""Measures what simple models and compressors need for the same held-out bytes, in bits per byte.

A yardstick for trained models: one that does not beat Kneser-Ney has learned little more than which
letters follow which. Two families, which differ in what they may learn from:

    static      what was learned from the training part stands still, as a trained model's weights do
    adaptive    it goes on learning as it reads the held-out text, which no model here may

Formulas, with n the UTF-8 bytes of the held-out text:

    uniform         every character equally probable; see `uniform_bits`
    Kneser-Ney k    sum of -log2 P(c | the k - 1 characters before it) / n, of `ngram.CharModel`, fitted on
                    the training part; the first characters are conditioned on its end
    word trigram    Kneser-Ney 3 over the seed experiment's lower-cased words, plus what restores the text
                    from them (`restoration.py`): without that it would be no account of the same bytes
    compressors     (C(train + val) - C(train)) x 8 / n, with C the compressed length in bytes

gzip at level 9, bz2 at 9, xz at 9 extreme, zstd at 22 (Deutsch 1996; Seward 1996; LZMA, Pavlov 1998;
Collet 2016), PPMd variant H (Shkarin 2002), order 6, 64 MiB. "Conditional" helps gzip little, which looks
back 32 KiB, and bz2, which sorts blocks of 900 kB apart; xz looks back 64 MiB, zstd over the whole
text, PPMd until its memory is full, when it begins anew. A compressor's length is in whole bytes with
some framing (xz in fours), so that a held-out text of a few hundred bytes is measured coarsely.

What none of this means: these are no rivals to a language model. An n-gram sees five characters or
two words, so it cannot keep to a subject; more text widens the gap, and a small one flatters it. PPMd
below a model is no better model of English: it has read the held-out text up to where it stands.
Bits per byte say nothing about how a sample reads.
"""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import itertools
import json
import logging
import lzma
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyppmd
import zstandard

from tokexp.config import InputError
from tokexp.config.chosen import Chosen
from tokexp.data.corpus import Corpus, cached_for
from tokexp.data.part import Part
from tokexp.encoding.prepare import prepare
from tokexp.encoding.stream import TokenStream
from tokexp.scoring.blocks import BLOCKS, by_block
from tokexp.scoring.ngram import CODE_POINTS, CharModel, KneserNey
from tokexp.scoring.restoration import restoration_of
from tokexp.scoring.units import unit_of_documents
from tokexp.system.files import write_json
from tokexp.system.meter import Meter

log = logging.getLogger(__name__)

LEARNED_BYTES = 5_000_000  # of the training part
END = b"\xff"  # what ends a document for a compressor: a byte that no UTF-8 has
ORDERS = range(1, 7)  # of Kneser-Ney over characters; beyond 6 TinyShakespeare is too short to gain
KNESER_NEY = "Kneser-Ney"
PPMD_ORDER, PPMD_MEMORY = 6, 64 << 20
CHOSEN = {  # by looking at held-out text: by the baseline's name
    f"{KNESER_NEY} {max(ORDERS)}": Chosen(
        f"highest order of {KNESER_NEY}", str(max(ORDERS)), "order 8, which gains nothing", "tinyshakespeare"
    ),
    f"PPMd {PPMD_ORDER}": Chosen("order of PPMd", str(PPMD_ORDER), "orders 3 to 10", "tinyshakespeare"),
}
ZSTD_LEVEL = 22
LN2 = math.log(2)


@dataclass(frozen=True)
class Baseline:
    name: str
    family: str  # static | adaptive
    val_bpb: float  # bits per byte of the text that ranks, restoration included
    val_bpb_restoration: float = 0.0  # the share of it that restores the text from its words
    block_nats: list[float] | None = None  # (64,) of each block of a single text; None where only the whole is known
    unit_nats: list[float] | None = None  # of each unit of documents; None where only the whole is known


class Text:
    """A part of a corpus as one string, and the cost of its characters by unit; documents end with a character each."""

    def __init__(self, part: Part, end: str) -> None:
        """`end`: a character that no document has; it stands for no byte."""
        self._part = part
        self.string = "".join(text + end for text in part.documents()) if part.separated else part.text
        self.raw = b"".join(text.encode() + END for text in part.documents()) if part.separated else part.text.encode()
        self.n_bytes = part.n_bytes
        points = np.frombuffer(self.string.encode("utf-32-le"), dtype="<u4")
        is_end = points == ord(end) if part.separated else np.zeros(len(points), dtype=bool)
        widths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
        self.starts = np.concatenate([[0], np.cumsum(np.where(is_end, 0, widths))])
        self._document = np.cumsum(is_end) - is_end

    def baseline(self, name: str, family: str, bits: np.ndarray, restoration: float = 0.0) -> Baseline:
        """A baseline that needs `bits` (n,) for the characters."""
        return self._summed(name, family, bits, self.starts, self._document, restoration)

    def of_tokens(self, name: str, bits: np.ndarray, stream: TokenStream, restoration: float) -> Baseline:
        """A baseline that needs `bits` for the tokens of a stream of this text."""
        return self._summed(name, "static", bits, stream.starts, stream.document_of, restoration)

    def _summed(
        self, name: str, family: str, bits: np.ndarray, starts: np.ndarray, document: np.ndarray, restoration: float
    ) -> Baseline:
        bpb = float(bits.sum() / self.n_bytes)
        if not self._part.separated:
            return Baseline(name, family, bpb, restoration, block_nats=(by_block(bits, starts) * LN2).tolist())
        unit = unit_of_documents(len(self._part))[document]
        return Baseline(name, family, bpb, restoration, unit_nats=(np.bincount(unit, weights=bits) * LN2).tolist())

    def cuts(self) -> np.ndarray:
        """Where the units begin in `raw`, and its length."""
        if not self._part.separated:  # the first byte of each block; a short text has fewer
            return np.unique(-(-len(self.raw) * np.arange(BLOCKS + 1) // BLOCKS))
        ends = np.cumsum(self._part.lengths + len(END))
        last = np.append(np.flatnonzero(np.diff(unit_of_documents(len(self._part)))), len(ends) - 1)
        return np.concatenate([[0], ends[last]])


def baselines(corpus: Corpus) -> list[Baseline]:
    """Every baseline of `corpus` on the text that ranks, measured once and kept; it takes some seconds a megabyte.

    They learn from a sample of the training part, or from all of it (`LEARNED_BYTES`). The word trigram is left out,
    with a warning, where the text has no words to count.
    """
    small = dataclasses.replace(
        corpus, train=corpus.train.sample(LEARNED_BYTES), val=corpus.scored, test=None, held_out={}
    )

    def build(folder: Path) -> None:
        write_json(folder / "baselines.json", [dataclasses.asdict(row) for row in measure_baselines(small)])

    folder = cached_for(small, {"baselines": None}, build, __name__, zlib=zlib.ZLIB_RUNTIME_VERSION)
    rows = json.loads((folder / "baselines.json").read_bytes())
    return [Baseline(**row) for row in rows]


def measure_baselines(corpus: Corpus) -> list[Baseline]:
    """Every baseline of `corpus`, measured anew."""
    end = _unused(corpus.train.text, corpus.val.text)
    train, val = Text(corpus.train, end), Text(corpus.val, end)
    with Meter("measuring the baselines", len(ORDERS) + 7) as meter:
        rows = [val.baseline("uniform", "static", uniform_bits(train.string, val.string))]
        model = CharModel(train.string, order=max(ORDERS))
        meter.advance()
        for order in ORDERS:
            rows.append(val.baseline(f"{KNESER_NEY} {order}", "static", model.bits(val.string, train.string, order)))
            meter.advance()
        try:
            rows.append(word_trigram(corpus, val))
        except InputError as error:
            log.warning("corpus %s: no word trigram: %s", corpus.name, error)
        meter.advance()
        for name, compressed in compressors(len(train.raw) + len(val.raw)).items():
            rows.append(Baseline(name, "adaptive", conditional_bits(train.raw, val.raw, compressed) / val.n_bytes))
            meter.advance()
        rows.append(ppmd(train, val))
    return rows


def _unused(*texts: str) -> str:
    """A character that stands in none of the texts: of those that Unicode gives no meaning."""
    return next(char for char in map(chr, range(0xFDD0, 0xFDF0)) if all(char not in text for text in texts))


def uniform_bits(train: str, text: str) -> np.ndarray:
    """Bits of each character of `text` with every character of `train` equally probable.

    One bit more, before the first, says whether `text` has other characters. If not, a character costs
    log2(alphabet); if so, log2(alphabet + 1), and one that `train` lacks log2(1,112,064 - alphabet) more.
    """
    alphabet = set(train)
    unseen = np.array([char not in alphabet for char in text])
    bits = math.log2(len(alphabet) + bool(unseen.any())) + unseen * math.log2(CODE_POINTS - len(alphabet))
    bits[0] += 1
    return bits


def word_trigram(corpus: Corpus, val: Text) -> Baseline:
    """Kneser-Ney of order 3 over the ids of the seed's words. Raises InputError for a text without words."""
    prepared = prepare("word", {"min_frequency": 2}, corpus)  # as in conf/tokenizer/word.yaml
    train, ids = prepared.data.train.ids, prepared.data.val.ids
    model = KneserNey(train, 3, prepared.tokenizer.vocab_size)
    restoration = restoration_of(prepared.tokenizer, corpus, corpus.val)
    bits = model.bits(ids, train) + restoration.bits.sum(axis=1)
    return val.of_tokens("word trigram", bits, prepared.data.val, restoration.total / val.n_bytes)


def compressors(size: int) -> dict[str, Callable[[bytes], bytes]]:
    """The compressors by name; zstd's window is made to span `size` bytes."""
    window = min(max(size.bit_length(), zstandard.WINDOWLOG_MIN), zstandard.WINDOWLOG_MAX)
    # of the whole, for both lengths: zstd chooses other settings for other sizes, and that would not cancel
    zstd = zstandard.ZstdCompressionParameters.from_level(ZSTD_LEVEL, source_size=size, window_log=window)
    return {
        "gzip": lambda raw: gzip.compress(raw, compresslevel=9),
        "bz2": lambda raw: bz2.compress(raw, compresslevel=9),
        "xz": lambda raw: lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME),
        "zstd": lambda raw: zstandard.ZstdCompressor(compression_params=zstd).compress(raw),
    }


def conditional_bits(train: bytes, val: bytes, compressed: Callable[[bytes], bytes]) -> int:
    """By how many bits the compressed training part grows when the held-out part follows it."""
    return (len(compressed(train + val)) - len(compressed(train))) * 8


def ppmd(train: Text, val: Text) -> Baseline:
    """Bits that PPMd writes, by unit. It has read the training part, and goes on learning."""
    encoder, cuts = pyppmd.Ppmd7Encoder(PPMD_ORDER, PPMD_MEMORY), val.cuts()
    encoder.encode(train.raw)
    bits = np.array([len(encoder.encode(val.raw[start:end])) * 8 for start, end in itertools.pairwise(cuts)])
    name, bpb = f"PPMd {PPMD_ORDER}", float(bits.sum() / val.n_bytes)
    if len(val.raw) > val.n_bytes:  # documents, which have ends
        return Baseline(name, "adaptive", bpb, unit_nats=(bits * LN2).tolist())
    return Baseline(name, "adaptive", bpb, block_nats=(by_block(bits, cuts) * LN2).tolist())
