"""TinyShakespeare cut into its plays, and held out by whole plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tokexp.config import DataConfig, InputError
from tokexp.data import corpus, pinned, shakespeare
from tokexp.data.corpus import Corpus, load_corpus
from tokexp.data.shakespeare import PLAYS, cut_into_plays
from tokexp.sweep.options import data_option
from tokexp.system import places

LAST_LINES = {  # of each play, as every edition has them; of the last what the file has
    "coriolanus": "Yet he shall have a noble memory. Assist.",
    "richard_iii": "That she may long live here, God say amen!",
    "richard_ii": "In weeping after this untimely bier.",
    "romeo_and_juliet": "Than this of Juliet and her Romeo.",
    "henry_vi_3": "For here, I hope, begins our lasting joy.",
    "winters_tale": "We were dissever'd: hastily lead away.",
    "measure_for_measure": "What's yet behind, that's meet you all should know.",
    "taming_of_the_shrew": "'Tis a wonder, by your leave, she will be tamed so.",
    "tempest": "Whiles thou art waking.",
}


def test_the_plays_are_the_whole_text_and_end_where_they_do(shakespeare: str) -> None:
    plays = list(cut_into_plays(shakespeare))
    assert "".join(play.text for play in plays) == shakespeare
    assert {play.id: play.text.rstrip().rpartition("\n")[2] for play in plays} == LAST_LINES
    assert all(play.text.startswith(PLAYS[str(play.id)]) for play in plays)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("GLOUCESTER:\nNow is the winter", "GLOUCESTER:\nNow is the summer"),
        lambda text: text + PLAYS["tempest"],
        lambda text: "\n" + text,
        lambda text: text[400_000:700_000] + text[:400_000] + text[700_000:],
    ],
)
def test_another_text_is_not_cut(change: Any, shakespeare: str) -> None:
    with pytest.raises(AssertionError, match="play"):
        list(cut_into_plays(change(shakespeare)))


def held_out(shakespeare: str, **settings: Any) -> tuple[Corpus, dict[str, set[str]]]:
    """The corpus of data=plays with these settings, and the ids of the documents of each part."""
    made = load_corpus(DataConfig(**{**vars(data_option("plays", None)), **settings}))
    ids = {play.text: str(play.id) for play in cut_into_plays(shakespeare)}
    parts = {"train": made.train, "val": made.val, "test": made.test}
    return made, {name: {ids[text] for text in part.documents()} for name, part in parts.items() if part}


def test_the_plays_that_the_option_holds_out(shakespeare: str) -> None:
    made, parts = held_out(shakespeare)
    assert parts["val"] == {"taming_of_the_shrew", "tempest"}
    assert parts["test"] == {"coriolanus", "measure_for_measure"} == set(made.names["test"])
    assert parts["train"] == {*PLAYS} - parts["val"] - parts["test"]
    assert (made.name, made.train.separated) == ("plays", True)
    assert sum(part.n_bytes for part in (made.train, made.val, made.scored)) == len(shakespeare)


def test_each_play_can_be_left_out_and_another_validates(shakespeare: str) -> None:
    folds = [held_out(shakespeare, val_ids=None, test_ids=[play]) for play in PLAYS]
    for play, (_, parts) in zip(PLAYS, folds, strict=True):
        assert parts["test"] == {play}
        assert (len(parts["val"]), len(parts["train"])) == (1, 7)
    assert len({made.documents_sha256 for made, _ in folds}) == 1
    assert len({made.scored.sha256 for made, _ in folds}) == len({made.pin for made, _ in folds}) == len(PLAYS)


def test_where_it_cannot_be_had_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEXP_DATA", raising=False)
    monkeypatch.setattr(places, "CACHE", tmp_path)
    monkeypatch.setattr(shakespeare, "SHAKESPEARE_URL", "http://127.0.0.1:9/input.txt")
    monkeypatch.setattr(pinned.time, "sleep", lambda _: None)
    corpus._load_corpus.cache_clear()
    with pytest.raises(InputError, match="is not on this machine"):
        load_corpus(DataConfig(name="plays"))
