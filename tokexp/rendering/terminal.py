"""What a terminal shows: the pieces of a text in colour, tables of tokenizers and runs, the ranking of a study."""

from __future__ import annotations

import itertools
import math
from operator import itemgetter
from typing import Any

from tabulate import tabulate

from tokexp.runs.study import Study
from tokexp.tokenizer import Tokenizer

BACKGROUNDS = (153, 186, 181, 222, 151)  # of the 256 colours of a terminal: pale, told apart side by side
# What `visible` writes, explained.
MARKS = {
    "·": "· is a space",
    "⏎": "⏎ is the end of a line",
    "⇥": "⇥ is a tab",
    "\\x": "\\xc3 is one byte of a character that is cut into several tokens",
}
ROWS = {
    "vocabulary": ("vocab_size", ",.0f"),
    "of which the text uses": ("vocab_used", ",.0f"),
    "bytes per token": ("bytes_per_token", ".3f"),
    "characters per token": ("chars_per_token", ".3f"),
    "tokens per word": ("fertility", ".3f"),
    "words split": ("words_split", ".1%"),
    "unknown tokens": ("unk_rate", ".2%"),
    "byte-fallback tokens": ("byte_fallback_rate", ".2%"),
    "bytes of a token: 10 % at most": ("token_bytes_p10", ".0f"),
    "half at most": ("token_bytes_p50", ".0f"),
    "90 % at most": ("token_bytes_p90", ".0f"),
    "longest": ("token_bytes_max", ",.0f"),
    "unigram entropy, bits": ("unigram_entropy", ".3f"),
    "Rényi efficiency (order 2.5)": ("renyi_efficiency", ".3f"),
    "training, seconds": ("train_seconds", ".2f"),
    "encoding the training part, seconds": ("encode_seconds", ".2f"),
    "loses something": ("lossy", ""),
}


def pieces(tokenizer: Tokenizer, text: str) -> list[tuple[int, str]]:
    """Each id with what it stands for, spacing made visible; a part of a character as its bytes."""
    raw = text.encode()
    ids, spans = tokenizer.encode_with_spans(text)
    return [(i, visible(raw[start:end])) for i, (start, end) in zip(ids, spans, strict=True)]


def visible(piece: bytes) -> str:
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in piece)
    shown = {"\n": "⏎", "\t": "⇥", "\r": "␍", " ": "·"}
    return "".join(shown.get(char, char if char.isprintable() else f"\\u{ord(char):04x}") for char in text)


def paint(tokenizer: Tokenizer, text: str, *, colour: bool, ids: bool) -> str:
    """The pieces of `text` in a row: in alternating colours, or between bars; a new line after a newline."""
    parts = []
    for n, (i, piece) in enumerate(pieces(tokenizer, text)):
        label = f"{piece}({i})" if ids else piece
        unknown = i == tokenizer.unk_id and not tokenizer.lossless
        if colour:
            style = "1;97;41" if unknown else f"30;48;5;{BACKGROUNDS[n % len(BACKGROUNDS)]}"
            label = f"\x1b[{style}m{label}\x1b[0m"
        else:
            label = f"[{label}?]|" if unknown else f"{label}|"
        parts.append(label + ("\n" if "⏎" in piece else ""))
    return "".join(parts).rstrip("\n")


def legend(tokenizer: Tokenizer, text: str, *, colour: bool) -> list[str]:
    """A line that explains the marks in the painted pieces of `text`; no line where they have none."""
    shown = pieces(tokenizer, text)
    told = [meaning for mark, meaning in MARKS.items() if any(mark in piece for _, piece in shown)]
    if not tokenizer.lossless and any(i == tokenizer.unk_id for i, _ in shown):
        told.append(f"{'white on red' if colour else '[...?]'} is text that it has no token for")
    return [f"({'; '.join(told)})"] if told else []


