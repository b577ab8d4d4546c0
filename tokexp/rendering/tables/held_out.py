"""The tables of further held-out texts."""

from __future__ import annotations

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.held_out import OnText, TurnOnText, on_texts, turns
from tokexp.rendering.tables.columns import Column, Table, table
from tokexp.rendering.tables.scores import difference_columns
from tokexp.rendering.text import Code, Line

PART = {"val": "validation part", "test": "test part"}
NOTE: Line = [
    "A column is a held-out text, the one that ranks first; a figure is its total bits per byte, the mean over the "
    "seeds, ± half of its 95 % interval. Further texts rank nothing, and no checkpoint was chosen on them."
]
DIFFERENCES_NOTE: Line = [
    "The best of each size on the text that ranks stands beside each other one, on every text. A negative "
    "difference says that it is behind there. Chance over a text is that over its documents, where it has five or "
    "more, or over stretches of a single text; intervals and p-values are corrected for the rows of one text."
]


def name_of(text: OnText) -> str:
    return f"{PART[text.name]} (ranks)" if text.ranks else text.name


def held_out_table(comparison: Comparison) -> Table:
    """A row a cell, a column a text."""
    texts = on_texts(comparison)
    if not texts:
        return Table()
    cells = comparison.cells
    return table(
        Column("run", cells),
        Column("seeds", comparison.means.seeds.tolist()),
        *(Column(name_of(text), [text.totals.get(cell) for cell in cells], ".3f", f"bpb {text.name}")
          for text in texts),
    )  # fmt: skip


def held_out_differences(comparison: Comparison) -> Table:
    """A row a pair and text."""
    rows = [(text, *pair, one) for text in on_texts(comparison) for pair, one in text.differences.items()]
    if not rows:
        return Table()
    return table(
        Column("text", [name_of(text) for text, *_ in rows]),
        Column("run", [best for _, best, _, _ in rows]),
        Column("ahead of", [other for _, _, other, _ in rows]),
        *difference_columns([one for *_, one in rows], "by", "+.3f"),
    )


def turns_line(comparison: Comparison, _: Table) -> Line:
    """Whether the order is another on a further text."""
    found = turns(on_texts(comparison))
    if not found:
        return ["The best on the text that ranks is the best on every further text."]
    more = len(found) - 1
    others = f" So it is with {more} more pair{'' if more == 1 else 's'} of text and tokenizer." if more else ""
    return [*turn_line(max(found, key=lambda turn: turn.resolved)), others]


def turn_line(turn: TurnOnText) -> Line:
    resolved = "resolved" if turn.resolved else "not resolved"
    return [
        *(f"On {turn.text}, ", Code(str(turn.ahead)), " is ahead of ", Code(str(turn.behind)), f" ({resolved}); "),
        *("on the ranking text ", Code(str(turn.behind)), " is."),
    ]
