"""A report's README, of made-up studies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_up import EVIL, HOSTILE, SAMPLE, run, several, whole_study

from tokexp.rendering import readme as readme_module
from tokexp.rendering.readme import absent, write_readme
from tokexp.rendering.tables.sections import tables_of_study
from tokexp.runs.study import Study

CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")


def written(made: Study, folder: Path) -> str:
    return write_readme(made, tables_of_study(made), folder).read_text()


def unescaped(text: str) -> str:
    return re.sub(r"\\([\W_])", r"\1", text)


def test_what_a_report_has(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("ranking", "forest", "parameters"):
        (tmp_path / f"figures/{name}_0.png").write_bytes(b"")
    text = written(whole_study(several()), tmp_path)
    order = ["# Which of bpe, char and words needs the fewest bits per byte on text?", "<sub>made-up, 6 runs</sub>",
             "No tokenizer leads: `bpe` is ahead of `char` by 0.050 bits per byte (95 % over 3 pairs: ",
             "![Bits per byte of each tokenizer](figures/ranking_0.png)",
             "**What would settle it.** ", "tokenizer |", "All runs have ",
             "![How far the best is ahead of the others](figures/forest_0.png)",
             "<details><summary>Behind the answer</summary>",
             "<details><summary>Bits per byte on held-out text: <code>bpe</code> needs the fewest, 2.200; ",
             "<details><summary>Which differences are real: 0 of 3 pairs are resolved.</summary>",
             "<details><summary>Where the parameters are</summary>\n\n![",
             "<details><summary>The same text in every tokenizer's pieces</summary>",
             "<details><summary>Samples</summary>",
             "## Where this comes from\n\n- text (640 held-out bytes"]  # fmt: skip
    places = [text.index(part.replace("'", "&#39;") if part.startswith("<details>") else part) for part in order]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("</details>")
    assert "bits_per_byte_0.png" not in text, "which was not drawn"
    assert "- commit abc\n" in text
    assert "missing" not in text.lower()


def test_a_sweep_with_a_question_asks_it_first(tmp_path: Path) -> None:
    text = written(whole_study(several(), name="vocab_size"), tmp_path)
    assert text.startswith("# How large a vocabulary")
    assert "<sub>vocab\\_size" not in text


def test_pieces_of_the_passage_by_hand(tmp_path: Path) -> None:
    text = written(whole_study([run("char")]), tmp_path)
    assert "- char, 7 pieces: `KING│:⏎│h│\ufffd│\ufffd│ <b>│⏎⏎you`" in text


def test_samples_stand_side_by_side_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each cell's first seed; no tag of theirs is one, and no empty line ends the table."""
    monkeypatch.setattr(readme_module, "ABREAST", 2)
    text = written(whole_study(several()), tmp_path)
    samples = text.split("<details><summary>Samples")[1].split("\n\n## ")[0]
    assert samples.count("<table>") == 2 * 2
    assert samples.count("<pre>") == 2 * 3
    assert "<script" not in samples
    assert EVIL not in samples
    assert "<pre>&#10;KING:&#10;How now &amp; é &lt;/script&gt;" in samples
    assert f"&#x27;KING&#x27;, temperature 0.8, {len(SAMPLE)} characters" in samples


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    missing = [{"name": name, "state": "failed", "reason": name} for name in HOSTILE]
    text = written(whole_study([run(name) for name in HOSTILE], missing=missing), tmp_path)
    outside = re.sub(r"`[^`\n]*\│[^\n]*`$|<table>.*?</table>", "", text, flags=re.DOTALL | re.MULTILINE)
    for name in HOSTILE:
        assert f"- {name}: failed: {name}" in unescaped(text)
    for tag in ("<b>", "<!--"):
        assert not re.search(rf"(?<!\\){tag}", CODE.sub("", outside))
    for row in (line for line in outside.splitlines() if line.startswith("|")):
        assert row.rstrip().endswith("|")
    tables = re.findall(r"(?:^\|.*\n)+", outside, flags=re.MULTILINE)
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_missing_runs_are_said_at_the_top_and_named_at_the_end(tmp_path: Path) -> None:
    missing = [{"name": "a", "state": "failed", "reason": "no memory"}, {"name": "b", "state": "stopped", "reason": ""}]
    text = written(whole_study(several(), missing=missing), tmp_path)
    assert "**2 of 8 runs are missing**; the end of this page says which." in text
    assert "## Missing\n\n- a: failed: no memory\n- b: stopped\n" in text
    assert absent(missing[1]) == "b: stopped"


def test_long_tables_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme_module, "MOST_ROWS", 2)
    text = written(whole_study(several()), tmp_path)
    assert "These are the first 2 of 4; `tables/bits_per_byte.csv` has them all." in text


def test_few_panels_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        readme_module, "panel_names", lambda comparison, number: {cell: f"p{cell}" for cell in comparison.cells}
    )
    monkeypatch.setattr(readme_module, "MOST_PANELS", 2)
    (tmp_path / "figures").mkdir()
    for arm in ("bpe", "char", "words"):
        (tmp_path / f"figures/p{arm}.png").write_bytes(b"")
    text = written(whole_study(several()), tmp_path)
    assert "These are the 2 best of 3." in text
    assert re.findall(r"!\[training of (\w+)\]", text) == ["bpe", "char"]
