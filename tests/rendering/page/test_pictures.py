"""Pictures as parts of the page: in its colours, with ids of their own, and nothing in them but shapes and text."""

from __future__ import annotations

import base64
from pathlib import Path

import matplotlib as mpl
import pytest
from browser import Page
from made_up import EVIL
from matplotlib.figure import Figure

from tokexp.rendering.figures.style import STYLE
from tokexp.rendering.page import pictures
from tokexp.rendering.page.pictures import drawing, for_dark, inline, variable_of


@pytest.fixture(scope="module")
def svg(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What matplotlib draws: a line with markers inside of axes, and a hostile title."""
    path = tmp_path_factory.mktemp("figures") / "one.svg"
    with mpl.rc_context(STYLE):
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], [0, 2], "o-", color="#0072B2")
        axes.set_title(EVIL)
        figure.savefig(path)
    return path.read_text(encoding="utf-8")


def test_a_picture_has_the_colours_and_ids_of_its_page(svg: str) -> None:
    drawn = inline(svg, "one_0", "A <caption>")
    assert drawn is not None
    shown = Page(drawn.markup + (inline(svg, "two_0", "") or drawn).markup)
    assert shown.attributes("svg")[0]["aria-label"] == "A <caption>"
    assert EVIL in shown.all("text")
    assert not shown.attributes("script") + shown.attributes("img") + shown.attributes("style")
    assert len(shown.ids) == len(set(shown.ids)) > 0
    asked = {attributes["href"] for attributes in shown.attributes("use")}
    asked |= {
        str(attributes["clip-path"])[4:-1] for attributes in shown.attributes("path") if "clip-path" in attributes
    }
    assert asked == {f"#{name}" for name in shown.ids}
    assert "#0072b2" in drawn.colours
    assert "var(--c0072b2)" in drawn.markup
    styles = " ".join(str(attributes["style"]) for _, attributes in shown.elements if "style" in attributes)
    assert "#" not in styles
    assert "DejaVu" not in styles


def test_what_is_no_shape_is_left_out() -> None:
    evil = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 30 60" '
        'onload="x()"><script>x()</script><a xlink:href="javascript:x()"><text>y</text></a><foreignObject/>'
        '<use xlink:href="https://example.org/#a"/><path onclick="x()" d="M 0.123456 1"/></svg>'
    )
    drawn = inline(evil, "one", "")
    assert drawn is not None
    head = '<svg viewBox="0 0 30 60" width="40" height="80" role="img" aria-label="">'
    assert drawn.markup == head + '<use></use><path d="M 0.12 1"></path></svg>'
    assert inline("<svg", "one", "") is None


def test_which_file_is_taken(svg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawing(tmp_path, "one", "") is None
    (tmp_path / "one.png").write_bytes(b"png")
    image = drawing(tmp_path, "one", "<c>")
    assert image is not None
    assert base64.b64encode(b"png").decode() in image.markup
    assert 'alt="&lt;c&gt;"' in image.markup
    (tmp_path / "one.svg").write_text(svg)
    drawn = drawing(tmp_path, "one", "")
    assert drawn is not None
    assert drawn.markup.startswith("<svg")
    monkeypatch.setattr(pictures, "HEAVY", len(drawn.markup))
    heavy = drawing(tmp_path, "one", "<c>")
    assert heavy == image


def test_colours_on_the_dark_page() -> None:
    assert (for_dark("#ffffff"), for_dark("#000000")) == ("#14171a", "#e4e7ea"), "paper and ink"
    assert for_dark("#e69f00") == "#e69f00"
    assert for_dark("#0072b2") != "#0072b2"
    assert (variable_of("#B0B0B0"), variable_of("#0072B2")) == ("--gb0", "--c0072b2")
