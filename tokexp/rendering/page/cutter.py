"""A box for text on the page, which `templates/cut.js` cuts as the tokenizers of the report do.

Their vocabularies stand in the page; those that a study does not have, or of a kind that is not written in `cut.js`,
are named and left out.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import sentencepiece
from markupsafe import Markup

from tokexp.analysis.cells import Cell, tokenizers_of
from tokexp.analysis.comparison import Comparison
from tokexp.rendering.page.chart import island

CUT_IN_A_BROWSER = ("byte", "char", "word", "word_cased", "bpe", "bpe_fallback", "bpe_classic", "sp_unigram")
FIRST_CHARS = 80  # characters that stand in the box at first, at most


@dataclass(frozen=True)
class Cutter:
    """What the page needs to cut a text as several tokenizers do."""

    text: str  # what stands in the box at first
    tokenizers: list[tuple[Cell, Cell]]  # each, and the first cell that has it, which gives it its colour
    vocabularies: Markup  # of these, in their order, as JSON
    left_out: list[Cell]  # the other tokenizers


def cutter(comparison: Comparison) -> Cutter | None:
    """What the page needs to cut a text as the comparison's tokenizers do, best run first; None where none can be."""
    runs = comparison.runs.drop_duplicates("tokenizer_sha256")
    shown, vocabularies, left_out = [], [], []
    for digest, cell, tokenizer in zip(runs.tokenizer_sha256, runs.cell, tokenizers_of(runs), strict=True):
        saved = comparison.study.tokenizers.get(digest)
        if saved is None or saved["kind"] not in CUT_IN_A_BROWSER:
            left_out.append(tokenizer)
        else:
            shown.append((tokenizer, cell))
            vocabularies.append(for_browser(saved))
    if not shown:
        return None
    passages = [row for row in comparison.study.segments if row["of"] == "held out"]
    text = next((row["text"] for row in passages if row["name"] in comparison.cell_of), "Hello, world!")
    return Cutter(text.split("\n\n")[0][:FIRST_CHARS], shown, island(vocabularies), left_out)


def for_browser(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """What `cut.js` needs of a `tokenizer.json`: its kind and settings, the ids of its merges end to end."""
    if tokenizer["kind"] == "sp_unigram":
        return {"kind": "sp_unigram", **_unigram(base64.b64decode(tokenizer["model"]))}
    needed = {name: value for name, value in tokenizer.items() if name not in ("format", "version")}
    if "merges" in needed:
        needed["merges"] = [int(i) for line in needed["merges"] for i in line.split()]
    return needed


def _unigram(model: bytes) -> dict[str, Any]:
    """The pieces of a SentencePiece model and their scores, by id; "" for what no text is looked up as."""
    library = sentencepiece.SentencePieceProcessor(model_proto=model)
    ids = range(library.vocab_size())
    hidden = [library.is_control(i) or library.is_unknown(i) or library.is_byte(i) for i in ids]
    pieces = ["" if hide else library.id_to_piece(i) for i, hide in zip(ids, hidden, strict=True)]
    scores = [0 if hide else float(f"{library.get_score(i):.9g}") for i, hide in zip(ids, hidden, strict=True)]
    return {"pieces": pieces, "scores": scores, "first_byte": library.piece_to_id("<0x00>")}
