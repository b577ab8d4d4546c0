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
from tokexp.data.corpus import Corpus, cached_for
from tokexp.encoding.prepare import prepare
from tokexp.scoring.blocks import BLOCKS, by_block
from tokexp.scoring.ngram import CODE_POINTS, CharModel, KneserNey
from tokexp.scoring.restoration import restoration_of
from tokexp.system.files import write_json

log = logging.getLogger(__name__)

ORDERS = range(1, 7)  # of Kneser-Ney over characters; beyond 6 TinyShakespeare is too short to gain
PPMD_ORDER, PPMD_MEMORY = 6, 64 << 20
ZSTD_LEVEL = 22
LN2 = math.log(2)


@dataclass(frozen=True)
class Baseline:
    name: str
    family: str  # static | adaptive
    val_bpb: float  # bits per byte of the held-out text, restoration included
    val_bpb_restoration: float = 0.0  # the share of it that restores the text from its words
    block_nats: list[float] | None = None  # (64,) of each block of that text; None where only the whole is known


def baselines(corpus: Corpus) -> list[Baseline]:
    """Every baseline of `corpus`, measured once and kept; it takes some seconds a megabyte.

    The word trigram is left out, with a warning, where the text has no words to count.
    """

    def build(folder: Path) -> None:
        write_json(folder / "baselines.json", [dataclasses.asdict(row) for row in measure_baselines(corpus)])

    folder = cached_for(corpus, {"baselines": None}, build, __name__, zlib=zlib.ZLIB_RUNTIME_VERSION)
    rows = json.loads((folder / "baselines.json").read_bytes())
    return [Baseline(**row) for row in rows]


def measure_baselines(corpus: Corpus) -> list[Baseline]:
    """Every baseline of `corpus`, measured anew."""
    starts = np.cumsum([0, *(len(char.encode()) for char in corpus.val)])
    rows = [_by_block("uniform", "static", uniform_bits(corpus.train, corpus.val), starts)]
    model = CharModel(corpus.train, order=max(ORDERS))
    for order in ORDERS:
        rows.append(_by_block(f"Kneser-Ney {order}", "static", model.bits(corpus.val, corpus.train, order), starts))
    try:
        rows.append(word_trigram(corpus))
    except InputError as error:
        log.warning("corpus %s: no word trigram: %s", corpus.name, error)
    for name, compressed in compressors(corpus).items():
        rows.append(Baseline(name, "adaptive", conditional_bits(corpus, compressed) / corpus.val_bytes))
    bits, ends = ppmd_bits(corpus)
    rows.append(_by_block(f"PPMd {PPMD_ORDER}", "adaptive", bits, ends))
    return rows


def _by_block(name: str, family: str, bits: np.ndarray, starts: np.ndarray) -> Baseline:
    """A baseline that needs `bits` (n,) for the n symbols of the held-out text, at `starts` (n + 1,) in bytes."""
    return Baseline(name, family, float(bits.sum() / starts[-1]), block_nats=(by_block(bits, starts) * LN2).tolist())


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


def word_trigram(corpus: Corpus) -> Baseline:
    """Kneser-Ney of order 3 over the ids of the seed's words. Raises InputError for a text without words."""
    prepared = prepare("word", {"min_frequency": 2}, corpus)  # as in conf/tokenizer/word.yaml
    train, val = prepared.data.train.ids, prepared.data.val.ids
    model = KneserNey(train, 3, prepared.tokenizer.vocab_size)
    restoration = restoration_of(prepared.tokenizer, corpus)
    bits = model.bits(val, train) + restoration.bits.sum(axis=1)
    baseline = _by_block("word trigram", "static", bits, prepared.data.val.starts)
    return dataclasses.replace(baseline, val_bpb_restoration=restoration.total / corpus.val_bytes)


def compressors(corpus: Corpus) -> dict[str, Callable[[bytes], bytes]]:
    """The compressors by name; zstd's window is made to span both parts of `corpus`."""
    size = len(corpus.train.encode()) + corpus.val_bytes
    window = min(max(size.bit_length(), zstandard.WINDOWLOG_MIN), zstandard.WINDOWLOG_MAX)
    # of the whole, for both lengths: zstd chooses other settings for other sizes, and that would not cancel
    zstd = zstandard.ZstdCompressionParameters.from_level(ZSTD_LEVEL, source_size=size, window_log=window)
    return {
        "gzip": lambda raw: gzip.compress(raw, compresslevel=9),
        "bz2": lambda raw: bz2.compress(raw, compresslevel=9),
        "xz": lambda raw: lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME),
        "zstd": lambda raw: zstandard.ZstdCompressor(compression_params=zstd).compress(raw),
    }


def conditional_bits(corpus: Corpus, compressed: Callable[[bytes], bytes]) -> int:
    """By how many bits the compressed training part grows when the held-out part follows it."""
    train = corpus.train.encode()
    return (len(compressed(train + corpus.val.encode())) - len(compressed(train))) * 8


def ppmd_bits(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Bits that PPMd writes for each block of the held-out text, and where the blocks begin, in bytes.

    It has read the training part, and goes on learning. A text of fewer than 64 bytes has fewer blocks.
    """
    encoder, val = pyppmd.Ppmd7Encoder(PPMD_ORDER, PPMD_MEMORY), corpus.val.encode()
    encoder.encode(corpus.train.encode())
    starts = np.unique(-(-len(val) * np.arange(BLOCKS + 1) // BLOCKS))  # the first byte of each block
    written = [len(encoder.encode(val[start:end])) for start, end in itertools.pairwise(starts)]
    return np.array(written) * 8, starts
