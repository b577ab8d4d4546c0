"""The tables of what was compared, of made-up runs."""

from __future__ import annotations

import pytest
from made_up import compared, equal_steps, run, study, vocabularies

from tokexp.rendering.tables.columns import Table
from tokexp.rendering.tables.forms import numbers
from tokexp.rendering.tables.models import (
    cost_table,
    optimum_table,
    parameter_table,
    prediction_table,
    tokenizer_table,
)
from tokexp.rendering.text import markdown


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
    assert (row["run"], row["vocabularies tried"]) == ("bpe nano", "256, 1,024, 2,048, 8,192")
    assert row["optimum"] == f"{2**10.5:,.0f}"
    assert row["95 %, over the text"] == "1,448 to 1,448", "all of the text is alike"
    assert row["the best of them"].endswith(" (2.003 bits per byte)")
    rows = numbers(table)
    assert rows.tried[0] == "256 1024 2048 8192"
    assert rows.optimum[0] == pytest.approx(2**10.5, rel=1e-3)
    assert not len(optimum_table(compared(equal_steps())))


def test_an_optimum_at_the_edge_is_not_known() -> None:
    runs = [run("bpe", 0, [3 - i / 10], {"tokenizer.vocab_size": v}, vocab_size=v) for i, v in enumerate((1, 2, 4, 8))]
    table = optimum_table(compared(study(runs)))
    assert first(table)["optimum"] == "not known: the best is at the edge of what was tried"
    assert numbers(table).optimum.isna().all()


def test_what_could_have_been_known() -> None:
    runs = [run("bpe", 0, [3 - i / 10], {"tokenizer.v": i}, bytes_per_token=1 + i) for i in range(5)]
    row = first(prediction_table(compared(study(runs))))
    assert (row["known without training"], row["cells"], row["interval"]) == ("bytes per token", "5", "excludes zero")
    assert row["rank correlation with bits per byte"].startswith("-1.00 (-1.00 to ")
    assert not len(prediction_table(compared(equal_steps())))
