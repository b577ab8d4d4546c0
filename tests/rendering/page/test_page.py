"""The page of a report: escaped, self-contained, and the same each time. At work: test_page_script.py."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from browser import Page
from made_up import EVIL, HOSTILE, SAMPLE, compared, run, several, whole_study

from tokexp.rendering.first_screen import PICTURE, first_screen
from tokexp.rendering.page import page as page_module
from tokexp.rendering.page.page import LIBRARY, page, sampled, write_page
from tokexp.rendering.tables.sections import ComparisonTables, tables_of_study
from tokexp.rendering.text import html as inline_html
from tokexp.runs.study import Study

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def rendered(made: Study, figures: Path) -> Page:
    return Page(page(made, tables_of_study(made), figures))


@pytest.fixture(scope="module")
def made() -> Study:
    return whole_study(several())


@pytest.fixture(scope="module")
def parts(made: Study) -> list[ComparisonTables]:
    """The tables of `made`, which take longer than its page."""
    return tables_of_study(made)


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, for pages without the library's five megabytes."""
    monkeypatch.setattr(page_module, "get_plotlyjs", lambda: "'plotly'")
    folder = tmp_path / "report" / "figures"
    folder.mkdir(parents=True)
    (folder / "bits_per_byte_0.png").write_bytes(PIXEL)
    return folder


def test_structure(made: Study, parts: list[ComparisonTables], figures: Path) -> None:
    shown = Page(page(made, parts, figures))
    (asked,) = shown.all("h1")
    assert asked.startswith("Which of bpe, char and words")
    assert shown.all("title") == [f"{asked} · tokexp"]
    assert "made-up" in shown.all("p")
    assert len(shown.ids) == len(set(shown.ids))
    links = {attributes["href"] for attributes in shown.attributes("a")}
    assert {"#main-0", "#bits_per_byte-0", "#curves-0", "#samples-0", "#passage-0", "#differences-0"} <= links
    assert {link.removeprefix("#") for link in links if link} <= set(shown.ids)
    assert [cell["name"] for cell in shown.data["parts"][0]["cells"]] == ["bpe", "char", "words"]
    assert shown.attributes("img")[0]["src"] == "data:image/png;base64," + base64.b64encode(PIXEL).decode()


def test_nothing_from_elsewhere_and_no_script_but_its_own(
    made: Study, parts: list[ComparisonTables], figures: Path
) -> None:
    shown = Page(page(made, parts, figures))
    for tag, attributes in shown.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "data", "action", "poster") and value != f"../{LIBRARY}":
                assert str(value).startswith(("#", "data:image/")), (tag, name, value)
    assert "@import" not in shown.all("style")[0]
    assert "url(" not in shown.all("style")[0]
    policy = next(attributes["content"] for attributes in shown.attributes("meta") if attributes.get("http-equiv"))
    elements = zip(shown.attributes("script"), shown.all("script"), strict=True)
    scripts = [text for attributes, text in elements if not {"type", "src"} & set(attributes)]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert sorted(re.findall(r"'sha256-([^']+)'", str(policy))) == sorted(digests)
    assert "default-src 'none'" in str(policy)
    (library,) = [attributes for attributes in shown.attributes("script") if "src" in attributes]
    assert re.findall(r"'nonce-([^']+)'", str(policy)) == [library["nonce"]]
    other = page(whole_study([run("char")]), [], figures)
    assert str(library["nonce"]) not in other


def test_hostile_text_is_shown(figures: Path) -> None:
    runs = [run(EVIL), run("{{ 7 * 7 }}", settings={"train.lr": EVIL})]
    runs.append(run("{{ 7 * 7 }}", settings={"train.lr": "*x* ` **y**"}))
    made = whole_study(runs, name=EVIL, missing=[{"name": EVIL, "state": "failed", "reason": EVIL}])
    shown = rendered(made, figures)
    assert len(shown.attributes("script")) == 7
    assert len(shown.attributes("img")) == 1
    assert EVIL in shown.all("h1")[0]
    assert EVIL in shown.all("p")
    assert "{{ 7 * 7 }} lr=*x* ` **y**" in shown.all("td")
    assert {text.removeprefix("\n") for text in shown.all("pre")} == {SAMPLE}
    assert any(EVIL in text for text in shown.all("li"))
    part = shown.data["parts"][0]
    assert part["samples"]["runs"][0]["texts"][0]["text"] == SAMPLE
    assert any(EVIL in cell["name"] for cell in part["cells"])


def test_hostile_names_stay_names(figures: Path) -> None:
    shown = rendered(whole_study([run(name) for name in HOSTILE]), figures)
    assert set(HOSTILE) <= set(shown.all("td"))
    assert {cell["name"] for cell in shown.data["parts"][0]["cells"]} == set(HOSTILE)
    assert "x" not in shown.all("strong") + shown.all("em") + shown.all("code")


