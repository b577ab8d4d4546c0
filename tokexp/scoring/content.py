"""Says where the loss lies: bits by kind of content, the same bytes for every tokenizer, and by length of context.

Each bit of the total (naive and restoration) is charged to a byte of the held-out text. The cost of a token of
bytes b_1 .. b_n is shared out by the chain rule, given that a token begins here: byte k costs

    log2 P(prefix_{k-1}) - log2 P(prefix_k)

where P(prefix_k) is the model's probability of all tokens that begin with b_1 .. b_k, and prefix_0 is
all tokens, specials too. The last byte pays, besides, for the token not being a longer one, so that the
sum is -log2 P(token) exactly.

What this is not: the split within a token follows the model's own distribution over tokens, so a byte's
share is not what a model of bytes would have paid for it. The last byte of a token pays for the token
ending there, and of several segmentations of the same text, the byte that tells them apart pays for which
one was taken. So a token " the" pays for the end of the word with its "e", and a model of characters pays
with the space after it: sums over whole words and their spacing compare better than either alone.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
import regex
import torch
import torch.nn.functional as F

from tokexp.data.corpus import Corpus
from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT
from tokexp.scoring.bits_per_byte import predictions, target_nats, windows
from tokexp.scoring.restoration import ASPECTS, Restoration
from tokexp.system.meter import Meter
from tokexp.tokenizer import Tokenizer

PROBABILITIES_AT_ONCE = 1 << 22  # float64, of the whole vocabulary at some positions

PLACES = ("heading", "word_first", "word_rest", "punctuation", "spacing")
FREQUENCIES = {"common": 100, "middling": 10, "rare": 1, "unseen": 0}  # occurrences in the training part, at least
HEADING_CHARS = 40  # at most

# Letters and digits with the marks on them, and apostrophes between two of them: "don't" and "3rd" are
# words, of "'tis" only "tis" is, and "3.14" is two.
WORD_OR_NUMBER = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:['\u2019][\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*")


@dataclass(frozen=True)
class Partition:
    """The bytes of the held-out text by class."""

    name: str
    classes: tuple[str, ...]
    of_byte: np.ndarray  # (bytes,) int, an index into `classes`; -1 for bytes of no class


def content(bits: np.ndarray, data: TokenizedCorpus, corpus: Corpus, block_size: int) -> list[dict[str, Any]]:
    """Bytes and total bits of the held-out text by class: rows of partition, class, bytes, bits.

    `bits`: of each byte, from `byte_bits`.
    """
    return content_rows(bits, [*byte_classes(corpus.val.text, corpus.train.lines), context_classes(data, block_size)])


def content_rows(bits: np.ndarray, partitions: list[Partition]) -> list[dict[str, Any]]:
    """Sums of `bits` (bytes,) over every class, empty ones too."""
    rows = []
    for partition in partitions:
        inside = partition.of_byte >= 0
        labels, n = partition.of_byte[inside], len(partition.classes)
        sizes = np.bincount(labels, minlength=n).tolist()
        sums = np.bincount(labels, weights=bits[inside], minlength=n).tolist()
        rows += [
            {"partition": partition.name, "class": name, "bytes": size, "bits": total}
            for name, size, total in zip(partition.classes, sizes, sums, strict=True)
        ]
    return rows


def byte_bits(
    model: GPT, tokenizer: Tokenizer, data: TokenizedCorpus, val_bytes: bytes, restoration: Restoration
) -> np.ndarray:
    """Total bits of each byte of the held-out text: (bytes,) float64. The windows are those of `token_nats`.

    The bytes that a token writes are those at the end of its span; the gap before them, which a lossy
    kind drops, has no part in its naive bits. Where a token writes nothing (UNK), or more than its span,
    its bits are spread evenly over the span without its leading white space. So are, of the restoration,
    case and spelling; spacing is spread over that white space, or charged to the first byte where there is
    none. White space after the last token of a kind that drops it counts as that token's.
    """
    val = data.val
    starts = np.asarray(val.starts)
    assert starts[-1] == len(val_bytes), "spans are those of this text"
    spans = _Spans(starts, val_bytes.decode())
    written = tokenizer.token_bytes()
    lengths = np.array([len(token) for token in written])[val.ids]
    aligned = (lengths > 0) & (lengths <= starts[1:] - starts[:-1])
    several = aligned & (lengths > 1)

    bits = np.zeros(len(val_bytes))
    total = np.empty(len(val))  # naive bits of every token
    prefixes = _Prefixes(written, np.unique(val.ids[several]))
    at_once = max(1, PROBABILITIES_AT_ONCE // len(written))
    meter = Meter("sharing the loss out over the bytes", len(val))
    for group, logits_BTV, targets_BT in predictions(model, data.context_id, val.ids):
        meter.advance(group[-1].end - group[0].first)
        first, end = group[0].first, group[-1].end  # these windows lie end to end
        total[first:end] = target_nats(logits_BTV, targets_BT).reshape(-1) / math.log(2)
        logits_NV = logits_BTV.flatten(0, 1)
        split = first + np.flatnonzero(several[first:end])
        for tokens in (split[i : i + at_once] for i in range(0, len(split), at_once)):
            rows = torch.from_numpy(tokens - first).to(logits_NV.device)
            of_bytes = prefixes.bits(logits_NV[rows], val.ids[tokens], total[tokens])
            n = lengths[tokens]
            bits[_ranges(starts[tokens + 1] - n, n)] = of_bytes[np.arange(of_bytes.shape[1]) < n[:, None]]
        del logits_BTV, logits_NV
    single = np.flatnonzero(aligned & (lengths == 1))
    bits[starts[single + 1] - 1] = total[single]

    restored = dict(zip(ASPECTS, restoration.bits.T, strict=True))
    spans.spread_over_gap(bits, restored["spacing"])
    spans.spread_over_body(bits, np.where(aligned, 0, total) + restored["case"] + restored["spelling"])
    return bits


class _Prefixes:
    """The probability that a token begins with given bytes: with the vocabulary sorted by bytes, that of a range."""

    def __init__(self, written: list[bytes], ids: np.ndarray) -> None:
        """`ids`: the ids whose prefixes are asked for, sorted."""
        order = sorted(range(len(written)), key=written.__getitem__)
        self._order = torch.tensor(order)
        self._ids = ids
        in_order = [written[i] for i in order]
        range_of: dict[bytes, tuple[int, int]] = {}
        bounds, first = [], [0]  # of every id end to end: the ranges of its first 1 to n - 1 bytes
        for i in ids:
            for k in range(1, len(written[i])):
                prefix = written[i][:k]
                if prefix not in range_of:
                    lo = bisect_left(in_order, prefix)
                    range_of[prefix] = lo, bisect_right(in_order, prefix, lo=lo, key=itemgetter(slice(k)))
                bounds.append(range_of[prefix])
            first.append(len(bounds))
        self._bounds = np.array(bounds, dtype=np.int64).reshape(-1, 2)
        self._first = np.array(first)

    def bits(self, logits_NV: torch.Tensor, ids: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Bits of each byte of `ids` (N,): (N, bytes of the longest), 0 past a token's end. Rows sum to `total`."""
        if logits_NV.device.type == "mps":  # which has no float64
            logits_NV = logits_NV.cpu()
        device = logits_NV.device
        p_NV = logits_NV[:, self._order.to(device)].double().softmax(dim=1)
        up_to = F.pad(p_NV.cumsum(dim=1), (1, 0))
        at = np.searchsorted(self._ids, ids)
        first, inner = self._first[at], self._first[at + 1] - self._first[at]
        k = np.arange(inner.max())
        exists = k < inner[:, None]
        edges = self._bounds[np.where(exists, first[:, None] + k, 0)]  # (N, longest - 1, 2)
        lo, hi = (up_to.gather(1, torch.from_numpy(edges[..., side]).to(device)).cpu().numpy() for side in (0, 1))
        # A prefix is as probable as the token at least, and no more than a shorter one. Small differences of
        # large sums may say otherwise, and on a GPU, which sums in parallel, the sums need not even rise.
        with np.errstate(divide="ignore", invalid="ignore"):
            cost = np.where(exists & (hi > lo), -np.log2(hi - lo), np.inf)
        cost = np.minimum(np.maximum.accumulate(np.maximum(cost, 0), axis=1), total[:, None])
        return np.diff(cost, axis=1, prepend=0, append=total[:, None])


