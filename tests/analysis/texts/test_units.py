"""The units of the text that ranks: documents where there are enough, else blocks, else no interval over the text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_up import baseline, compared, of_documents, on_test, run, seeds, several, study, with_units
from simulated import document_chance

from tokexp.analysis.chance.statistics import Chance
from tokexp.analysis.chance.verdicts import Reason
from tokexp.analysis.content import bits_along
from tokexp.analysis.differences import END, differences, leads
from tokexp.analysis.statements.settling import settling
from tokexp.analysis.views import views
from tokexp.analysis.vocabulary import optima
from tokexp.runs.study import Study


def by_document(made: Study, arm: str) -> np.ndarray:
    of_arm = made.units[made.units["name"].isin(made.results["name"][made.results.arm == arm])]
    return of_arm.groupby("unit").nats.mean().to_numpy()


def test_an_interval_over_documents_is_that_of_their_paired_differences() -> None:
    made = of_documents(0.5)
    comparison = compared(made)
    assert (comparison.unit_kind, comparison.documents) == ("documents", 40)
    assert comparison.unit_bytes.sum() == comparison.scored_bytes == 4780
    assert comparison.end_nats(comparison.cells[0]).shape == (3, 40)
    ((_, difference),) = differences(comparison).items()
    behind = by_document(made, "bpe") - by_document(made, "char")
    _, chance = document_chance(behind, comparison.unit_bytes)
    assert difference.over_text == Chance(pytest.approx(chance.variance), pytest.approx(chance.freedom))
    assert difference.verdict.reason is Reason.RESOLVED


def test_five_documents_are_a_sample_of_such_texts() -> None:
    comparison = compared(of_documents(0.5, count=5, test_documents=5))
    assert (comparison.unit_kind, comparison.documents) == ("documents", 5)
    ((_, difference),) = differences(comparison).items()
    assert difference.over_text is not None
    assert 1 <= difference.over_text.freedom <= 4
    assert difference.verdict.reason is Reason.RESOLVED


def test_of_fewer_documents_without_blocks_a_verdict_is_of_other_seeds_on_this_text() -> None:
    comparison = compared(of_documents(0.5, count=4, test_documents=4))
    assert (comparison.unit_kind, comparison.documents) == (None, 4)
    ((_, difference),) = differences(comparison).items()
    assert difference.over_text is None
    assert difference.over_seeds is not None
    low, high = difference.over_seeds.interval(0.5)
    assert difference.interval == pytest.approx((low, high))
    assert difference.verdict.reason is Reason.ON_THIS_TEXT
    assert leads(comparison) == []


def test_what_more_documents_would_settle() -> None:
    runs = [on_test(arm, seed, 2 + 0.001 * (arm == "bpe") + seed / 1e5) for arm in ("char", "bpe") for seed in range(3)]
    needed = settling(compared(with_units(study(runs), noise=0.02)))
    assert (needed.more_text, needed.by_documents, needed.seeds) == ([None], True, [])


def test_too_few_documents_of_a_part_that_evaluations_read_are_blocks() -> None:
    comparison = compared(with_units(seeds(0.5), "val", count=4))
    assert (comparison.unit_kind, comparison.documents) == ("blocks", 4)
    assert differences(comparison) == differences(compared(seeds(0.5)))
    assert bits_along(comparison) == {}, "their order is drawn"


def test_where_a_run_has_no_documents_all_are_blocks() -> None:
    made = with_units(seeds(0.5), "val")
    lost = made.results["name"].iloc[0]
    without = dataclasses.replace(made, units=made.units[made.units["name"] != lost])
    assert compared(made).unit_kind == "documents"
    assert compared(without).unit_kind == "blocks"
    assert compared(dataclasses.replace(made, texts=made.texts[:0])).unit_kind == "blocks"


def test_a_single_text_that_ranks_is_in_blocks_of_its_own() -> None:
    """Not in those of the validation part, which evaluations read."""
    runs = [on_test(arm, bpb=bpb, test_bytes=8416) for arm, bpb in (("char", 2.0), ("bpe", 3.0))]
    comparison = compared(with_units(study(runs), kind="blocks", count=64))
    assert (comparison.unit_kind, comparison.documents) == ("blocks", None)
    assert comparison.end_nats(comparison.cells[0]).sum() / np.log(2) == pytest.approx(2.0 * 8416, rel=1e-3)
    assert [column.shape for column in bits_along(comparison).values()] == [(8,), (8,)]


def test_baselines_are_held_against_documents() -> None:
    made = of_documents(0.5)
    kneser_ney = baseline("Kneser-Ney", "static", 2.3) | {"val_sha256": "test text"}
    gzip = baseline("gzip", "adaptive", 3.0) | {"val_sha256": "test text"}
    of_char = made.units[made.units["name"] == made.results["name"].iloc[0]]
    nats = np.log(2) * 2.3 * of_char.bytes
    own = of_char.assign(name="", text="test text", baseline="Kneser-Ney", tokens=0, nats=nats)
    whole = dataclasses.replace(
        made, baselines=pd.DataFrame([kneser_ney, gzip]), units=pd.concat([made.units, own], ignore_index=True)
    )
    rows = leads(compared(whole))
    assert [(str(lead.cell), lead.at, lead.baseline.name) for lead in rows] == [
        ("char", END, "Kneser-Ney"), ("bpe", END, "Kneser-Ney"),
    ]  # fmt: skip
    assert [lead.difference.mean for lead in rows] == pytest.approx([0.299, -0.201], abs=1e-3)
    behind = nats.to_numpy() - by_document(made, "char")
    over_text = rows[0].difference.over_text
    assert over_text is not None
    assert over_text.error == pytest.approx(document_chance(behind, of_char.bytes.to_numpy())[1].error)


def test_the_best_checkpoint_is_chosen_on_validation_and_scored_on_test() -> None:
    *_, best = views(compared(of_documents()))
    assert best.axis is None
    assert best.on_test
    assert [point.bpb for point in best.points.values()] == pytest.approx([2.601, 2.101])


def test_evaluations_that_read_a_beginning_pay_for_no_choice() -> None:
    """Their blocks are not the text that ranks."""
    runs = [dataclasses.replace(one, row={**one.row, "eval_bytes": 320, "best_val_bpb_crossfit": None})
            for one in several()]  # fmt: skip
    comparison = compared(study(runs))
    assert not comparison.evaluates_all
    assert comparison.unit_kind is None
    assert all(view.axis for view in views(comparison))
    assert compared(study([run("char", eval_bytes=640)])).evaluates_all


def test_the_best_vocabulary_has_an_interval_over_documents() -> None:
    """Of a parabola, but for what documents add by chance."""
    bpb = {v: 2 + (np.log2(v) - 10.5) ** 2 / 100 for v in (256, 512, 1024, 2048, 4096, 8192)}
    runs = [
        on_test("bpe", seed, at + seed / 1e4, {"tokenizer.vocab_size": v}, vocab_size=v)
        for v, at in bpb.items() for seed in range(2)
    ]  # fmt: skip
    made = with_units(study(runs))
    (row,) = optima(compared(made))
    assert row.drawn is not None
    assert row.drawn.interval == pytest.approx((2**10.5, 2**10.5), rel=0.05), "documents are alike"
    shaken = made.units.nats * np.random.default_rng(0).normal(1, 0.01, len(made.units))
    (row,) = optima(compared(dataclasses.replace(made, units=made.units.assign(nats=shaken))))
    assert row.drawn is not None
    low, high = row.drawn.interval
    assert low < 2**10.4
    assert high > 2**10.6
