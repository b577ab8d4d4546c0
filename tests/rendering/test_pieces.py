"""Texts in their pieces: cut by hand, and whole whatever the pieces are."""

from __future__ import annotations

import dataclasses
from itertools import accumulate, pairwise

import pytest
from made_up import PASSAGE, SAMPLE, compared, run, several, threes, whole_study

from tokexp.rendering.pieces import StyledText, cut_lines, cut_sample, passage_lines, passages, visible

NASTY = "\né\n\n\nüb👑 x\r\n\ty"  # 19 bytes
LENGTHS = [[1] * 19, [19], [7, 0, 12], [18, 1]]


def cut(lengths: list[int], **marks: list[object]) -> dict[str, object]:
    return {"bytes": lengths, "unknown": [], "copied": [], "new_words": [], **marks}


def test_lines_by_hand() -> None:
    text = "ab\n\ncdé f"
    lines = list(cut_lines(text, [1, 1, 3, 2, 1, 1, 1], {4}))  # a|b|\n\nc|d + half of é|the other half|' '|f
    assert lines == [
        (3, [StyledText("a", "p0"), StyledText("b", "p1"), StyledText("⏎⏎", "p2")]),
        (4, [StyledText("c", "p2 on"), StyledText("dé", "p3 torn"), StyledText(" ", "p1"), StyledText("f", "p2")]),
    ]
    (one,) = cut_lines("x", [1], {0})
    assert one == (1, [StyledText("x", "p0", "unknown")])


@pytest.mark.parametrize("lengths", LENGTHS)
def test_lines_are_the_whole_text(lengths: list[int]) -> None:
    assert sum(lengths) == len(NASTY.encode())
    lines = list(cut_lines(NASTY, lengths, set()))
    shown = "".join(span.text for _, spans in lines for span in spans)
    assert shown == visible(NASTY) == NASTY.replace("\n", "⏎").replace("\r", "␍").replace("\t", "⇥")
    edges = [start for start, end in pairwise(accumulate(lengths, initial=0)) if start < 19]
    assert sum(begin for begin, _ in lines) == len(edges)


def test_a_sample_by_hand() -> None:
    """hi| y|ou + half of é|the other half, with a mark from the i to the y, and one over you."""
    spans = cut_sample("hi youé", cut([2, 2, 3, 1], copied=[[1, 4]], new_words=[[3, 6]], unknown=[0]))
    assert spans == [
        StyledText("h", "p0", "unknown"),
        StyledText("i", "p0 on", "copied unknown"),
        StyledText(" ", "p1", "copied"),
        StyledText("y", "p1 on", "copied new"),
        StyledText("ou", "p2", "new"),
        StyledText("é", "p2 on torn"),
    ]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_sample_is_the_whole_text(lengths: list[int]) -> None:
    for marks in ({}, {"copied": [[1, 5]], "new_words": [[3, 4], [0, 19]], "unknown": [0]}):
        spans = cut_sample(NASTY, cut(lengths, **marks))
        assert "".join(span.text for span in spans) == NASTY
        assert all(span.text for span in spans)


@pytest.mark.parametrize("lengths", [threes(SAMPLE), [len(char.encode()) for char in SAMPLE]])
def test_without_marks_a_sample_is_cut_as_a_line_is(lengths: list[int]) -> None:
    ((_, line),) = cut_lines(SAMPLE.replace("\n", " "), lengths, {2})
    sample = cut_sample(SAMPLE.replace("\n", " "), cut(lengths, unknown=[2]))
    assert [(span.text, set(span.classes.split())) for span in sample] == [
        (span.text, set(span.classes.split())) for span in line
    ]


def test_a_sample_of_another_text_is_whole() -> None:
    assert cut_sample("abc", cut([1])) == [StyledText("abc")]
    assert cut_sample("", cut([])) == []


def test_the_passage_stands_under_every_tokenizer() -> None:
    """Each once, best run first; each line under all of them."""
    comparison = compared(whole_study(several()))
    assert [str(passage.tokenizer) for passage in passages(comparison)] == ["bpe", "char", "words"]
    lines = passage_lines(comparison)
    assert [[str(cut.tokenizer) for cut in line] for line in lines] == [["bpe", "char", "words"]] * 3
    assert "".join(span.text for line in lines for span in line[0].pieces) == visible(PASSAGE)
    assert [sum(line[i].begin for line in lines) for i in range(3)] == [7] * 3


def test_pieces_that_are_not_the_passages_are_left_out() -> None:
    made = whole_study([run("char"), run("bpe")])
    wrong = [row | ({"bytes": [1]} if row["name"].startswith("bpe") else {}) for row in made.segments]
    lines = passage_lines(compared(dataclasses.replace(made, segments=wrong)))
    assert [str(cut.cell) for cut in lines[0]] == ["char"]
    assert passage_lines(compared(dataclasses.replace(made, segments=[]))) == []
