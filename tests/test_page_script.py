"""The page at work in a browser, where there is one: curves, tables, samples, themes, phones and paper."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browser import Browser, Page
from made_up import EVIL, PASSAGE, SAMPLE, baseline, falling, run, several, threes, whole_study

from tokexp.rendering.page.page import write_page
from tokexp.rendering.page.pieces import cut_sample
from tokexp.rendering.tables.sections import tables_of_study

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
MARKUP = "<b>&amp;</b>%{x}"  # a name
MARKS = {"copied", "new", "unknown"}
TRACES = "document.querySelector('.chart').data.filter(t => t.mode.includes('markers'))"
COLUMN = (
    "[...document.querySelectorAll('#bits_per_byte-0 tbody tr')]"
    ".filter(r => !r.hidden).map(r => r.cells[%d].textContent)"
)
PIECES = "[...document.querySelectorAll('.samples .card:first-child b')]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "report"
    (folder / "figures").mkdir(parents=True)
    for name in ("bits_per_byte_0", "forest_0"):
        (folder / "figures" / f"{name}.svg").write_bytes(SVG)
    runs = [*several(), run(MARKUP, 0, falling(12.5)), run("bpe", 0, falling(3.15), {"train.lr": EVIL})]
    baselines = pd.DataFrame([baseline("Kneser-Ney", "static", 2.2), baseline(MARKUP, "adaptive", 2.3)])
    made = whole_study(runs, name=EVIL, baselines=baselines)
    bits = [16, 0.1, 0.5, 1, 1, 30, 3]
    made = dataclasses.replace(made, segments=[row | {"bits": bits} for row in made.segments])
    return write_page(made, tables_of_study(made), folder)


@pytest.fixture
def at_work(browser: Browser, page: Path) -> Iterator[Browser]:
    """The page, opened; nothing in it is run that was text, complains, or asks anything of a network."""
    browser.open(page)
    yield browser
    assert browser.do("window.hacked === undefined")
    assert browser.do("document.querySelector('header .note').textContent") == EVIL
    complaints = [
        browser.seen(kind) for kind in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    ]
    assert complaints == [[], [], []]
    asked = {request["request"]["url"].split(":")[0] for request in browser.seen("Network.requestWillBeSent")}
    assert asked <= {"file", "data"}


def cells_of(page: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = Page(page.read_text(encoding="utf-8")).data["parts"][0]["cells"]
    return cells


def click(what: str) -> str:
    return f"document.querySelector({what!r}).click()"


def press(title: str) -> str:
    return f"[...document.querySelectorAll('.chips button')].find(b => b.textContent === {title!r}).click()"


def enter(what: str, value: str, event: str) -> str:
    return (
        f"{{ const field = document.querySelector({what!r}); field.value = {value!r};"
        f" field.dispatchEvent(new Event({event!r}, {{bubbles: true}})) }}"
    )


def test_curves(at_work: Browser, page: Path) -> None:
    cells = cells_of(page)
    lines = [cell.get("mean", cell["runs"][0]) for cell in cells]
    assert at_work.do(f"{TRACES}.map(t => t.x)") == [line["x"]["bytes"] for line in lines]
    assert "bytes" in at_work.do("document.querySelector('.chart .xtitle').textContent")
    for axis, unit in (("FLOPs", "FLOPs"), ("seconds", "seconds"), ("steps", "steps")):
        at_work.do(click(f".curves [name=x][value={axis}]"))
        assert at_work.do(f"{TRACES}[0].x") == lines[0]["x"][axis]
        assert unit in at_work.do("document.querySelector('.chart .xtitle').textContent")
    assert at_work.do(f"{TRACES}[0].y") == lines[0]["y"]["val_bpb"]
    hollow = at_work.do(f"{TRACES}[0].marker.color")
    assert len(set(hollow[:-1])) == 1
    assert hollow[-1] != hollow[0]
    assert at_work.do("document.querySelector('.chart').data.filter(t => t.fill === 'tonexty').length") == 3
    assert at_work.do("document.querySelector('.chart').layout.shapes.length") == 2  # the best of each family
    at_work.do(enter("[name=y]", "lr", "change"))
    assert at_work.do(f"{TRACES}[0].y") == [0.001] * 4
    assert at_work.do("document.querySelector('.chart').layout.shapes.length") == 0


def test_the_chips_are_the_legend(at_work: Browser, page: Path) -> None:
    cells = cells_of(page)
    labels = "[...document.querySelectorAll('.chips label')]"
    assert at_work.do(f"{labels}.map(l => l.textContent)") == [cell["name"] for cell in cells]
    strokes = at_work.do(f"{labels}.map(l => getComputedStyle(l.querySelector('path')).stroke)")
    assert strokes == at_work.do(f"{TRACES}.map(t => t.line.color)")
    at_work.do(click(".curves [name=seeds][value=each]"))
    assert at_work.do(f"{TRACES}.length") == sum(len(cell["runs"]) for cell in cells)
    at_work.do(click(".curves [name=seeds][value=mean]"))
    at_work.do(click(".chips label input"))
    assert at_work.do(f"{TRACES}.length") == len(cells) - 1
    assert cells[0]["name"] not in at_work.do(f"{TRACES}.map(t => t.name)")
    at_work.do(press("none"))
    assert at_work.do(f"{TRACES}.length") == 0
    at_work.do(press("all"))
    assert at_work.do(f"{TRACES}.length") == len(cells)


def test_names_stay_names_in_charts(at_work: Browser) -> None:
    assert MARKUP in at_work.do("[...document.querySelectorAll('.chips label')].map(l => l.textContent)")
    shapes = at_work.do("[...document.querySelectorAll('.chart .shape-label')].map(l => l.textContent)")
    assert sorted(shapes) == [f"{MARKUP} (adaptive) 2.300", "Kneser-Ney (static) 2.200"]
    at_work.do(
        "{ const chart = document.querySelector('.chart');"
        " const curveNumber = chart.data.findIndex(t => t.text && t.text[0].includes('%{x}'));"
        " Plotly.Fx.hover(chart, [{curveNumber, pointNumber: 0}]) }"
    )
    shown = at_work.do("document.querySelector('.chart .hoverlayer').textContent")
    assert MARKUP in shown
    assert "25 % of its schedule" in shown


def test_tables(at_work: Browser) -> None:
    """Sort by figures, by text, back; filter."""
    before = at_work.do(COLUMN % 4)
    for way in (False, True):
        at_work.do(click("#bits_per_byte-0 th:nth-child(5) button"))
        figures = [float(text.split()[0]) for text in at_work.do(COLUMN % 4)]
        assert figures == sorted(figures, reverse=way)
        assert any("±" in text for text in at_work.do(COLUMN % 4))
    assert at_work.do("document.querySelector('#bits_per_byte-0 th[aria-sort]').ariaSort") == "descending"
    at_work.do(click("#bits_per_byte-0 th:nth-child(5) button"))
    assert at_work.do(COLUMN % 4) == before
    at_work.do(click("#bits_per_byte-0 th:nth-child(2) button"))
    assert at_work.do(COLUMN % 1)[-2:] == ["", ""], "a baseline has no seeds"
    at_work.do(click("#bits_per_byte-0 th:nth-child(1) button"))
    names = at_work.do(COLUMN % 0)
    assert names.index("char") < names.index("words")
    at_work.do(enter("#bits_per_byte-0 [type=search]", "WORD", "input"))
    assert at_work.do(COLUMN % 0) == ["words"]


def test_samples(at_work: Browser) -> None:
    """The whole text, cut and marked as Python cut and marked it."""
    assert at_work.do("document.querySelector('.samples pre').textContent") == SAMPLE
    assert len(SAMPLE) == at_work.do(f"{PIECES}.length")
    copied = f"{PIECES}.filter(b => b.classList.contains('copied')).map(b => b.textContent).join('')"
    assert at_work.do(copied) == "KING"
    assert at_work.do(f"{PIECES}.findIndex(b => b.classList.contains('unknown'))") == 2
    at_work.do(enter("[name=draw]", "1", "change"))
    row = {"bytes": threes(SAMPLE), "unknown": [2], "copied": [[1, 5]], "new_words": [[7, 10]]}
    spans = cut_sample(SAMPLE, row)
    for marks in (True, False):
        shown = at_work.do(f"{PIECES}.map(b => [b.textContent, b.className])")
        assert [(text, set(names.split())) for text, names in shown] == [
            (span.text, set(span.classes.split()) - (set() if marks else MARKS)) for span in spans
        ]
        at_work.do(click(".samples [name=marks]"))
    assert any("torn" in span.classes for span in spans)
    at_work.do(click(".samples [name=pieces]"))
    assert at_work.do(f"new Set({PIECES}.flatMap(b => [...b.classList])).size") == 3
    at_work.do(click(".samples [name=marks]"))
    assert at_work.do(f"{PIECES}.length") == 0
    assert at_work.do("document.querySelector('.samples pre').textContent") == SAMPLE
    at_work.do(press("none"))
    assert at_work.do("document.querySelectorAll('.samples pre').length") == 0


def test_the_theme(at_work: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    white = at_work.do(background)
    at_work.do(click("#theme"))
    assert at_work.do("document.documentElement.dataset.theme") == "dark"
    assert at_work.do(background) != white
    assert at_work.do("document.querySelector('.chart').layout.font.color") == at_work.do(
        "getComputedStyle(document.body).color"
    )
    at_work.do(click("#theme"))
    assert at_work.do(background) == white
    assert at_work.do("localStorage.getItem('tokexp-theme')") == "light"
    at_work.do("localStorage.clear()")


def test_dark_is_followed(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True)
    assert browser.do("document.querySelector('#theme').textContent") == "light"
    red = int(re.findall(r"\d+", browser.do("getComputedStyle(document.body).backgroundColor"))[0])
    assert red < 60


def test_on_a_phone(browser: Browser, page: Path) -> None:
    """Nothing is wider than the screen, the total can be seen, the list of sections is folded and a link unfolds."""
    browser.open(page, width=390)
    assert browser.do("document.documentElement.scrollWidth") == 390
    assert browser.do("innerWidth") == 390
    heads = "[...document.querySelectorAll('#main-0 th')]"
    total = f"{heads}.find(head => head.textContent.startsWith('bits per byte'))"
    assert browser.do(f"{total}.getBoundingClientRect().right") < 390
    assert not browser.do("document.querySelector('.menu').open")
    browser.do(click(".menu summary"))
    browser.do(click(".menu a[href='#bits_per_byte-0']"))
    assert browser.do("document.querySelector('#bits_per_byte-0').parentElement.open")
    assert not browser.do("document.querySelector('.menu').open")
    assert browser.do("document.querySelector('#bits_per_byte-0 .box').scrollWidth") > 390  # which scrolls inside


def test_surprise(at_work: Browser) -> None:
    """The bits of a piece are told where the pointer or the focus is on it; the switch colours by them."""
    told = "document.querySelector('.told').textContent"
    pieces = "[...document.querySelectorAll('#passage-0 .pieces b')]"
    at_work.do(click(".menu a[href='#passage-0']"))
    at_work.do(f"{pieces}[0].focus()")
    assert "16.0 bits, 4.0 per byte" in at_work.do(told)
    at_work.do(f"{pieces}[0].dispatchEvent(new KeyboardEvent('keydown', {{key: 'ArrowRight', bubbles: true}}))")
    assert "0.1 bits" in at_work.do(told)
    assert at_work.do(f"{pieces}.filter(b => b.tabIndex === 0).length") == at_work.do(
        "document.querySelectorAll('#passage-0 .pieces').length"
    )
    colour = f"getComputedStyle({pieces}[0]).backgroundColor"
    of_piece = at_work.do(colour)
    counts = "document.querySelector('#passage-0 .n').innerText"
    assert at_work.do(counts) == "2"
    at_work.do(click("[value=surprise]"))
    assert at_work.do(counts) == "16"
    assert at_work.do(colour) != of_piece
    assert at_work.do(colour) == at_work.do("getComputedStyle(document.querySelector('.key.s5')).backgroundColor")


def test_without_its_library_the_pictures_stay(browser: Browser, page: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.html"
    moved.write_bytes(page.read_bytes())
    browser.open(moved)
    assert browser.do("getComputedStyle(document.querySelector('.static')).display") != "none"
    assert browser.do("getComputedStyle(document.querySelector('.chart')).display") == "none"
    assert browser.do(f"{PIECES}.length") == len(SAMPLE)
    assert browser.do("document.querySelectorAll('.chips label').length") == len(cells_of(page))
    assert browser.seen("Runtime.exceptionThrown") == []


def test_without_scripts_and_on_paper(browser: Browser, page: Path) -> None:
    static, chart = (f"getComputedStyle(document.querySelector('{what}')).display" for what in (".static", ".chart"))
    browser.open(page, script=False)
    shown = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]

    def displayed(selector: str) -> bool:
        node = browser.call("DOM.querySelector", nodeId=shown, selector=selector)["nodeId"]
        browser.call("CSS.enable")
        style = browser.call("CSS.getComputedStyleForNode", nodeId=node)["computedStyle"]
        return {entry["name"]: entry["value"] for entry in style}["display"] != "none"

    assert displayed(".static")
    assert displayed("table.data")
    assert displayed(".samples pre")
    assert displayed(".menu a")
    assert not displayed(".chart")
    assert not displayed(".controls")
    browser.open(page, media="print")
    assert browser.do(static) != "none"
    assert browser.do(chart) == "none"
    assert not browser.do("document.querySelector('#samples-0').parentElement.open")
    assert browser.do("document.querySelector('.samples pre').checkVisibility({contentVisibilityAuto: true})")
    browser.open(page)
    assert browser.do(static) == "none"


def test_a_text_is_cut_while_it_is_typed(at_work: Browser) -> None:
    rows = "[...document.querySelectorAll('.cutter tbody tr')].map(row => %s)"
    pieces = "[...row.cells[2].querySelectorAll('b')].map(b => [b.textContent, b.className])"
    assert at_work.do(rows % "row.cells[0].textContent") == ["bpe", "char"]
    assert "cannot cut as" in at_work.do("document.querySelector('.cutter .note').textContent")
    assert PASSAGE.startswith(at_work.do("document.querySelector('.cutter textarea').value"))
    assert all(at_work.do(rows % "row.cells[2].textContent.length"))
    at_work.do(enter(".cutter textarea", "KIé<\n", "input"))
    assert at_work.do(rows % "row.cells[1].textContent") == ["5", "5"]
    bpe, char = at_work.do(rows % pieces)
    assert bpe == [["KI", "p0"], ["é", "p1 torn"], ["<", "p3"], ["⏎", "p0"]]
    assert char == [["K", "p0"], ["I", "p1"], ["é", "p2"], ["<", "p3 unknown"], ["⏎", "p0"]]
    at_work.do(enter(".cutter textarea", "", "input"))
    assert at_work.do(rows % pieces) == [[], []]
