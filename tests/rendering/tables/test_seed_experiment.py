"""The tables that hold made-up runs against the seed experiment."""

from __future__ import annotations

import dataclasses

from made_up import ARMS, by_protocol, compared, equal_steps, run, study, with_samples

from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.findings import of_insights
from tokexp.rendering.tables.forms import numbers
from tokexp.rendering.tables.seed_experiment import insight_table, published_table, ticked_table
from tokexp.rendering.text import markdown
from tokexp.runs.study import Study


def rows(table: Table) -> list[dict[str, str]]:
    headings = [str(column.heading) for column in table.columns]
    return [dict(zip(headings, map(markdown, row), strict=True)) for row in table.rows()]


def test_published_figures_beside_ours() -> None:
    by_figure = {(row["figure"], row["tokenizer"]): row for row in rows(published_table(compared(by_protocol())))}
    parameters = by_figure["parameters, at its vocabulary", "word"]
    assert (parameters["the seed experiment"], parameters["here"]) == ("6,550,000", "6,546,432")
    assert parameters["verdict"] == "reproduced"
    assert by_figure["of which for the vocabulary and positions", "char"]["here"] == "2.11%"
    assert by_figure["vocabulary", "word"]["verdict"] == "not reproduced: -6.6%"
    loss = '"final loss": training, end (nats/token)'
    assert [by_figure[loss, name]["verdict"] for name in ("char", "word")] == ["reproduced", "not reproduced: -20.0%"]
    bits = [row for row in by_figure.values() if row["figure"] == "bits per byte, end"]
    assert [(row["the seed experiment"], row["verdict"]) for row in bits] == [("", "it published none")] * 2
    assert not len(published_table(compared(equal_steps())))
    frame = numbers(published_table(compared(by_protocol())))
    assert frame.here[(frame.figure == "parameters, at its vocabulary") & (frame.tokenizer == "word")].item() == 6546432


def of_its_corpus(made: Study) -> Study:
    return dataclasses.replace(made, results=made.results.assign(corpus="tinyshakespeare"))


def test_insights_have_their_verdicts_on_its_text_and_of_its_tokenizers() -> None:
    table = rows(insight_table(compared(of_its_corpus(study([run(arm) for arm in ARMS])))))
    assert len(table) == 6
    assert {row["verdict"] for row in table} <= {
        "holds by construction, so this is no test",
        "does not hold here",
        "open",
    }
    (said,) = of_insights(compared(of_its_corpus(study([run(arm) for arm in ARMS]))), Table())
    assert str(said).startswith("0 of 6 hold here, ")
    assert str(said).endswith(" are open.")
    for other in (study([run(arm) for arm in ARMS]), of_its_corpus(study([run("bpe")]))):
        assert not len(insight_table(compared(other)))
        assert not len(ticked_table(compared(other)))


def test_what_was_ticked_by_eye() -> None:
    made = of_its_corpus(study([run(arm, bpb=[2 + i]) for i, arm in enumerate(ARMS)]))
    alone = rows(ticked_table(compared(made)))[0]
    assert (alone["run"], alone["median distance from human text"]) == ("char", "")
    char, bpe, _ = rows(ticked_table(compared(with_samples(made, {"char": -3.0, "bpe": 2.0, "word": 1.0}))))
    assert char["median distance from human text"] == "3.00 sd"
    assert bpe["readability: real words"] == "200.0% (+2.0 sd)"