def score_table(rows: list[dict[str, Any]]) -> str:
    """Runs on one text, with the interval over it, as text of equal widths."""
    head = ["run", "tokens", "bits per byte", "95 % over the text", "naive", "restoration"]
    cells = [
        [one["run"], f"{one['tokens']:,}", f"{one['bits_per_byte']:.4f}", _interval(one),
         f"{one['naive']:.4f}", f"{one['restoration']:.4f}"]
        for one in rows
    ]  # fmt: skip
    text: str = tabulate(cells, headers=head, disable_numparse=True, colalign=("left", *["right"] * 5))
    return text


def difference_line(one: dict[str, Any]) -> str:
    """Who is ahead of whom on a text, and whether the text can tell; of other seeds it says nothing."""
    line = f"{one['ahead']} leads {one['behind']} by {one['by']:.4f} bits per byte"
    if one["low"] is None:
        return f"{line}; the text is too short for an interval."
    verdict = "this text cannot tell them apart" if one["low"] <= 0 <= one["high"] else "this text tells them apart"
    return f"{line} (95 %: {_interval(one)}): {verdict}."


def _interval(one: dict[str, Any]) -> str:
    return "" if one["low"] is None else f"{one['low']:.4f} to {one['high']:.4f}"


def table(columns: dict[str, dict[str, Any]]) -> str:
    """Figures by row, tokenizers by column, as text of equal widths."""
    rows = [
        [label, *(format(figures[name], form) for figures in columns.values())] for label, (name, form) in ROWS.items()
    ]
    text: str = tabulate(rows, headers=["", *columns], disable_numparse=True, stralign="right")
    return text


def ranking_rows(study: Study) -> list[dict[str, Any]]:
    """Rank the cells of each held-out text: bits per byte, their 95 % interval over the seeds, restoration."""
    from tokexp.analysis.comparison import comparisons  # statistics, which `show` does without
    from tokexp.rendering.sentences import title

    rows = []
    for comparison in comparisons(study):
        restoration, seeds = comparison.mean("bpb_restoration"), comparison.mean("seeds")
        for cell in comparison.cells:
            total = comparison.total(cell)
            half = math.nan if total.half is None else total.half
            rows.append(
                {
                    "text": title(comparison),
                    "run": str(cell),
                    "bpb": total.value,
                    "bpb_low": total.value - half,
                    "bpb_high": total.value + half,
                    "bpb_restoration": restoration[cell],
                    "seeds": int(seeds[cell]),
                }
            )
    return rows


def ranking_table(rows: list[dict[str, Any]]) -> str:
    """Rows of `ranking_rows` as a table for each held-out text."""
    tables = []
    for text, of_text in itertools.groupby(rows, key=itemgetter("text")):
        lines = [[row["run"], _with_half(row), _restoration(row), str(row["seeds"])] for row in of_text]
        head = ["best first", "bits per byte", "of it restoration", "seeds"]
        several = len(lines) < len(rows)
        table = tabulate(lines, headers=head, disable_numparse=True, colalign=("left", "left", "right", "right"))
        tables.append(f"{text}\n\n{table}" if several else table)
    return "\n\n".join(tables)


def _with_half(row: dict[str, Any]) -> str:
    half = (row["bpb_high"] - row["bpb_low"]) / 2
    return f"{row['bpb']:.3f}" + ("" if math.isnan(half) else f" ± {half:.3f}")


def _restoration(row: dict[str, Any]) -> str:
    return f"{row['bpb_restoration']:.3f}" if row["bpb_restoration"] else ""


def answer_text(study: Study) -> str:
    """The first sentence of the report, of each corpus; of several, what holds over all of them too, or that alone."""
    from tokexp.analysis.comparison import comparisons
    from tokexp.analysis.texts.left_out import left_out
    from tokexp.rendering.first_screen import answer_lines
    from tokexp.rendering.sentences import title
    from tokexp.rendering.tables.across import tables_across
    from tokexp.rendering.text import plain

    every = comparisons(study)
    several = len(every) > 1
    lines = [plain(section.finding(every)) for section, _ in tables_across(every) if not section.folded]
    for comparison in [] if left_out(every) else every:
        begin = f"{title(comparison)}: " if several else ""
        lines += [f"{begin}{plain(line)}" for line in answer_lines(comparison)[:1]]
    return "\n".join(lines)
