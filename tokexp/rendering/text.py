"""A line of text with its emphasis, before it is Markdown, HTML or LaTeX.

What comes from runs, settings and models is plain text in it, and is escaped where a form needs that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# What Markdown would take for emphasis, code, links, tags or the end of a field; a `_` in a word is none of them.
MARKDOWN = re.compile(r"[\\`*|<\[&~]|(?<![^\W_])_|_(?![^\W_])")
CONTROLS = {i: 0x2400 + i for i in range(32) if chr(i) not in "\n\t"} | {127: 0x2421}
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "∝": r"$\propto$",
}  # fmt: skip


@dataclass(frozen=True)
class Strong:
    text: str


@dataclass(frozen=True)
class Emphasis:
    text: str


@dataclass(frozen=True)
class Code:
    text: str


Inline = str | Strong | Emphasis | Code
Line = list[Inline]


@dataclass(frozen=True)
class Bullets:
    """A list, an item a line."""

    lines: list[Line]


Paragraph = Line | Bullets  # a paragraph or a list


def markdown(line: Iterable[Inline]) -> str:
    return "".join(_markdown(part) for part in line)


def _markdown(part: Inline) -> str:
    match part:
        case Strong(text):
            return f"**{_escaped(text)}**"
        case Emphasis(text):
            return f"*{_escaped(text)}*"
        case Code(text):
            return _code(text)
        case _:
            return _escaped(part)


def _code(text: str) -> str:
    """`text` between more backticks than stand in a row in it; beside one of its own a blank, which is not shown."""
    ticks = "`" * (max((len(row) for row in re.findall("`+", text)), default=0) + 1)
    return f"{ticks} {text} {ticks}" if len(ticks) > 1 else f"{ticks}{text}{ticks}"


def _escaped(text: str) -> str:
    return MARKDOWN.sub(r"\\\g<0>", text)


def html(line: Iterable[Inline]) -> Markup:
    return Markup("").join(_html(part) for part in line)


def _html(part: Inline) -> Markup:
    match part:
        case Strong(text):
            return Markup("<strong>{}</strong>").format(text)
        case Emphasis(text):
            return Markup("<em>{}</em>").format(text)
        case Code(text):
            return Markup("<code>{}</code>").format(text)
        case _:
            return escape(part)


def latex(line: Iterable[Inline]) -> str:
    return "".join(LATEX.get(char, char) for char in plain(line))


def plain(line: Iterable[Inline]) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in line)


def markdown_paragraphs(blocks: Iterable[Paragraph]) -> str:
    return "\n\n".join(
        "\n".join(f"- {markdown(line)}" for line in block.lines) if isinstance(block, Bullets) else markdown(block)
        for block in blocks
    )


def html_paragraph(block: Paragraph) -> Markup:
    if isinstance(block, Bullets):
        items = Markup("").join(Markup("<li>{}</li>").format(html(line)) for line in block.lines)
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(html(block))


def sentence(*lines: Iterable[Inline]) -> Line:
    """Lines end to end, a blank between two."""
    return joined([list(line) for line in lines], " ")


def joined(lines: Sequence[Line], between: str) -> Line:
    """Lines with `between` between two."""
    return [part for i, line in enumerate(lines) for part in ([between, *line] if i else line)]


def listed(lines: Sequence[Line]) -> Line:
    """Lines as a list in a sentence: a, b and c."""
    return joined([joined(lines[:-1], ", "), *lines[-1:]] if len(lines) > 1 else lines, " and ")


def capitalized(line: Line) -> Line:
    """The line as the beginning of a sentence; a name in code stays as it is."""
    first, *others = line
    return [first[:1].upper() + first[1:], *others] if isinstance(first, str) else line


def printable(text: str) -> str:
    """`text` with signs for control characters, which a model of bytes may write; newlines and tabs stay."""
    return text.translate(CONTROLS)


def to_json(line: Iterable[Inline]) -> list[dict[str, str]]:
    """For a file: each part as its text, by what it is: text, strong, emphasis or code."""
    return [{"text": part} if isinstance(part, str) else {type(part).__name__.lower(): part.text} for part in line]


def from_json(line: list[dict[str, str]]) -> Line:
    """The reverse of `to_json`. Raises KeyError, TypeError or AttributeError for anything else."""
    kinds: dict[str, Callable[[str], Inline]] = {"text": str, "strong": Strong, "emphasis": Emphasis, "code": Code}
    return [kinds[kind](text) for part in line for kind, text in part.items()]
