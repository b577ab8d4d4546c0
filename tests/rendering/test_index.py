"""The list of reports: of all that can be read on the page, of those that are committed in the README."""

from __future__ import annotations

import json
from pathlib import Path

from tokexp.rendering.index import write_index
from tokexp.rendering.text import Line, Strong, to_json


def report(folder: Path, question: str, *answers: Line) -> None:
    folder.mkdir()
    parts = [{"corpus": f"text {i}", "answer": [to_json(answer)]} for i, answer in enumerate(answers)]
    (folder / "summary.json").write_text(json.dumps({"question": question, "runs": 6, "parts": parts}))


def test_reports_are_listed_but_for_what_is_not_committed_or_damaged(tmp_path: Path) -> None:
    report(tmp_path / "second", "", ["bpe is."])
    report(tmp_path / "first", "Which is best?", ["char is."], ["word is."])
    for name in ("demo", "single", "tokenizer-seed-f309"):
        report(tmp_path / name, "", ["ours alone."])
    (tmp_path / "second/index.html").write_text("")
    (tmp_path / "second/figures").mkdir()
    (tmp_path / "second/figures/ranking_0.png").write_bytes(b"")
    for name, damage in {
        "half": '{"question": "half',
        "list": "[]",
        "former": '{"question": "", "runs": 1, "parts": [{"corpus": "text", "answer": "a former report wrote text"}]}',
        "strange": '{"question": "", "runs": 1, "parts": [{"corpus": "text", "answer": [[{"blink": "x"}]]}]}',
    }.items():
        (tmp_path / f"damaged_{name}").mkdir()
        (tmp_path / f"damaged_{name}/summary.json").write_text(damage)
    write_index(tmp_path)
    readme, page = (tmp_path / "README.md").read_text(), (tmp_path / "index.html").read_text()
    headings = [line for line in readme.splitlines() if line.startswith("## ")]
    assert headings == ["## [Which is best?](first/README.md)", "## [second](second/README.md)"]
    assert "text 1: word is." in readme
    assert "\nbpe is.\n" in readme
    for name in ("first", "demo", "tokenizer-seed-f309"):
        assert f'href="{name}/README.md"' in page, "the page is not built"
    assert 'href="second/index.html"' in page
    assert page.count("<img") == readme.count("![") == 1, "the others have no picture"
    assert "![Bits per byte of each tokenizer](second/figures/ranking_0.png)" in readme
    assert "damaged" not in page + readme
    assert "ours alone" not in readme


def test_the_sentences_of_an_answer_are_joined(tmp_path: Path) -> None:
    parts = [{"corpus": "text", "answer": [to_json(["a."]), to_json([Strong("b"), "."])]}]
    (tmp_path / "x").mkdir()
    (tmp_path / "x/summary.json").write_text(json.dumps({"question": "", "runs": 1, "parts": parts}))
    write_index(tmp_path)
    assert "\na. **b**.\n" in (tmp_path / "README.md").read_text()
    assert "a. <strong>b</strong>." in (tmp_path / "index.html").read_text()


def test_the_list_is_escaped_and_an_empty_one_says_what_to_type(tmp_path: Path) -> None:
    write_index(tmp_path)
    assert "tokexp.run -m" in (tmp_path / "index.html").read_text()
    report(tmp_path / "odd", "<script>alert(1)</script>", ["a <b> tag, *x* ", Strong("not resolved")])
    write_index(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "<script" not in page
    assert "a &lt;b&gt; tag, *x* <strong>not resolved</strong>" in page
    assert r"a \<b> tag, \*x\* **not resolved**" in (tmp_path / "README.md").read_text()
