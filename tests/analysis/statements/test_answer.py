"""What a report says of made-up runs, as facts: who leads, against what, and what was not equal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import compared, equal_steps, run, seeds, study, turned_round, two_sizes

from tokexp.analysis.chance.verdicts import Reason
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.statements.answer import answer, best_of, ranking
from tokexp.analysis.statements.held_equal import held_equal
from tokexp.runs.identity import RESULTS_VERSION


def test_who_leads_and_against_which_baselines() -> None:
    facts = answer(compared(seeds(0.5)))
    (leader,) = facts.leaders
    assert (str(leader.cell), leader.size, leader.lossless) == ("char", None, None)
    assert leader.total.value == pytest.approx(2.01)
    assert leader.second is not None
    second, difference = leader.second
    assert (str(second), difference.verdict.resolved) == ("bpe", True)
    assert (leader.pairs, leader.such_texts) == (1, False)
    ((static, adaptive),) = facts.against_baselines
    assert (static.baseline.name, adaptive.baseline.name) == ("Kneser-Ney", "PPMd"), "gzip is not the best"
    assert static.difference.mean == pytest.approx(0.29)
    assert adaptive.difference.mean == pytest.approx(-0.005)
    assert facts.agreement.turns == []


def test_each_size_has_its_best_and_what_loses_text_is_told_from_what_does_not() -> None:
    comparison = compared(two_sizes())
    nano, micro = answer(comparison).leaders
    assert (nano.size, str(nano.cell), nano.restoration) == ("nano", "word nano", pytest.approx(0.4))
    assert (micro.size, str(micro.cell)) == ("micro", "word micro")
    for leader, lossless, total in ((nano, "char nano", 2.501), (micro, "bpe micro", 2.101)):
        assert leader.lossless is not None
        assert str(leader.lossless[0]) == lossless
        assert leader.lossless[1].value == pytest.approx(total)
    assert [[str(cell) for cell in best_of(comparison, size)] for size in comparison.sizes] == [
        ["word nano", "char nano"],
        ["word micro", "bpe micro"],
    ]
    leads = ranking(comparison).leads
    assert [(lead.size, str(lead.cell)) for lead in leads] == [("nano", "word nano"), ("micro", "word micro")]
    nearest, difference = leads[0].ahead_of[0]
    assert str(nearest) == "char nano"
    assert difference.mean == pytest.approx(0.1)


def test_the_order_that_turns_round_is_a_part_of_the_answer() -> None:
    assert len(answer(compared(turned_round())).agreement.turns) == 1


def test_the_lowest_loss_per_token_is_named_where_it_is_not_the_best() -> None:
    made = equal_steps()

    def lowest(losses: list[float]) -> str | None:
        of_others = dataclasses.replace(made, results=made.results.assign(val_loss=losses))
        cell = ranking(compared(of_others)).best_per_token
        return None if cell is None else str(cell)

    assert lowest([1.0, 2.0, 3.0]) is None
    assert lowest([2.0, 1.0, 3.0]) == "bpe"


def test_one_seed_alone_leads_by_an_anecdote() -> None:
    (leader,) = answer(compared(equal_steps())).leaders
    assert leader.total.half is None
    assert leader.second is not None
    assert leader.second[1].verdict.reason is Reason.ONE_SEED
    (alone,) = answer(compared(study([run("char")]))).leaders
    assert alone.second is None


def changed(comparison: Comparison, **columns: object) -> Comparison:
    return Comparison(comparison.study, comparison.runs.drop(columns="cell").assign(**columns))


def test_what_is_not_equal_by_hand() -> None:
    comparison = changed(compared(seeds(0.5)), block_size=10, flops=5.0, steps=100, params_total=100)
    facts = held_equal(comparison)
    assert facts.same["block_size"] == 10
    assert "seed" not in facts.same
    assert (facts.seeds, facts.varied, facts.equal) == ([0, 1, 2], [], "steps")
    assert str(facts.read_least) == "char"
    assert [(str(cell), times) for cell, times in facts.read_more] == [("bpe", pytest.approx(2))]
    text, context = facts.unequal
    assert (text.name, text.least, text.most) == ("bytes of text in a step", 1, 2)
    assert (context.name, context.least, context.most) == ("characters in a full context", 10, 20)
    more = changed(comparison, params_total=np.where(comparison.runs.arm == "char", 103, 100))
    assert next((one.name, one.least, one.most) for one in held_equal(more).unequal) == ("parameters", 100, 103)
    assert held_equal(changed(comparison, chars_per_token=1, bytes_seen=7)).unequal == []
    assert held_equal(changed(comparison, budget=["bytes=1", *["steps=1"] * 5])).equal is None


def test_older_runs_are_known_by_their_version() -> None:
    comparison = compared(seeds(0.5))
    assert held_equal(comparison).older_versions == [2], "which they do not say"
    assert held_equal(changed(comparison, results_version=RESULTS_VERSION)).older_versions == []
    assert held_equal(changed(comparison, results_version=[1, 2, *[RESULTS_VERSION] * 4])).older_versions == [1, 2]


def test_one_cell_alone_read_no_less_than_another() -> None:
    facts = held_equal(compared(study([run("char")])))
    assert (facts.read_least, facts.read_more) == (None, [])
    assert facts.same["seed"] == 0


def test_what_varied_is_told_from_the_tokenizers_own() -> None:
    runs = [run("bpe", settings={"tokenizer.vocab_size": 300, "train.lr": 1}), run("char", settings={"train.lr": 2})]
    assert held_equal(compared(study(runs))).varied == ["train.lr"]
    runs = [run("bpe", settings={"tokenizer.vocab_size": v}) for v in (300, 400)]
    assert held_equal(compared(study(runs))).varied == ["tokenizer.vocab_size"], "within an arm it is no intent"
