"""Why made-up runs cannot say which tokenizer is better: each flaw by its figure, where it concerns a leader."""

from __future__ import annotations

import dataclasses

import pytest
from made_up import baseline, blocks_of, compared, run, study

from tokexp.analysis.statements.doubts import Charge, Doubt, Flaw, confounds, doubts
from tokexp.runs.study import Study

GOOD, BAD = {"bpb": [2.0]}, {"bpb": [2.5]}


def found(made: Study) -> dict[Flaw, list[str]]:
    return {doubt.flaw: [str(cell) for cell, _ in doubt.cells] for doubt in doubts(compared(made))}


def test_figures_as_they_should_be_leave_no_doubt() -> None:
    fine = {"unk_rate": 0.2, "val_bpb_restoration": 0.4, "epochs": 1.0}
    assert found(study([run("word", bpb=[2.5, 2.0], **fine), run("char", bpb=[2.5])])) == {}
    assert found(study([run("word", **GOOD, val_bpb_restoration=0.367 * 2 / 2.094), run("char", **BAD)])) == {}


@pytest.mark.parametrize(
    ("flaw", "column", "value"),
    [(Flaw.UNKNOWN, "unk_rate", 0.31), (Flaw.RESTORATION, "val_bpb_restoration", 0.41),
     (Flaw.LESS_THAN_A_PASS, "epochs", 0.99)],
)  # fmt: skip
def test_a_flaw_of_the_leader_counts_and_one_of_another_does_not(flaw: Flaw, column: str, value: float) -> None:
    assert found(study([run("word", **GOOD, **{column: value}), run("char", **BAD)])) == {flaw: ["word"]}
    assert found(study([run("word", bpb=[1.9]), run("char", **GOOD, **{column: value})])) == {}


def test_of_a_large_corpus_nobody_reads_all() -> None:
    part_of_it = {"epochs": 0.01, "bytes_seen": 10_000_000}
    assert found(study([run("word", **GOOD, **part_of_it), run("char", **BAD)])) == {}


def test_a_flaw_of_all_is_said_to_be() -> None:
    (doubt,) = doubts(compared(study([run("word", **GOOD, epochs=0.5), run("char", **BAD, epochs=0.25)])))
    assert doubt == Doubt(Flaw.LESS_THAN_A_PASS, doubt.cells, every=True)
    assert [(str(cell), passes) for cell, passes in doubt.cells] == [("word", 0.5), ("char", 0.25)]


def test_the_leader_of_any_size_counts() -> None:
    runs = [
        run("word", bpb=[bpb], settings={"model.n_embd": body}, size=size, params_body=body, unk_rate=unknown)
        for size, body, bpb, unknown in (("nano", 1, 3.0, 0.3), ("micro", 2, 2.0, 0.0))
    ]
    assert found(study(runs)) == {Flaw.UNKNOWN: ["word nano"]}


def test_a_learning_rate_that_rises_for_long_is_a_flaw() -> None:
    """Of four evaluations: the rate rises until the second, or until the end."""

    def with_rates(*rates: float) -> Study:
        made = study([run("word", bpb=[3.0, 2.8, 2.5, 2.0])])
        return dataclasses.replace(made, curves=made.curves.assign(lr=rates))

    assert found(with_rates(4.0, 3.0, 2.0, 1.0)) == {}
    assert found(with_rates(1.0, 1.0, 1.0, 1.0)) == {}, "a constant rate"
    (doubt,) = doubts(compared(with_rates(1.0, 2.0, 1.5, 1.0)))
    assert (doubt.flaw, doubt.cells[0][1]) == (Flaw.WARM_UP, pytest.approx(0.25))
    (doubt,) = doubts(compared(with_rates(1.0, 2.0, 3.0, 4.0)))
    assert doubt.cells[0][1] == 1.0


def test_models_that_gzip_beats_are_a_flaw_of_all() -> None:
    gzip = baseline("gzip", "adaptive", 2.2) | blocks_of(2.2)
    assert found(study([run("char", **GOOD), run("bpe", **BAD)], baselines=[gzip])) == {}, "one of them is ahead"
    assert found(study([run("char", bpb=[2.3]), run("bpe", **BAD)], baselines=[gzip])) == {
        Flaw.WORSE_THAN_GZIP: ["char", "bpe"]
    }


def charged(made: Study) -> list[tuple[Charge, str, list[tuple[str, float, float]]]]:
    return [
        (one.charge, str(one.cell), [(str(cell), round(lead, 6), round(now, 6)) for cell, lead, now in one.leads])
        for one in confounds(compared(made))
    ]


def sliding(bpb: float, wider: float) -> dict[str, object]:
    return {"bpb": [bpb], "val_bpb_sliding": wider}


def test_a_lead_that_windows_make_is_told_where_a_third_of_it_goes() -> None:
    """Over char it goes from 0.3 to 0.1, over byte from 0.3 to 0.2, over hf_bpe it turns round."""
    runs = [run("bpe", **sliding(2.0, 1.9)), run("char", **sliding(2.3, 2.0)), run("byte", **sliding(2.3, 2.1001)),
            run("hf_bpe", **sliding(2.1, 1.85))]  # fmt: skip
    assert charged(study(runs)) == [(Charge.WINDOWS, "bpe", [("hf_bpe", 0.1, -0.05), ("char", 0.3, 0.1)])]


def test_only_leads_of_the_best_and_of_the_best_lossless_count() -> None:
    """Words lose text; of the others bpe is best, and what char is ahead of nobody asks."""
    runs = [run("word", val_bpb_restoration=0.1, **sliding(1.5, 1.5)), run("bpe", **sliding(2.0, 2.0)),
            run("char", **sliding(2.1, 2.01)), run("byte", **sliding(2.2, 2.02))]  # fmt: skip
    assert charged(study(runs)) == [(Charge.WINDOWS, "bpe", [("char", 0.1, 0.01), ("byte", 0.2, 0.02)])]
    assert charged(study(runs[:2])) == []


def test_a_lead_that_segmentations_turn_round_is_told() -> None:
    def gains(*, ours: float, theirs: float, lossless: bool = True) -> list[tuple[Charge, str, object]]:
        runs = [run("bpe", **GOOD, marginal_gain_bpb=ours, lossless=lossless),
                run("bpe_4k", bpb=[2.01], marginal_gain_bpb=theirs)]  # fmt: skip
        return charged(study(runs))

    assert gains(ours=0.01, theirs=0.04) == [(Charge.SEGMENTATIONS, "bpe", [("bpe_4k", 0.01, -0.02)])]
    assert gains(ours=0.01, theirs=0.019) == []
    assert gains(ours=float("nan"), theirs=0.04) == [(Charge.SEGMENTATIONS, "bpe", [("bpe_4k", 0.01, -0.03)])]
    assert gains(ours=float("nan"), theirs=0.04, lossless=False) == [], "of whose segmentations nothing is known"
