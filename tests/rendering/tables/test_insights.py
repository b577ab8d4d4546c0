"""The seed experiment's claims and the evidence for them, word for word."""

from __future__ import annotations

import dataclasses

import pytest
from made_up import ARMS, compared, run, seeds, study, with_samples

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Interval
from tokexp.analysis.seed_experiment.insights import (
    HOLDS,
    NOT,
    OPEN,
    FreeLunch,
    Granularity,
    LossAndOutput,
    SizeCorrelation,
    SizeOfModels,
    Stability,
    TextOfSamples,
    insights,
)
from tokexp.rendering.tables.insights import CLAIMS, claim, evidence, verdict

A, B, C = (Cell(arm, "nano", False, (), False) for arm in "abc")
PICTURES = (
    "a has the lowest loss per token (1.00 nats, 2.500 bits per byte); the samples of b are nearest to human text "
    "(1.25 sd away, those of a 3.00)."
)
SPIKES = "In so many steps the gradient norm is over 3 times the median of the 50 steps before"
LOSS = LossAndOutput(OPEN, A, 1.0, 2.5, 3.0, B, 1.25)


def test_every_insight_has_its_claim() -> None:
    made = insights(compared(seeds(0.5)))
    assert [type(insight) for insight in made] == list(CLAIMS)
    assert claim(made[0]) == "A lower loss is not better output"


@pytest.mark.parametrize(
    ("insight", "words"),
    [
        (LossAndOutput(OPEN), ""),
        (LOSS, PICTURES),
        (dataclasses.replace(LOSS, one_seed=True), f"{PICTURES} One seed is an anecdote."),
        (dataclasses.replace(LOSS, not_told_from=A), f"{PICTURES} The seeds do not tell b from a."),
        (SizeOfModels(OPEN, (100, 100), (1000, 2000), (0.9, 0.95)),
         "The bodies have 100 parameters, the models 1,000 to 2,000; of these, 90.0% to 95.0% depend on the vocabulary "
         "and the positions."),
        (TextOfSamples(HOLDS, {A: 500, B: 1602.4}),
         "The samples of equal tokens have so many characters: a 500, b 1,602."),
        (Stability(OPEN, {A: 0.0, B: 0.0123}, one_seed=True),
         f"{SPIKES}: a 0.00%, b 1.23%. One seed is an anecdote."),
        (Stability(OPEN, {A: 0.0}, not_told=True),
         f"{SPIKES}: a 0.00%. The seeds do not tell them apart."),
        (Granularity(OPEN, {A: 128}, []),
         "A full context has so many characters: a 128. Fewer than 4 cells of a size tell nothing."),
        (Granularity(HOLDS, {A: 128}, [SizeCorrelation("nano", -0.9, Interval(-1.0, -0.5), 6)]),
         "A full context has so many characters: a 128. At size nano, bytes per token and bits per byte have a rank "
         "correlation of -0.90 (-1.00 to -0.50) over 6 cells."),
        (FreeLunch(HOLDS, [("nano", {"bits per byte": [A], "fewest FLOPs": [A, B]}), ("micro", {"x": [A, B, C]})]),
         "The best of size nano are, by bits per byte: a; by fewest FLOPs: a, b. "
         "The best of size micro are, by x: 3 alike."),
    ],
)  # fmt: skip
def test_evidence(insight: object, words: str) -> None:
    assert evidence(insight) == words  # type: ignore[arg-type]


def test_what_could_hardly_fail_to_hold_is_no_test() -> None:
    no_test = "holds by construction, so this is no test"
    lunch = FreeLunch(HOLDS, [])
    assert [verdict(one) for one in (lunch, TextOfSamples(HOLDS, {}), LOSS)] == [no_test, no_test, "open"]
    assert verdict(dataclasses.replace(lunch, judgement=NOT)) == "does not hold here", "which would be news"
    assert verdict(dataclasses.replace(LOSS, judgement=HOLDS)) == "holds here"


def test_evidence_of_made_up_runs() -> None:
    made = study([run(arm, 0, [bpb], params_total=100) for arm, bpb in zip(ARMS, (2.0, 2.5, 3.0), strict=True)])
    words = [evidence(insight) for insight in insights(compared(with_samples(made, dict.fromkeys(ARMS, 1.0))))]
    assert any(text.startswith("The bodies have 100 parameters, the models 100; of these, 0.0%") for text in words)
    assert "fewest parameters: 3 alike" in words[5]
