"""A study that leaves out each text in turn: its answer comes first, and the single texts are folded and short."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from browser import Page
from made_up import left_out_in_turn, write_data

from tokexp.analysis.comparison import comparisons
from tokexp.rendering import left_out
from tokexp.rendering.left_out import finding, short_sections
from tokexp.rendering.notebook import StudyReport
from tokexp.rendering.report import write_report
from tokexp.rendering.tables.across import tables_across
from tokexp.rendering.terminal import answer_text
from tokexp.rendering.text import from_json, markdown, plain
from tokexp.runs.study import Study, read_study

NAMES = ["coriolanus", "henry", "richard", "romeo", "tempest"]
SURE = [2.0, 2.1, 2.2, 2.3, 2.4]
CLOSE = [2.1, 2.22, 2.31, 2.43, 2.51]  # always behind by 0.1 or more
UNSURE = [1.9, 2.0, 2.3, 2.4, 2.9]


def made(*arms: list[float], sizes: tuple[str, ...] = ("nano",)) -> Study:
    by_text = zip(NAMES, zip(*arms, strict=True), strict=True)
    return left_out_in_turn({text: dict(zip(("bpe", "char"), bpb, strict=False)) for text, bpb in by_text}, sizes)


def said(study: Study) -> str:
    return markdown(finding(comparisons(study)))


def test_a_lead_that_holds_on_every_text() -> None:
    assert said(made(SURE, CLOSE)) == (
        "`bpe` leads `char` by 0.114 bits per byte on average over 5 texts that were left out (95 %: 0.100 to 0.128), "
        "and on each of them; resolved."
    )


def test_a_lead_that_turns_round() -> None:
    assert said(made(SURE, UNSURE)) == (
        "No tokenizer leads: `bpe` is ahead of `char` by 0.100 bits per byte on average over 5 texts that were left "
        "out (95 %: -0.204 to 0.404), and on 3 of them, behind on coriolanus and henry; **not resolved**."
    )


def test_one_seed_is_no_answer() -> None:
    bpb = {text: {"bpe": 2.0, "char": 2.1 + i / 100} for i, text in enumerate(NAMES)}
    every = comparisons(left_out_in_turn(bpb, seeds=[0]))
    assert markdown(finding(every)).endswith("and on each of them; **not resolved**: one seed is an anecdote.")
    assert left_out.totals_table(every).rows()[1][4] == ["not resolved, of one seed"]


def test_each_size_has_its_answer() -> None:
    text = said(made(SURE, CLOSE, sizes=("nano", "micro")))
    assert text.startswith("At size nano `bpe` leads `char` by 0.114")
    assert " At size micro `bpe` leads `char` by 0.114" in text
    assert text.endswith("Of 2 pairs 2 are resolved, and 2 have the same order on every text.")
    assert said(made(SURE)) == "`bpe` needs 2.205 bits per byte on average."


def test_a_flaw_on_most_texts_leaves_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    study = made(SURE, CLOSE)
    flawed = study.results.assign(unk_rate=0.0)
    for count, begin in (
        (2, "`bpe` leads `char`"),
        (3, "**These runs cannot say which tokenizer is better.** Too many"),
    ):
        flawed.loc[flawed.corpus_sha256.isin(NAMES[:count]), "unk_rate"] = 0.3
        other = Study(**{**vars(study), "results": flawed})
        assert said(other).startswith(begin)
    assert said(other).endswith("So it is on 3 of the 5 texts.")
    assert plain(short_sections(comparisons(other))[0].note).startswith("These runs cannot say")


def test_a_text_that_lacks_runs_is_named() -> None:
    bpb = {text: {"bpe": 2.0, "char": 2.1} for text in [*NAMES, "winter"]} | {"richard": {"bpe": 2.0}}
    assert said(left_out_in_turn(bpb)).endswith("Texts that lack runs do not count: richard.")


def test_other_studies_have_nothing_of_it() -> None:
    four = left_out_in_turn({text: {"bpe": 2.0, "char": 2.1} for text in NAMES[:4]})
    assert [section.name for section, _ in tables_across(comparisons(four))] == ["corpora"]
    assert short_sections(comparisons(four)) == []
    assert left_out.pairs_finding(comparisons(four)) == finding(comparisons(four)) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("reports")
    write_data(made(SURE, UNSURE), reports / "leave_one_play_out/data")
    return write_report("leave_one_play_out", [], reports).parent


def test_the_readme_begins_with_the_answer_and_has_each_text_folded(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    answer, table = text.index("No tokenizer leads: `bpe`"), text.index("|   coriolanus |")
    assert text.index("# Does the ranking hold") < answer < table < text.index("<details>")
    folded = [line for line in text.splitlines() if line.startswith("<details>")]
    assert len(folded) == 1 + len(NAMES), "the pairs, and each text"
    assert folded[1] == "<details><summary>coriolanus: <code>char</code> needs 1.905 bits per byte.</summary>"
    assert {path.name for path in (folder / "figures").iterdir()} == {"left_out.png", "left_out.svg"}
    assert text.count("](figures/left_out.png)") == text.count("](figures/") == 1


def test_the_page_has_no_section_of_a_single_text_but_its_table(folder: Path) -> None:
    page = Page((folder / "index.html").read_text())
    assert page.ids[:1] == ["theme"]
    shown = [name for name in page.ids if name in {"left_out", "left_out_pairs"} or str(name).startswith("text-")]
    assert shown == ["left_out", "left_out_pairs", *(f"text-{i}" for i in range(5))]
    assert len(page.ids) == len(set(page.ids))
    assert not page.attributes("article")
    links = {attributes["href"] for attributes in page.attributes("a")}
    assert {f"#{name}" for name in shown} <= links


def test_the_tables_and_the_summary_have_it(folder: Path) -> None:
    totals = pd.read_csv(folder / "tables/left_out.csv").set_index("run")
    assert totals["bpb tempest"].to_dict() == pytest.approx({"bpe": 2.405, "char": 2.905})
    assert totals.lowest_on.to_dict() == {"bpe": 3, "char": 2}
    assert totals.behind["char"] == pytest.approx(0.1)
    (pair,) = pd.read_csv(folder / "tables/left_out_pairs.csv").to_dict("records")
    assert (pair["better"], pair["ahead_on"], pair["behind_on"]) == ("bpe", 3, "coriolanus, henry")
    assert (pair["over_texts_low"], pair["over_texts_high"]) == pytest.approx((-0.204, 0.404), abs=1e-3)
    (part,) = json.loads((folder / "summary.json").read_bytes())["parts"]
    assert part["corpus"] == "text"
    assert markdown(from_json(part["answer"][0])).startswith("No tokenizer leads")


def test_the_terminal_and_a_notebook_say_it_once(folder: Path) -> None:
    study = read_study("leave_one_play_out", folder / "data")
    assert answer_text(study).count("\n") == 0
    report = StudyReport(study)
    assert report._repr_html_().count("<table>") == 2
    assert {"left_out", "left_out_pairs"} <= set(report.tables)


def test_what_was_chosen_by_such_texts_is_said() -> None:
    study = made(SURE, CLOSE)
    tuned = Study(**{**vars(study), "results": study.results.assign(tuned="train.lr")})
    assert plain(left_out.note(comparisons(tuned))).endswith("which may be of these: train.lr.")
    assert "Chosen" not in plain(left_out.note(comparisons(study)))
