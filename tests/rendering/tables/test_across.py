"""The tables over all corpora, and the picture of languages; in each form of a report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from browser import Page
from made_up import compared, language, of_documents, run, seeds, several, study, together

from tokexp.analysis.comparison import Comparison, comparisons
from tokexp.rendering.figures.gallery import draw_figures
from tokexp.rendering.figures.languages import languages
from tokexp.rendering.notebook import StudyReport
from tokexp.rendering.page import page as page_module
from tokexp.rendering.page.page import page
from tokexp.rendering.readme import write_readme
from tokexp.rendering.tables.across import ACROSS, tables_across
from tokexp.rendering.tables.sections import tables_of_study, write_tables
from tokexp.rendering.terminal import answer_text, ranking_rows, ranking_table
from tokexp.rendering.text import markdown
from tokexp.runs.study import Study

*_, CORPORA, LANGUAGES = ACROSS


def parallel() -> Study:
    return together(language("en-US", 1.0), language("de", 2.0), language("ja", 0.5, ["bpe"]))


def rows(every: list[Comparison], name: str) -> list[list[str]]:
    (made,) = [made for section, made in tables_across(every) if section.name == name]
    return [[markdown(value) for value in row] for row in made.rows()]


def test_one_corpus_has_nothing_across() -> None:
    assert tables_across([compared(seeds(0.5))]) == []
    assert tables_across([compared(of_documents())]) == []


def test_corpus_by_tokenizer() -> None:
    other = run("char", name="elsewhere", config_hash="elsewhere", bpb=[3.0], corpus="b", val_sha256="b")
    every = comparisons(study([*several(), other]))
    assert rows(every, "corpora") == [
        ["b", "640", "1", "", "3.000", ""],
        ["text", "640", "2", "2.200 ± 0.635", "2.250 ± 0.635", "2.300 ± 0.635"],
    ]
    assert "Between corpora they may not" in markdown(CORPORA.note(every))
    assert "paragraph" not in markdown(CORPORA.note(every))
    assert markdown(CORPORA.finding(every)) == "The fewest bits are needed by `char` on b and `bpe` on text."
    assert "compare bits per paragraph" in markdown(CORPORA.note(comparisons(parallel())))
    assert markdown(CORPORA.finding(comparisons(together(language("de", 2.0), language("ja", 2.0))))) == (
        "`char` needs the fewest bits on each of the 2 corpora."
    )


def test_language_by_tokenizer() -> None:
    every = comparisons(parallel())
    assert [row[:5] for row in rows(every, "languages")] == [
        ["en-US", "char", "59.8", "", ""],
        ["en-US", "bpe", "89.6", "", ""],
        ["de", "char", "119.5", "2.00", "2.00 to 2.00"],
        ["de", "bpe", "179.2", "2.00", "2.00 to 2.00"],
        ["ja", "bpe", "44.8", "0.50", "0.50 to 0.50"],
    ]
    assert markdown(LANGUAGES.finding(every)) == (
        "For a paragraph, `bpe` needs at most 2.01 times as many tokens as in English, in de; `char` needs at most "
        "2.00 times as many tokens as in English, in de."
    )
    assert "Petrov" in markdown(LANGUAGES.note(every))


def test_without_english_that_is_said() -> None:
    every = comparisons(together(language("de", 2.0), language("ja", 0.5)))
    (made,) = [made for section, made in tables_across(every) if section.name == "languages"]
    assert not [column for column in made.columns if "English" in str(column.heading)]
    assert markdown(LANGUAGES.note(every)).endswith("There is no English (en-US) in this study, and so no premium.")
    assert markdown(LANGUAGES.finding(every)) == "There is no English to hold the languages against."


def test_every_form_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "get_plotlyjs", lambda: "'plotly'")
    made = parallel()
    parts = tables_of_study(made)
    write_tables(parts, tmp_path / "tables")
    frame = pd.read_csv(tmp_path / "tables" / "languages.csv")
    assert frame.tokens_premium_low.notna().sum() == 3
    assert r"\begin{tabular}{lrr" in (tmp_path / "tables" / "languages.tex").read_text()
    assert len(pd.read_csv(tmp_path / "tables" / "corpora.csv")) == 3
    (tmp_path / "figures").mkdir()
    monkeypatch.setattr("tokexp.rendering.figures.gallery.PICTURES", [])
    monkeypatch.setattr("tokexp.rendering.figures.gallery.panels", lambda *_: [])
    draw_figures([part.comparison for part in parts], tmp_path / "figures")
    assert (tmp_path / "figures" / "languages.svg").exists()
    said = write_readme(made, parts, tmp_path).read_text()
    assert said.index("## Corpus by tokenizer") < said.index("## Language by tokenizer") < said.index("## text de (")
    assert "](figures/languages.png)" in said
    shown = Page(page(made, parts, tmp_path / "figures"))
    assert len(shown.ids) == len(set(shown.ids))
    assert {"corpora", "languages"} <= set(shown.ids)
    assert "#languages" in {attributes["href"] for attributes in shown.attributes("a")}
    assert "2.00 to 2.00" in shown.all("td")


def test_the_terminal_and_a_notebook_have_several_texts() -> None:
    made = parallel()
    lines = answer_text(made).splitlines()
    assert lines[0].startswith("The fewest bits are needed by char on text de and text en-US")
    assert [line.split(" (")[0] for line in lines[2:]] == ["text de", "text en-US", "text ja"]
    assert ranking_table(ranking_rows(made)).count("held-out bytes") == 3
    assert {"corpora", "languages", "bits_per_byte"} <= set(StudyReport(made).tables)
    assert answer_text(seeds(0.5)).startswith("char leads bpe"), "one text needs no name"


def test_the_picture_has_a_row_a_language_and_a_mark_a_tokenizer() -> None:
    figure = languages(comparisons(parallel()))
    assert figure is not None
    tokens, bits = figure.axes
    assert [label.get_text() for label in tokens.get_yticklabels()] == ["en-US", "de", "ja"]
    assert sorted(line.get_label() for line in tokens.lines) == ["bpe", "char"]
    assert max(bits.lines[0].get_xdata()) == pytest.approx(179.2, abs=0.1)
    assert languages([compared(language("de", 1.0))]) is None
    assert languages([compared(seeds(0.5))]) is None