class _Spans:
    """The spans of a text's tokens: each a gap of white space, which may be empty, and a body."""

    def __init__(self, starts: np.ndarray, text: str) -> None:
        """`starts`: (tokens + 1,), in bytes."""
        chars, widths = _characters(text)
        n = int(starts[-1])
        not_space = ~np.repeat(_is_space(chars), widths)
        next_not_space = np.minimum.accumulate(np.where(not_space, np.arange(n), n)[::-1])[::-1]
        begins, ends = starts[:-1], starts[1:]
        body = np.minimum(np.append(next_not_space, n)[begins], ends)
        # Where a span is empty, as where a token is only a part of a character, its bits go to the byte after.
        empty = begins == ends
        begins = np.where(empty, np.minimum(begins, n - 1), begins)
        ends = np.where(empty, begins + 1, ends)
        self._gap = (begins, np.where(body > begins, body, begins + 1))
        self._body = (np.where(body < ends, body, begins), ends)

    def spread_over_gap(self, bits: np.ndarray, values: np.ndarray) -> None:
        """Add each token's value to `bits`, evenly over its white space, or to its first byte where it has none."""
        _spread(bits, values, *self._gap)

    def spread_over_body(self, bits: np.ndarray, values: np.ndarray) -> None:
        """Add each token's value to `bits`, evenly over its span without white space, or all where that is all."""
        _spread(bits, values, *self._body)


