"""Texts in the pieces of a tokenizer: the held-out passage line by line, and samples with their marks.

A character belongs to the piece in which it begins, so that the same text is as wide under every tokenizer.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from tokexp.analysis.cells import Cell, tokenizers_of
from tokexp.analysis.comparison import Comparison
from tokexp.rendering.text import printable

SIGNS = {10: "⏎", 9: "⇥", 13: "␍"}
LEVELS = (0.5, 1, 2, 3, 4, 6, 8)  # bits per byte at which a piece gets the next colour


@dataclass(frozen=True)
class StyledText:
    """A bit of text that is drawn alike."""

    text: str
    piece: str = ""  # classes of CSS: of its piece
    marks: str = ""  # and of what is said of it
    surprise: str = ""  # and of the bits that it costs
    bits: str = ""  # these in words

    @property
    def classes(self) -> str:
        return " ".join(filter(None, (self.piece, self.marks, self.surprise)))


@dataclass(frozen=True)
class CutLine:
    """A line of the held-out passage under one tokenizer."""

    tokenizer: Cell
    cell: Cell  # the first with that tokenizer, which gives it its colour
    begin: int  # pieces that begin in the line
    bits: float | None  # of these; None where they are not known
    pieces: list[StyledText]


@dataclass(frozen=True)
class CutPassage:
    """The held-out passage under one tokenizer."""

    tokenizer: Cell
    cell: Cell
    row: dict[str, Any]  # of segments.jsonl


def passages(comparison: Comparison) -> list[CutPassage]:
    """The passage under every tokenizer whose runs have left it, best run first."""
    runs = comparison.runs.drop_duplicates("tokenizer_sha256")
    rows = {row["name"]: row for row in comparison.study.segments if row["of"] == "held out"}
    return [
        CutPassage(tokenizer, cell, rows[name])
        for name, cell, tokenizer in zip(runs["name"], runs.cell, tokenizers_of(runs), strict=True)
        if name in rows
    ]


def passage_lines(comparison: Comparison) -> list[list[CutLine]]:
    """The lines of the passage, each under every tokenizer, so that the same text stands in the same column."""
    lines: list[list[CutLine]] = []
    text = ""
    for passage in passages(comparison):
        row = passage.row
        if row["text"] != (text or row["text"]) or sum(row["bytes"]) != len(row["text"].encode()):
            continue
        text = row["text"]
        bits = row.get("bits") or []  # which older studies lack
        bits = bits if len(bits) == len(row["bytes"]) else []
        for i, (numbers, pieces) in enumerate(cut_lines(text, row["bytes"], set(row["unknown"]), bits)):
            lines += [[]] if i == len(lines) else []
            cost = sum(bits[n] for n in numbers) if bits else None
            lines[i].append(CutLine(passage.tokenizer, passage.cell, len(numbers), cost, pieces))
    return lines


def cut_lines(
    text: str, lengths: list[int], unknown: set[int], bits: Sequence[float] = ()
) -> Iterator[tuple[list[int], list[StyledText]]]:
    """For each line of `text`: the numbers of the pieces that begin in it, and what is drawn of them.

    A line ends after its newlines, empty lines below it included. A piece that goes on in the next line
    keeps its class there; a piece that ends in the middle of a character is "torn". `bits`: of each piece, if known.
    """
    raw = text.encode()
    edges = list(accumulate(lengths, initial=0))
    snapped = _snapped(text, edges)
    breaks = [match.end() for match in re.finditer(rb"\n+(?=[^\n])", raw)]
    for start, end in pairwise([0, *breaks, len(raw)]):
        begin: list[int] = []
        shown: list[StyledText] = []
        for n, (a, b) in enumerate(pairwise(snapped)):
            begin += [n] if start <= edges[n] < end else []
            if a < min(b, end) and b > start:
                piece = _piece(n, goes_on=a < start, torn=b != edges[n + 1])
                marks = "unknown" if n in unknown else ""
                cost = _cost(bits[n], lengths[n]) if bits else ("", "")
                shown.append(StyledText(visible(raw[max(a, start) : min(b, end)].decode()), piece, marks, *cost))
        yield begin, shown


def _cost(bits: float, length: int) -> tuple[str, str]:
    """The class of a piece of `length` bytes by its bits per byte, and its bits in words."""
    per_byte = bits / max(1, length)
    words = f"{bits:.1f} bits, {per_byte:.1f} per byte" if length > 1 else f"{bits:.1f} bits"
    return f"s{bisect_right(LEVELS, per_byte)}", words


def cut_sample(text: str, row: dict[str, Any]) -> list[StyledText]:
    """A sample cut at every edge of a piece or mark. `row`: of segments.jsonl; of another text, the sample is whole."""
    raw = text.encode()
    edges = list(accumulate(row["bytes"], initial=0))
    places = [edge for span in row["copied"] + row["new_words"] for edge in span]
    if edges[-1] != len(raw) or max(places, default=0) > len(raw):  # of another run: no pieces rather than wrong ones
        return [StyledText(text)]
    ends = _snapped(text, edges)[1:]
    torn = {end for end, edge in zip(ends, edges[1:], strict=True) if end != edge}
    marks = [("copied", span) for span in row["copied"]] + [("new", span) for span in row["new_words"]]
    marked = _snapped(text, [edge for _, span in marks for edge in span])
    unknown, cuts = set(row["unknown"]), sorted({0, len(raw), *ends, *marked})
    spans, piece = [], 0
    for start, end in pairwise(cuts):
        while piece < len(ends) and ends[piece] <= start:
            piece += 1
        kinds = [
            kind for (kind, _), a, b in zip(marks, marked[::2], marked[1::2], strict=True) if a <= start and end <= b
        ]
        kinds += ["unknown"] if piece in unknown else []
        goes_on = start > (ends[piece - 1] if piece else 0)
        of_piece = _piece(piece, goes_on=goes_on, torn=end in torn)
        spans.append(StyledText(raw[start:end].decode(), of_piece, " ".join(dict.fromkeys(kinds))))
    return spans


def _piece(number: int, *, goes_on: bool, torn: bool) -> str:
    """The classes of a piece: one of four colours, whether it began before, whether it ends within a character."""
    return " ".join([f"p{number % 4}", *(["on"] if goes_on else []), *(["torn"] if torn else [])])


def _snapped(text: str, edges: list[int]) -> list[int]:
    """Edges in bytes, each moved on to where the next character begins."""
    whole = list(accumulate((len(char.encode()) for char in text), initial=0))
    return [whole[bisect_left(whole, edge)] for edge in edges]


def visible(piece: str) -> str:
    """White space other than a blank becomes a sign."""
    return printable(piece.translate(SIGNS))
