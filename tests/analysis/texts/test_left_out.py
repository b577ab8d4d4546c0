"""Texts that were left out one after another: leads over them, and where there are none."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from made_up import compared, left_out_in_turn, of_documents, together
from scipy.stats import ttest_rel

from tokexp.analysis.chance.statistics import LEVEL, holm
from tokexp.analysis.comparison import comparisons
from tokexp.analysis.texts.left_out import LeftOut, left_out, over_texts
from tokexp.runs.study import Study

CHAR = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
BPE = [1.9, 2.05, 2.08, 2.31, 2.3, 2.42]  # better on all but the fourth
WORD = [2.5, 2.6, 2.9, 2.8, 2.9, 3.1]
TEXTS = {f"play{i}": {"char": a, "bpe": b, "word": c} for i, (a, b, c) in enumerate(zip(CHAR, BPE, WORD, strict=True))}


def facts(made: Study) -> LeftOut | None:
    return left_out(comparisons(made))


def test_leads_are_those_of_t_over_the_texts() -> None:
    made = facts(left_out_in_turn(TEXTS))
    assert made is not None
    assert made.texts == sorted(TEXTS)
    assert made.lacking == []
    ((size, cells),) = [(size.name, size.cells) for size in made.sizes]
    assert (size, list(map(str, cells))) == ("nano", ["bpe", "char", "word"])
    assert made.mean(cells[0]) == pytest.approx(np.mean(BPE) + 0.005)
    assert [made.first_on(made.sizes[0], cell) for cell in cells] == [5, 1, 0]
    first, *others = made.leads
    assert (str(first.better), str(first.worse)) == ("bpe", "char")
    assert list(first.by_text.values()) == pytest.approx(np.subtract(CHAR, BPE))
    assert first.turns == ["play3"]
    reference = ttest_rel(CHAR, BPE)
    assert (first.mean, first.p) == pytest.approx((np.mean(CHAR) - np.mean(BPE), reference.pvalue)), "the largest of p"
    assert first.interval == pytest.approx(tuple(reference.confidence_interval()))
    assert [lead.turns for lead in others] == [[], []]
    smallest = min(ttest_rel(WORD, arm).pvalue for arm in (CHAR, BPE))
    assert min(lead.p for lead in others) == pytest.approx(3 * smallest), "Holm's correction for three pairs"
    assert [lead.resolved for lead in made.leads] == [True, True, True]


def test_the_length_of_a_text_and_its_difficulty_do_not_matter() -> None:
    harder = {text: {arm: bpb + i for arm, bpb in arms.items()} for i, (text, arms) in enumerate(TEXTS.items())}
    one, other = facts(left_out_in_turn(TEXTS)), facts(left_out_in_turn(harder))
    assert one is not None
    assert other is not None
    assert [lead.p for lead in one.leads] == pytest.approx([lead.p for lead in other.leads])


def test_one_seed_resolves_nothing() -> None:
    made = facts(left_out_in_turn(TEXTS, seeds=[0]))
    assert made is not None
    assert max(lead.p for lead in made.leads) < LEVEL
    assert not any(lead.resolved for lead in made.leads)
    two = left_out_in_turn(TEXTS)
    of_one = (two.results.arm == "word") & (two.results.corpus_sha256 == "play2") & (two.results.seed == 1)
    made = facts(dataclasses.replace(two, results=two.results[~of_one]))
    assert made is not None
    assert [lead.resolved for lead in made.leads] == [True, False, False], "one of a cell, on one text"


def test_sizes_are_compared_each_by_itself() -> None:
    made = facts(left_out_in_turn(TEXTS, ["nano", "micro"]))
    assert made is not None
    assert [size.name for size in made.sizes] == ["nano", "micro"]
    assert {lead.better.size == lead.worse.size for lead in made.leads} == {True}
    assert len(made.leads) == 6


def test_a_text_that_lacks_cells_does_not_count() -> None:
    lacking = {**TEXTS, "play0": {"char": 2.0}}
    made = facts(left_out_in_turn(lacking))
    assert made is not None
    assert (made.texts, made.lacking) == (sorted(TEXTS)[1:], ["play0"])
    assert all(len(lead.by_text) == 5 for lead in made.leads)
    more = {**TEXTS, "play0": {**TEXTS["play0"], "byte": 2.0}}
    made = facts(left_out_in_turn(more))
    assert made is not None
    assert (made.lacking, len(made.leads)) == ([], 3), "nor does a cell that the others lack"


def test_what_is_no_corpus_left_out_in_turn() -> None:
    assert facts(left_out_in_turn({text: TEXTS[text] for text in list(TEXTS)[:4]})) is None, "four texts"
    assert facts(left_out_in_turn({**TEXTS, "play0": {"word": 2.0}, "play1": {"char": 2.0}})) is None, "four whole ones"
    assert left_out([compared(of_documents())]) is None
    assert facts(together(left_out_in_turn(TEXTS), of_documents())) is None, "another corpus beside it"
    made = left_out_in_turn(TEXTS)
    older = made.results.assign(documents_sha256=np.nan)
    of_two = made.results.assign(documents_sha256=["one", *["other"] * (len(made.results) - 1)])
    for results in (older, of_two, made.results.assign(scored_on="val")):
        assert facts(dataclasses.replace(made, results=results)) is None


def test_texts_that_share_a_document_were_not_left_out_in_turn() -> None:
    made = left_out_in_turn(TEXTS)
    twice = made.units.assign(document=made.units.document.replace("play1", "play0"))
    assert facts(dataclasses.replace(made, units=twice)) is None
    unnamed = made.units.assign(document=made.units.document.replace("play1", ""))
    assert facts(dataclasses.replace(made, units=unnamed)) is None


def test_a_text_of_several_documents_is_named_by_the_first() -> None:
    made = left_out_in_turn(TEXTS)
    rows = [{**row, "document": f"{row['document']}{i}"} for row in made.units.to_dict("records") for i in range(3)]
    got = facts(dataclasses.replace(made, units=type(made.units)(rows)))
    assert got is not None
    assert got.texts[0] == "play00+play01+1 more"


def test_equal_differences_are_certain() -> None:
    (mean, chance), (nothing, none) = over_texts(np.full(5, 0.25)), over_texts(np.zeros(5))
    assert (mean, chance.interval(mean), chance.p(mean)) == (0.25, (0.25, 0.25), 0.0)
    assert none.p(nothing) == 1.0


@pytest.mark.slow
def test_the_level_over_nine_texts() -> None:
    """Of six arms on nine texts, nothing is true: a text suits some arms more than others, and seeds differ.

    What makes a text hard for all has a standard deviation of 0.2, what suits an arm on a text 0.03, and a seed 0.01,
    of which there are two. The pairs share arms, and so are not independent.
    """
    rng = np.random.default_rng(0)
    arms, texts, seeds = 6, 9, 2
    p = []
    for _ in range(4000):
        text = rng.normal(0, 0.2, (1, texts)) + rng.normal(0, 0.03, (arms, texts))
        bpb = 2 + text + rng.normal(0, 0.01, (seeds, arms, texts)).mean(axis=0)
        tests = [over_texts(bpb[a] - bpb[b]) for a, b in itertools.combinations(range(arms), 2)]
        p.append([chance.p(mean) for mean, chance in tests])
    assert np.mean(np.array(p) < LEVEL) == pytest.approx(0.05, abs=0.005), "of a pair"
    rejected = np.mean([min(holm(each)) < LEVEL for each in p])
    assert 0.02 < rejected < 0.05, "of any pair, after Holm's correction"