def _spread(bits: np.ndarray, values: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> None:
    lengths = ends - begins
    np.add.at(bits, _ranges(begins, lengths), np.repeat(values / lengths, lengths))


def _ranges(begins: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """begins[0], begins[0] + 1, ... for lengths[0] numbers, then those of the next, ..."""
    return np.arange(lengths.sum()) + np.repeat(begins - np.cumsum(lengths) + lengths, lengths)


@lru_cache(maxsize=1)
def byte_classes(val: str, train: str) -> tuple[Partition, Partition]:
    """The bytes of `val` by place, and those of its words by how often the training part has the word.

    A heading is a line that ends with ":", of at most 40 characters, at the beginning or after an empty
    line; its newline is spacing. A word (`WORD_OR_NUMBER`) begins with its whole first character, however many
    bytes that is. Punctuation is what is none of the others. Frequencies are those of the lower-cased
    word anywhere in `train`, headings too; words within the headings of `val` are not classed.
    """
    chars, widths = _characters(val)
    headings = np.zeros(len(chars), dtype=bool)
    for begin, end in _headings(val):
        headings[begin:end] = True
    counts: Counter[str] = Counter()
    for word, n in Counter(WORD_OR_NUMBER.findall(train)).items():
        counts[word.lower()] += n
    place = np.where(_is_space(chars), PLACES.index("spacing"), PLACES.index("punctuation"))
    frequency = np.full(len(chars), -1)
    for match in WORD_OR_NUMBER.finditer(val):
        begin, end = match.span()
        place[begin] = PLACES.index("word_first")
        place[begin + 1 : end] = PLACES.index("word_rest")
        count = counts[match[0].lower()]
        frequency[begin:end] = next(i for i, least in enumerate(FREQUENCIES.values()) if count >= least)
    place[headings] = PLACES.index("heading")
    frequency[headings] = -1
    partitions = (
        Partition("place", PLACES, np.repeat(place, widths)),
        Partition("word", tuple(FREQUENCIES), np.repeat(frequency, widths)),
    )
    for partition in partitions:
        partition.of_byte.flags.writeable = False  # shared by all who ask
    return partitions


def _headings(text: str) -> list[tuple[int, int]]:
    """The heading lines of `text`: where each begins and ends, in characters, its line end left out."""
    headings, begin, before = [], 0, ""
    for line in text.split("\n"):
        shown = line.removesuffix("\r")
        if not before and shown.endswith(":") and len(shown) <= HEADING_CHARS:
            headings.append((begin, begin + len(shown)))
        begin, before = begin + len(line) + 1, shown
    return headings


def context_classes(data: TokenizedCorpus, block_size: int) -> Partition:
    """The held-out bytes by how many bytes of text stood before their token in its window: 0-15, 16-31, 32-63, ...

    A window's first input is the last token before it, of the training part for the first: it counts too.
    """
    starts = np.asarray(data.val.starts)
    lengths = np.diff(starts)
    before = int(data.train.lengths[-1])  # bytes of the context id
    context = np.empty(len(data.val), dtype=np.int64)
    for first, _, end in windows(len(data.val), block_size):
        context[first:end] = starts[first:end] - starts[first] + (lengths[first - 1] if first else before)
    edges = [16]
    while edges[-1] <= context.max():
        edges.append(2 * edges[-1])
    names = tuple(f"{low}-{high - 1}" for low, high in zip([0, *edges], edges, strict=False))
    return Partition("context", names, np.repeat(np.searchsorted(edges, context, side="right"), lengths))


def _characters(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The code points of `text`, and the bytes that each has in UTF-8."""
    chars = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    return chars, 1 + (chars >= 0x80).astype(np.int64) + (chars >= 0x800) + (chars >= 0x10000)


def _is_space(chars: np.ndarray) -> np.ndarray:
    different, which = np.unique(chars, return_inverse=True)
    return np.array([chr(char).isspace() for char in different], dtype=bool)[which]
