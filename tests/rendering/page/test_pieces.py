"""Texts in their pieces: cut by hand, and whole whatever the pieces are."""

from __future__ import annotations

import dataclasses
from itertools import accumulate, pairwise

import pytest
from made_up import PASSAGE, SAMPLE, compared, run, several, threes, whole_study

from tokexp.rendering.page.pieces import StyledText, cut_lines, cut_sample, passage_lines, passages, visible

NASTY = "\né\n\n\nüb👑 x\r\n\ty"  # 19 bytes
LENGTHS = [[1] * 19, [19], [7, 0, 12], [18, 1]]


def cut(lengths: list[int], **marks: list[object]) -> dict[str, object]:
    return {"bytes": lengths, "unknown": [], "copied": [], "new_words": [], **marks}


def test_lines_by_hand() -> None:
    text = "ab\n\ncdé f"
    lines = list(cut_lines(text, [1, 1, 3, 2, 1, 1, 1], {4}))  # a|b|\n\nc|d + half of é|the other half|' '|f
    assert lines == [
        ([0, 1, 2], [StyledText("a", "p0"), StyledText("b", "p1"), StyledText("⏎⏎", "p2")]),
        (
            [3, 4, 5, 6],
            [StyledText("c", "p2 on"), StyledText("dé", "p3 torn"), StyledText(" ", "p1"), StyledText("f", "p2")],
        ),
    ]
    (one,) = cut_lines("x", [1], {0})
    assert one == ([0], [StyledText("x", "p0", "unknown")])


def test_the_bits_of_pieces_by_hand() -> None:
    (first, second) = cut_lines("ab\ncd", [3, 2], set(), [1.2, 18.04])
    assert first == ([0], [StyledText("ab⏎", "p0", "", "s0", "1.2 bits, 0.4 per byte")])
    assert second == ([1], [StyledText("cd", "p1", "", "s7", "18.0 bits, 9.0 per byte")])
    (one,) = cut_lines("x", [1], {0}, [2.5])
    assert one[1][0].classes == "p0 unknown s3"
    assert one[1][0].bits == "2.5 bits", "a byte's bits are its bits per byte"


def test_the_bits_of_a_line_are_those_of_the_pieces_that_begin_in_it() -> None:
    """Of the tokenizers whose rows have as many bits as pieces; older studies have none."""
    made = whole_study([run("char"), run("bpe"), run("word")])
    bits = {"char": [i + 0.5 for i in range(7)], "bpe": [1.0]}
    rows = [row | ({"bits": bits[arm]} if (arm := row["name"].split("-")[0]) in bits else {}) for row in made.segments]
    lines = passage_lines(compared(dataclasses.replace(made, segments=rows)))
    costs = {str(cut.cell): [line[i].bits for line in lines] for i, cut in enumerate(lines[0])}
    assert costs["bpe"] == costs["word"] == [None] * len(lines)
    assert sum(cost or 0 for cost in costs["char"]) == sum(bits["char"])
    assert costs["char"][0] == sum(bits["char"][: lines[0][0].begin])


@pytest.mark.parametrize("lengths", LENGTHS)
def test_lines_are_the_whole_text(lengths: list[int]) -> None:
    assert sum(lengths) == len(NASTY.encode())
    lines = list(cut_lines(NASTY, lengths, set()))
    shown = "".join(span.text for _, spans in lines for span in spans)
    assert shown == visible(NASTY) == NASTY.replace("\n", "⏎").replace("\r", "␍").replace("\t", "⇥")
    starts = [start for start, _ in pairwise(accumulate(lengths, initial=0))]
    assert [n for begin, _ in lines for n in begin] == [n for n, start in enumerate(starts) if start < 19]


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
