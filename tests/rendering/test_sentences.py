"""What a report says of made-up runs, word for word."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_up import EVIL, compared, equal_steps, run, seeds, study, turned_round, two_sizes

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements import answer, held_equal, ranking
from tokexp.analysis.views import views
from tokexp.rendering.sentences import (
    answer_lines,
    held_equal_line,
    question,
    ranking_paragraphs,
    title,
    under,
    view_heading,
    view_name,
)
from tokexp.rendering.text import markdown, markdown_paragraphs, plain
from tokexp.runs.study import BLOCK_COLUMNS, Study


def answered(made: Study) -> str:
    return " ".join(map(markdown, answer_lines(answer(compared(made)))))


def ranked(made: Study) -> str:
    return markdown_paragraphs(ranking_paragraphs(ranking(compared(made))))


def test_the_answer_names_the_best_and_the_baselines() -> None:
    said = answered(seeds(0.5))
    assert said.startswith("Best is char, with 2.010 ± 0.025 bits per byte of text that it never saw, ")
    assert "before bpe by 0.500: resolved." in said
    assert "char is behind PPMd, the best that goes on learning as it reads, by 0.005: **not resolved**" in said
    assert "char is before Kneser-Ney, the best baseline that learned from the training part alone, by 0.290" in said
    assert "gzip" not in said, "not the best of its family"
    assert "The ranking is the same at equal steps" in said


def test_where_no_baseline_has_blocks_nothing_is_said_of_them() -> None:
    made = seeds(0.5)
    for baselines in (made.baselines.drop(columns=BLOCK_COLUMNS), made.baselines[:0]):
        assert "PPMd" not in answered(dataclasses.replace(made, baselines=baselines))


def test_each_size_has_its_best() -> None:
    said = answered(two_sizes())
    assert said.index("Best of size nano is word nano, with 2.401") < said.index("Best of size micro is word micro")
    assert "0.400 bring back what it loses; of those that lose nothing char nano is best, with 2.501" in said
    assert "lose nothing bpe micro is best, with 2.101" in said
    assert "The lead of word nano, the best of size nano:\n\n- before char nano by 0.100: " in ranked(two_sizes())


def test_an_order_that_turns_round_is_said() -> None:
    turn = (
        "char is before word at equal bytes, but after it at equal steps and each at its best checkpoint (of one seed)"
    )
    assert f"The ranking depends on the terms: {turn}." in answered(turned_round())


def test_views_that_rank_too_few_are_said() -> None:
    said = answered(equal_steps())
    assert "most of the cells cannot be ranked" in said
    assert "The ranking is the same at equal steps and each at its best checkpoint; at equal bytes" in said


def test_several_turns_are_listed() -> None:
    """Characters and BPE are before words at equal bytes, and after them at equal steps."""
    read = {"budget.steps": None, "budget.bytes": 100}
    made = turned_round()
    more = study([run("bpe", bpb=[4, 3, 3, 2.4]), run("bpe", bpb=[4, 3, 3, 2.4], settings=read, end=50)])
    both = dataclasses.replace(
        made,
        **{
            table: type(getattr(made, table))(
                [*getattr(made, table).to_dict("records"), *getattr(more, table).to_dict("records")]
            )
            for table in ("results", "curves", "blocks")
        },
    )
    said = ranked(both)
    assert "; and 1 more pairs." in said
    assert "Where the ranking turns round:\n\n- bpe is before word" in said


def test_the_loss_per_token_means_nothing() -> None:
    made = equal_steps()
    assert "loss per token" not in ranked(dataclasses.replace(made, results=made.results.assign(val_loss=[1, 2, 3])))
    said = ranked(dataclasses.replace(made, results=made.results.assign(val_loss=[2, 1, 3])))
    assert "By its loss per token bpe would be the best, which means nothing." in said


def test_what_was_tuned_is_named() -> None:
    made = seeds(0.5)
    assert "Chosen by looking" not in ranked(made)
    tuned = dataclasses.replace(made, results=made.results.assign(tuned="train.lr; model"))
    assert "Chosen by looking at held-out text, so flattering: model; train.lr." in ranked(tuned)


def test_of_many_leads_the_nearest_are_named() -> None:
    runs = [run("bpe", 0, [2 + i / 10], {"tokenizer.v": i}) for i in range(8)]
    said = ranked(study(runs))
    assert said.count("- before bpe v=") == 4
    assert "- before 3 others by more" in said


def test_what_is_equal_and_what_is_not() -> None:
    comparison = compared(seeds(0.5))

    def said(**columns: object) -> str:
        rows = comparison.runs.drop(columns="cell").assign(block_size=10, flops=5.0, steps=100, params_total=100)
        return plain(held_equal_line(held_equal(Comparison(comparison.study, rows.assign(**columns)))))

    assert said().startswith("Held equal: budget steps=100, model nano, 1 layers, width 1, context 10 tokens, batch 1,")
    assert "warm-up 5% of the steps." in said()
    assert "warm-up 100 steps, at most a tenth." in said(settings='{"train.warmup_steps": 100}')
    assert "Seeds: 0, 1, 2. Equal steps: bpe read 2.0 times the text of char." in said()
    assert said().endswith("So not equal, within a size: characters in a full context (10 to 20).")
    of_char = comparison.runs.arm == "char"
    assert "parameters (100 to 103)" in said(params_total=np.where(of_char, 103, 100))
    assert said(chars_per_token=1).endswith("within a size: nothing that is measured.")
    assert "Equal steps: all read the same amount of text." in said(bytes_seen=7)
    assert "Equal budgets: " in said(budget=["bytes=1", *["steps=1"] * 5])
    alone = plain(held_equal_line(held_equal(compared(study([run("char")])))))
    assert alone.endswith("seed 0.")


def test_views_in_words() -> None:
    by_axis = {view.axis: view for view in views(compared(equal_steps()))}
    assert view_heading(by_axis["bytes"]) == "equal bytes (100 bytes read)"
    assert view_heading(by_axis["steps"]) == "equal steps (100 steps)"
    assert view_heading(by_axis[None]) == "each at its best checkpoint (cross-fitted)"
    elsewhere = dataclasses.replace(by_axis["seconds"], place="machine=one")
    assert view_heading(elsewhere) == "equal seconds (100 s of training, only those with machine=one)"
    assert view_name(by_axis["FLOPs"]) == "equal FLOPs"
    three = [by_axis["steps"], by_axis["bytes"], by_axis[None]]
    assert under(three) == "at equal steps, at equal bytes and each at its best checkpoint"
    assert under(three[:1]) == "at equal steps"


def test_a_named_sweep_has_a_question() -> None:
    assert question("vocab_size").startswith("How large a vocabulary")
    assert question("demo") == ""
    assert question(EVIL) == ""


def test_the_title_tells_texts_apart() -> None:
    assert title(compared(equal_steps())) == "text (640 held-out bytes, SHA-256 text)"
