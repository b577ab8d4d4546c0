"""The six insights, judged by made-up figures that speak for them, against them, or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import ARMS, compared, named, run, seeds, study, with_content, with_samples

from tokexp.analysis.seed_experiment.insights import (
    HOLDS,
    NOT,
    OPEN,
    Judgement,
    free_lunch,
    granularity,
    insights,
    loss_and_output,
    size_of_models,
    stability,
    text_of_samples,
    ticked,
)
from tokexp.runs.study import Study
from tokexp.scoring.samples.readability import MEASURES


def judgements(made: Study) -> list[Judgement]:
    return [insight.judgement for insight in insights(compared(made))]


def test_insights_follow_the_figures() -> None:
    figures = {"char": (1.0, 3, 3.0), "bpe": (2.0, 2, 2.5), "word": (3.0, 1, 2.0)}
    made = study(
        [
            run(arm, 0, [bpb], val_loss=loss, sample_chars_500=500 * ARMS[arm], block_size=10, flops=flops)
            for arm, (loss, flops, bpb) in figures.items()
        ]
    )
    made = with_samples(made, {"char": 3.0, "bpe": 1.0, "word": 2.0})
    assert judgements(made) == [OPEN, HOLDS, HOLDS, OPEN, OPEN, HOLDS], "one seed cannot tell, nor three cells"
    comparison = compared(made)
    assert named(text_of_samples(comparison).chars) == {"word": 2000, "bpe": 1000, "char": 500}
    assert size_of_models(comparison).totals == (101, 104)
    assert size_of_models(comparison).embedding_related == pytest.approx((1 / 101, 4 / 104))
    assert named(granularity(comparison).context_chars) == {"word": 40, "bpe": 20, "char": 10}

    worse = made.results.assign(
        bpb=[2.0, 2.5, 3.0], sample_chars_500=500, params_total=100, flops=[1, 2, 3], unk_rate=[0, 1, 1]
    )
    against = with_samples(dataclasses.replace(made, results=worse), {"char": 0.0, "bpe": 1.0, "word": 2.0})
    assert judgements(against) == [OPEN, NOT, NOT, OPEN, OPEN, NOT]
    ((size, winners),) = free_lunch(compared(against)).best
    assert size == "nano"
    assert len(winners["fewest parameters"]) == 3
    assert list(map(str, winners["bits per byte"])) == ["char"]
    assert "words never seen in training" not in winners, "which nobody counted"


def test_a_lower_loss_is_judged_by_the_seeds() -> None:
    made = seeds(0.5)
    made = dataclasses.replace(made, results=made.results.assign(val_loss=(made.results.arm == "bpe") * 1.0))
    for far, judged in (({"char": 3.0, "bpe": 1.0}, HOLDS), ({"char": 1.0, "bpe": 1.0}, OPEN),
                        ({"char": 1.0, "bpe": 3.0}, NOT)):  # fmt: skip
        insight = loss_and_output(compared(with_samples(made, far)))
        assert (insight.judgement, str(insight.lowest)) == (judged, "char")
        assert (insight.not_told_from is None) == (judged is not OPEN)
    alike = with_samples(made, {"char": 1.0, "bpe": 1.0})
    noise = np.where(alike.readability.name.isin(made.results.name[made.results.seed == 0]), 0.5, 0)
    noise = noise * np.where(alike.readability.name.str.startswith("char"), 3, -1)
    rows = alike.readability.assign(**{name: alike.readability[name] + noise for name in MEASURES})
    close = loss_and_output(compared(dataclasses.replace(alike, readability=rows)))
    assert close.judgement == OPEN, "other seeds might turn it round"
    assert str(close.nearest) == "bpe"
    assert loss_and_output(compared(made)).lowest is None, "without samples there is nothing to say"


def test_stability_needs_seeds() -> None:
    made = seeds(0.5)

    def judged(spikes: object) -> Judgement:
        return stability(
            compared(dataclasses.replace(made, results=made.results.assign(grad_norm_spikes=spikes)))
        ).judgement

    assert judged(np.where(made.results.arm == "char", 0.0, 0.1) + made.results.seed / 1000) == HOLDS
    assert judged(0.1) == NOT, "all alike"
    assert judged([0.0, 0.1, 0.2, 0.1, 0.2, 0.3]) == OPEN, "chance might do it"
    alone = compared(dataclasses.replace(made, results=made.results[made.results.seed == 0]))
    assert stability(alone).one_seed


def test_granularity_is_judged_within_a_size() -> None:
    """Over both sizes at once the larger models alone would make a correlation."""

    def judged(nano: list[float], micro: list[float]) -> Judgement:
        made = study(
            [
                run("bpe", 0, [bpb], {"model.n_embd": body, "tokenizer.v": i}, size=size, params_body=body,
                    bytes_per_token=1 + i)
                for size, body, row in (("nano", 100, nano), ("micro", 200, micro)) for i, bpb in enumerate(row)
            ]
        )  # fmt: skip
        insight = granularity(compared(made))
        assert [(one.size, one.cells) for one in insight.correlations] == [("nano", 6), ("micro", 6)]
        return insight.judgement

    falling, rising, neither = (
        [3.0, 2.9, 2.8, 2.7, 2.6, 2.5],
        [2.5, 2.6, 2.7, 2.8, 2.9, 3.0],
        [2.9, 3.0, 2.5, 2.6, 2.9, 2.7],
    )
    assert judged(falling, falling) == HOLDS
    assert judged(rising, rising) == NOT
    assert judged(falling, neither) == OPEN


def test_one_run_alone_leaves_all_open() -> None:
    assert set(judgements(study([run("char")]))) == {OPEN}


def test_what_was_ticked_by_eye_is_a_figure_or_none() -> None:
    made = seeds(0.5)
    (char, bpe) = ticked(compared(made))
    assert (str(char.cell), str(bpe.cell)) == ("char", "bpe")
    assert (char.readings, char.distance, char.unseen_bpb, char.unk_rate) == ({}, None, None, 0)
    unseen = {"char": {"unseen": 3.0}, "bpe": {"unseen": 4.0}}
    made = with_content(with_samples(made, {"char": -3.0, "bpe": 2.0}), "word", unseen, {"unseen": 64})
    (char, bpe) = ticked(compared(made))
    assert char.readings["real_words"].distance == pytest.approx(-3)
    assert (char.distance, bpe.distance) == (pytest.approx(3), pytest.approx(2))
    assert (char.unseen_bpb, bpe.unseen_bpb) == (pytest.approx(3.1), pytest.approx(4.1))
