"""A picture as a part of the page: its SVG with the page's colours and font, so that it is drawn on a dark page too.

A figure without an SVG, or with a heavy one, is an image, whose lightness the style turns round on a dark page.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup, escape

from tokexp.rendering.figures.style import on_dark

HEAVY = 250_000  # characters of an SVG from which on its PNG is taken
KEPT = {"svg", "g", "defs", "path", "use", "clipPath", "rect", "text", "tspan"}  # what matplotlib draws with
XLINK = "{http://www.w3.org/1999/xlink}href"
COLOUR = re.compile(r"#[0-9a-f]{6}\b", re.IGNORECASE)
FONT = re.compile(r"font-family:[^;]*;?\s*")
DECIMALS = re.compile(r"(\.\d\d)\d+")
UNTURNED = re.compile(r"rotate\(-?0(\.0+)? [^)]*\)")
DARK_INK, DARK_PAPER = (228, 231, 234), (20, 23, 26)  # of page.css


@dataclass(frozen=True)
class Drawing:
    """A picture in HTML. `colours`: those that it has, #rrggbb."""

    caption: str
    markup: Markup
    colours: frozenset[str] = frozenset()


def drawing(figures: Path, name: str, caption: str) -> Drawing | None:
    """The picture `name` of the folder `figures`; None where it was not drawn."""
    vector, image = (figures / (name + ending) for ending in (".svg", ".png"))
    drawn = inline(vector.read_text(encoding="utf-8"), name, caption) if vector.is_file() else None
    if not image.is_file() or (drawn and len(drawn.markup) < HEAVY):
        return drawn
    data = base64.b64encode(image.read_bytes()).decode()
    tag = Markup('<img alt="{}" src="data:image/png;base64,{}">')
    return Drawing(caption, tag.format(caption, data))


def inline(svg: str, name: str, caption: str) -> Drawing | None:
    """An SVG as an element of the page; None where it is damaged.

    Nothing is taken over but shapes and text. `name`: of the picture, before each of its ids, which are its own.
    """
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        return None
    used = {value.strip("#") for element in root.iter() for value in _references(element)}
    colours: set[str] = set()
    _, _, width, height = (root.get("viewBox") or "0 0 1 1").split()
    inner = "".join(_written(child, name, used, colours) for child in root)
    head = Markup('<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">').format(
        width, height, round(float(width) * 4 / 3), round(float(height) * 4 / 3), caption
    )
    return Drawing(caption, head + Markup(inner + "</svg>"), frozenset(colours))


def _references(element: ElementTree.Element) -> Iterable[str]:
    yield element.get(XLINK, "")
    yield from re.findall(r"url\((#[^)]+)\)", element.get("clip-path", ""))


def _written(element: ElementTree.Element, name: str, used: set[str], colours: set[str]) -> str:
    """The element and what is in it; a group that says nothing is left out."""
    tag = element.tag.rpartition("}")[2]
    if tag not in KEPT:
        return ""
    is_text = tag in ("text", "tspan")
    inner = str(escape(element.text or "")) if is_text else ""
    for child in element:
        inner += _written(child, name, used, colours) + (str(escape(child.tail or "")) if is_text else "")
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in _attributes(element, name, used, colours))
    if tag in ("g", "defs") and not (inner and (attributes or tag == "defs")):
        return inner
    return f"<{tag}{attributes}>{inner}</{tag}>"


def _attributes(
    element: ElementTree.Element, name: str, used: set[str], colours: set[str]
) -> Iterable[tuple[str, str]]:
    for key, value in element.attrib.items():
        if key == XLINK and value.startswith("#"):
            yield "href", f"#{name}-{value[1:]}"
        elif key == "id" and value in used:
            yield "id", f"{name}-{value}"
        elif key == "clip-path":
            yield key, value.replace("url(#", f"url(#{name}-")
        elif key == "style":
            colours |= {colour.lower() for colour in COLOUR.findall(value)}
            yield key, COLOUR.sub(lambda match: f"var({variable_of(match[0])})", FONT.sub("", value)).replace(": ", ":")
        elif key == "transform":
            if turned := UNTURNED.sub("", value).strip():
                yield key, DECIMALS.sub(r"\1", turned)
        elif key in ("d", "x", "y", "width", "height"):
            yield key, DECIMALS.sub(r"\1", " ".join(value.split()))


def variable_of(colour: str) -> str:
    """The CSS variable that has `colour`, or its like on the dark page: of greys `--g`, of all others `--c`."""
    digits = colour.lower().removeprefix("#")
    return f"--g{digits[:2]}" if is_grey(colour) else f"--c{digits}"


def is_grey(colour: str) -> bool:
    return colour[1:3] == colour[3:5] == colour[5:7]


def for_dark(colour: str) -> str:
    """What `colour` is on a dark page: a grey is as far from ink as it was from black, others can be seen."""
    if not is_grey(colour):
        return on_dark(colour)
    share = int(colour[1:3], 16) / 255  # of paper
    mixed = (round(share * paper + (1 - share) * ink) for ink, paper in zip(DARK_INK, DARK_PAPER, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
