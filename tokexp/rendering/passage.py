"""The held-out passage under every tokenizer, line by line, so that the same text stands in the same column."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pandas as pd

from tokexp.analysis.tables import tokenizer_names
from tokexp.rendering.drawn import Hues
from tokexp.rendering.readme import printable
from tokexp.runs.study import Study


@dataclass(frozen=True)
class Cut:
    """A line of the held-out passage under one tokenizer."""

    label: str
    colour: str
    begin: int  # pieces that begin in the line
    pieces: list[tuple[str, str]]  # CSS class and text


def lines(study: Study, runs: pd.DataFrame, hues: Hues) -> list[list[Cut]]:
    """The lines of the passage, each under every tokenizer, so that the same text stands in the same column.

    `runs` have their `cell`.
    """
    tokenizers = runs.drop_duplicates("tokenizer_sha256")
    names = tokenizer_names(tokenizers)
    rows = {row["name"]: row for row in study.segments if row["of"] == "held out"}
    found: list[list[Cut]] = []
    text = ""
    for name, cell, label in zip(tokenizers["name"], tokenizers.cell, names, strict=True):
        row = rows.get(name)
        if row is None or row["text"] != (text or row["text"]) or sum(row["bytes"]) != len(row["text"].encode()):
            continue
        text = row["text"]
        for i, (begin, pieces) in enumerate(cut_lines(text, row["bytes"], set(row["unknown"]))):
            found += [[]] if i == len(found) else []
            found[i].append(Cut(label, hues[cell], begin, pieces))
    return found


def cut_lines(text: str, lengths: list[int], unknown: set[int]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """For each line of `text`: how many pieces begin in it, and their CSS classes and texts.

    A line ends after its newlines, empty lines below it included. A piece that goes on in the next line
    keeps its class there. A character belongs to the piece in which it begins, so that the same text is as
    wide under every tokenizer; a piece that ends in the middle of one is "torn".
    """
    raw = text.encode()
    whole = [*accumulate((len(char.encode()) for char in text), initial=0)]
    edges = list(accumulate(lengths, initial=0))
    snapped = [whole[bisect_left(whole, edge)] for edge in edges]
    breaks = [match.end() for match in re.finditer(rb"\n+(?=[^\n])", raw)]
    for start, end in pairwise([0, *breaks, len(raw)]):
        begin, shown = 0, []
        for n, (a, b) in enumerate(pairwise(snapped)):
            begin += start <= edges[n] < end
            if a < min(b, end) and b > start:
                marks = {"unknown": n in unknown, "on": a < start, "torn": b != edges[n + 1]}
                kind = " ".join([f"p{n % 4}", *(mark for mark, is_so in marks.items() if is_so)])
                shown.append((kind, visible(raw[max(a, start) : min(b, end)].decode())))
        yield begin, shown


def visible(piece: str) -> str:
    """White space other than a blank becomes a sign."""
    return printable(piece.translate({10: "⏎", 9: "⇥", 13: "␍"}))
