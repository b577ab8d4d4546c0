"""TinyShakespeare: the pinned text, and its cut into the plays that it is made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from tokexp.data.pinned import find
from tokexp.data.sources import Document

SHAKESPEARE = Path("tinyshakespeare/input.txt")
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"

# How each play begins, in the order of the text. The text has no titles; a play goes on to the next one's beginning.
PLAYS = {
    "coriolanus": "First Citizen:\nBefore we proceed any further, hear me speak.\n",
    "richard_iii": "GLOUCESTER:\nNow is the winter of our discontent\n",
    "richard_ii": "KING RICHARD II:\nOld John of Gaunt, time-honour'd Lancaster,\n",
    "romeo_and_juliet": "SAMPSON:\nGregory, o' my word, we'll not carry coals.\n",  # without its prologue
    "henry_vi_3": "WARWICK:\nI wonder how the king escaped our hands.\n",
    "winters_tale": "ARCHIDAMUS:\nIf you shall chance, Camillo, to visit Bohemia, on\n",
    "measure_for_measure": "DUKE VINCENTIO:\nEscalus.\n",
    "taming_of_the_shrew": "SLY:\nI'll pheeze you, in faith.\n",
    "tempest": "Master:\nBoatswain!\n",  # which the end of the file cuts off in its second act
}


def find_shakespeare(path: str | None) -> Path:
    """The file, which has the pinned SHA-256; see `pinned.find`, which raises what this does."""
    return find(SHAKESPEARE, SHAKESPEARE_SHA256, SHAKESPEARE_URL, path)


def cut_into_plays(text: str) -> Iterator[Document]:
    """The plays of TinyShakespeare in their order; end to end they are the text."""
    assert all(text.count(opening) == 1 for opening in PLAYS.values()), "each play begins once"
    begins = [text.index(opening) for opening in PLAYS.values()]
    assert begins[0] == 0, "nothing stands before the first play"
    assert begins == sorted(begins), "the plays are listed in their order"
    for name, (begin, end) in zip(PLAYS, itertools.pairwise([*begins, len(text)]), strict=True):
        yield Document(text[begin:end], id=name)
