"""The tables of what was compared, of made-up runs."""

from __future__ import annotations

import dataclasses
import re

import pytest
from made_up import compared, equal_steps, run, study, vocabularies

from tokexp.analysis.vocabulary import optima
from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.findings import of_choices, of_optimum
from tokexp.rendering.tables.forms import numbers
from tokexp.rendering.tables.models import (
    chosen_table,
    cost_table,
    optimum_table,
    parameter_table,
    prediction_table,
    tokenizer_table,
)
from tokexp.rendering.text import markdown, plain


def first(table: Table) -> dict[str, str]:
    headings = [str(column.heading) for column in table.columns]
    return dict(zip(headings, map(markdown, table.rows()[0]), strict=True))


def test_what_it_cost() -> None:
    row = first(cost_table(compared(study([run("char", steps=8000, flops=1.5e12, epochs=2.5)]))))
    assert (row["run"], row["steps"], row["FLOPs"], row["epochs"], row["bytes"]) == (
        "char", "8,000", "1.50e+12", "2.50", "100",
    )  # fmt: skip


def test_the_share_of_the_embeddings() -> None:
    table = parameter_table(
        compared(study([run("char", params_token_embedding=30, params_position_embedding=10, params_lm_head=20,
                            params_body=140, params_total=200)]))
    )  # fmt: skip
    assert first(table)["embedding-related"] == "30.0%"
    assert numbers(table).embedding_share[0] == pytest.approx(0.3)


def test_the_lengths_of_tokens_have_columns_of_their_own() -> None:
    table = tokenizer_table(compared(study([run("char", token_bytes_p10=1, token_bytes_p50=2, token_bytes_p90=5)])))
    assert first(table)["bytes of a token, 10/50/90 %"] == "1 / 2 / 5"
    rows = numbers(table)
    assert (rows.token_bytes_p10[0], rows.token_bytes_p50[0], rows.token_bytes_p90[0]) == (1, 2, 5)


def test_the_best_vocabulary() -> None:
    table = optimum_table(compared(vocabularies()))
    row = first(table)
    assert (row["run"], row["vocabularies tried"]) == ("bpe nano", "256, 512, 1,024, 2,048, 4,096, 8,192")
    assert 1430 < int(row["optimum"].replace(",", "")) < 1470
    assert re.fullmatch(r"1,[34]\d\d to 1,[45]\d\d", row["95 %, over seeds and text"])
    assert re.fullmatch(r"0%, 0%, [45]\d%, [45]\d%, 0%, 0%", row["how often each is the best"])
    assert row["the best of them"].endswith(" (2.004 bits per byte)")
    rows = numbers(table)
    assert rows.tried[0] == "256 512 1024 2048 4096 8192"
    assert rows.optimum[0] == pytest.approx(2**10.5, rel=0.01)
    assert not len(optimum_table(compared(equal_steps())))


def test_an_optimum_that_the_text_does_not_say_is_no_number() -> None:
    made = vocabularies()
    comparison = compared(dataclasses.replace(made, results=made.results.assign(bpb=2 + made.results.seed / 1e4)))
    table = optimum_table(comparison)
    (row,) = optima(comparison)
    assert row.drawn is not None
    *most, last = [f"{v:,}" for v in row.drawn.plausible]
    assert first(table)["optimum"] == f"this text does not say: any of {', '.join(most)} and {last} may be the best"
    assert numbers(table).optimum.isna().all()
    assert plain(of_optimum(comparison, table)) == f"For bpe nano {first(table)['optimum']}."


def test_an_optimum_is_said_with_its_interval() -> None:
    comparison = compared(vocabularies())
    said = plain(of_optimum(comparison, optimum_table(comparison)))
    assert re.fullmatch(r"For bpe nano it has about 1,4\d\d tokens \(1,\d{3} to 1,\d{3}\)\.", said)


def test_what_was_chosen() -> None:
    tuned = "train.lr=0.002 by runs of char on text; model=nano by runs on elsewhere"
    comparison = compared(study([run("char", settings={"train.lr": 0.002}, tuned=tuned)]))
    table = chosen_table(comparison)
    assert [[markdown(field) for field in row] for row in table.rows()] == [
        ["model", "nano", "runs", "elsewhere", "another text"],
        ["train.lr", "0.002", "runs of char", "text", "the text that ranks"],
    ]
    assert plain(of_choices(comparison, table)) == "1 of 2 choices was made on the text that ranks."
    assert not len(chosen_table(compared(study([run("char")]))))


def test_what_could_have_been_known() -> None:
    runs = [run("bpe", 0, [3 - i / 10], {"tokenizer.v": i}, bytes_per_token=1 + i) for i in range(5)]
    row = first(prediction_table(compared(study(runs))))
    assert (row["known without training"], row["cells"], row["interval"]) == ("bytes per token", "5", "excludes zero")
    assert row["rank correlation with bits per byte"].startswith("-1.00 (-1.00 to ")
    assert not len(prediction_table(compared(equal_steps())))
