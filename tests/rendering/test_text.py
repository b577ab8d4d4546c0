"""Lines with emphasis in every form: what is text in them stays text."""

from __future__ import annotations

import html as python_html
import json
import re

import pytest
from made_up import EVIL, HOSTILE

from tokexp.rendering.text import (
    Bullets,
    Code,
    Emphasis,
    Strong,
    capitalized,
    from_json,
    html,
    html_paragraph,
    latex,
    listed,
    markdown,
    markdown_paragraphs,
    plain,
    printable,
    sentence,
    to_json,
)

LINE = ["a ", Strong("b"), " ", Emphasis("c"), " ", Code("d_e"), " f"]


def test_a_line_in_every_form() -> None:
    assert markdown(LINE) == "a **b** *c* `d_e` f"
    assert html(LINE) == "a <strong>b</strong> <em>c</em> <code>d_e</code> f"
    assert latex(LINE) == r"a b c d\_e f"
    assert plain(LINE) == "a b c d_e f"


def test_paragraphs_and_lists() -> None:
    blocks = [["a ", Strong("b"), " <c>"], Bullets([["d"], ["e"]])]
    assert [str(html_paragraph(block)) for block in blocks] == [
        "<p>a <strong>b</strong> &lt;c&gt;</p>",
        "<ul><li>d</li><li>e</li></ul>",
    ]
    assert markdown_paragraphs([["a ", Strong("b")], Bullets([["d"], ["e"]])]) == "a **b**\n\n- d\n- e"


@pytest.mark.parametrize("name", [*HOSTILE, EVIL])
def test_hostile_text_stays_text(name: str) -> None:
    for part in (name, Strong(name), Emphasis(name), Code(name)):
        shown = str(html([part]))
        assert python_html.unescape(re.sub(r"^<(strong|em|code)>|</(strong|em|code)>$", "", shown)) == name
        assert not re.search(r"<(?!/?(strong|em|code)>)", shown)
        assert plain([part]) == name
        assert from_json(json.loads(json.dumps(to_json([part])))) == [part]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<b>", r"\<b>"), ("a|b", r"a\|b"), ("*x*", r"\*x\*"), ("**x**", r"\*\*x\*\*"), ("`x`", r"\`x\`"),
        ("[x](y)", r"\[x](y)"), ("a\\b", r"a\\b"), ("&lt;", r"\&lt;"), ("_x_", r"\_x\_"),
        ("word_cased 5 > 3 #1", "word_cased 5 > 3 #1"),
    ],
)  # fmt: skip
def test_markdown_escapes(text: str, escaped: str) -> None:
    """Nothing in a name is emphasis, code, a link, a tag or the end of a field of a table."""
    assert markdown([text]) == escaped
    assert markdown([Strong(text)]) == f"**{escaped}**"
    assert markdown([Emphasis(text)]) == f"*{escaped}*"


def test_latex_escapes() -> None:
    """What LaTeX would take for commands, comments, fields and mathematics."""
    assert latex(["a & b_c: 5% of $3 #1 {x}"]) == r"a \& b\_c: 5\% of \$3 \#1 \{x\}"
    assert latex(["\\~^"]) == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
    assert latex(["2.0 ± 0.1 ∝ x"]) == r"2.0 $\pm$ 0.1 $\propto$ x"
    assert latex([Strong("not resolved"), Emphasis("x"), ": ", Code("y")]) == "not resolvedx: y"


def test_lines_are_joined_by_blanks() -> None:
    assert sentence(["a."], [Strong("b"), "."]) == ["a.", " ", Strong("b"), "."]
    assert sentence() == []


def test_lines_in_a_file() -> None:
    assert to_json(["a", Strong("b")]) == [{"text": "a"}, {"strong": "b"}]
    assert from_json(to_json(LINE)) == LINE
    for damaged in ([{"strange": "x"}], "text", [3]):
        with pytest.raises((KeyError, TypeError, AttributeError)):
            from_json(damaged)


def test_control_characters_are_shown_as_signs() -> None:
    assert printable("a\x00b\x1b[0m\n\tc\x7fé") == "a␀b␛[0m\n\tc␡é"


def test_code_with_backticks_stays_code() -> None:
    assert markdown([Code("bpe_4k")]) == "`bpe_4k`"
    assert markdown([Code("`x`")]) == "`` `x` ``"
    assert markdown([Code("a``b")]) == "``` a``b ```"


def test_lines_are_joined_as_in_a_sentence() -> None:
    a, b, c = ["a"], [Code("b")], ["c"]
    assert markdown(listed([a, b, c])) == "a, `b` and c"
    assert listed([a, b]) == ["a", " and ", Code("b")]
    assert (listed([a]), listed([])) == (["a"], [])
    assert capitalized(["at size ", *b]) == ["At size ", *b]
    assert capitalized(b) == b