def test_the_same_bytes_each_time(made: Study, parts: list[ComparisonTables], figures: Path, tmp_path: Path) -> None:
    path = write_page(made, parts, tmp_path / "report")
    assert path == tmp_path / "report" / "index.html"
    first = path.read_bytes()
    again = whole_study(several())
    assert page(again, tables_of_study(again), figures).encode() == first
    assert str(tmp_path).encode() not in first


def test_the_library_lies_once_beside_all_reports(
    made: Study, parts: list[ComparisonTables], figures: Path, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        assert len(write_page(made, parts, tmp_path / name).read_bytes()) < 200_000
    assert (tmp_path / LIBRARY).read_text() == "'plotly'"
    (tmp_path / LIBRARY).write_text("of another version")
    write_page(made, parts, tmp_path / "one")
    assert (tmp_path / LIBRARY).read_text() == "'plotly'"


def test_the_first_screen(made: Study, parts: list[ComparisonTables], figures: Path) -> None:
    """The question, the answer, the ranking, what would settle it; then the main table; the rest is folded."""
    for name in (PICTURE, "forest", "content"):
        (figures / f"{name}_0.png").write_bytes(PIXEL)
    html = page(made, parts, figures)
    (part,) = parts
    screen = first_screen(part.comparison)
    shown = ["<h1>", str(inline_html(screen.answer)), 'class="picture ranking"', str(inline_html(screen.settle[0]))]
    shown += ['id="main-0"', 'id="curves-0"', 'id="leads-0"', 'id="behind-0"', 'id="pictures-0"']
    order = [html.index(text) for text in shown]
    assert order == sorted(order)
    folded = html[html.index("<details>\n") :]
    for section, made_table in part.tables:
        finding = inline_html(section.finding(part.comparison, made_table))
        assert f'<summary><h3>{section.heading}</h3> <span class="finding">{finding}</span>' in folded


def test_one_run_alone_without_samples_or_segments(tmp_path: Path) -> None:
    shown = rendered(whole_study([run("char")], samples=[], segments=[]), tmp_path)
    part = shown.data["parts"][0]
    assert [cell["seeds"] for cell in part["cells"]] == [1]
    assert "mean" not in part["cells"][0]
    assert part["samples"] == {"draws": [], "runs": [], "classes": []}
    assert not shown.attributes("img")
    assert "Samples" not in shown.all("h3")


def test_without_segments_there_is_no_passage(figures: Path) -> None:
    shown = rendered(whole_study(several(), segments=[]), figures)
    assert "passage-0" not in shown.ids
    assert "samples-0" in shown.ids


def test_two_texts_are_two_parts(figures: Path) -> None:
    other = run("char", name="elsewhere", config_hash="elsewhere", corpus="b", val_sha256="b")
    made = whole_study([*several(), other])
    read = pd.concat([made.readability, made.readability.assign(val_sha256="b")])
    shown = rendered(dataclasses.replace(made, readability=read), figures)
    assert len(shown.data["parts"]) == len(shown.attributes("article")) == 2
    assert len(shown.ids) == len(set(shown.ids))


def test_of_many_runs_the_samples_of_the_first_seeds_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        run("char", seed, [3 - seed / 10], {"train.lr": lr}) for lr in range(3) for seed in (2, 1, 0)
    ]  # so that the last seed is the best one
    comparison = compared(whole_study(runs))
    assert len(sampled(comparison)) == 9
    monkeypatch.setattr(page_module, "MOST_SAMPLED", 8)
    labels = [comparison.labels[name] for name in sampled(comparison)]
    assert sorted(labels) == sorted(f"char lr={lr} s0" for lr in range(3))
    monkeypatch.setattr(page_module, "MOST_SAMPLED", 2)
    assert [comparison.labels[name] for name in sampled(comparison)] == [
        comparison.labels[name] for name in comparison.first_seeds[:2]
    ], "those of the best cells"


def test_figures_on_the_page_have_their_numbers(made: Study, parts: list[ComparisonTables], figures: Path) -> None:
    shown = Page(page(made, parts, figures))
    fields = [attributes for attributes in shown.attributes("td") if attributes.get("class") == "n"]
    numbers = [attributes["data-n"] for attributes in fields if "data-n" in attributes]
    assert len(numbers) > 100
    assert all(str(float(str(number))) for number in numbers)
    assert "data-n" not in {name for attributes in shown.attributes("td") for name in attributes
                            if attributes.get("class") != "n"}  # fmt: skip


def test_needs_no_torch() -> None:
    code = "import sys, tokexp.report, tokexp.rendering.page.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
