"""The seed experiment's claims and the evidence for them, word for word."""

from __future__ import annotations

import dataclasses

import pytest
from made_up import ARMS, compared, run, seeds, study, with_samples

from tokexp.analysis.cells import Cell
from tokexp.analysis.seed_experiment.insights import (
    HOLDS,
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
from tokexp.analysis.statistics import Interval
from tokexp.rendering.tables.insights import CLAIMS, claim, evidence

A, B, C = (Cell(arm, "nano", False, (), False) for arm in "abc")
PICTURES = "lowest loss per token: a (1.00 nats, 2.500 bits per byte); nearest to human text: b (1.25 sd, a 3.00)"
SPIKES = "steps whose gradient norm is over 3 times the median of the 50 before"
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
        (dataclasses.replace(LOSS, one_seed=True), f"{PICTURES}; one seed cannot tell"),
        (dataclasses.replace(LOSS, not_told_from=A), f"{PICTURES}; the seeds do not tell b from a"),
        (SizeOfModels(OPEN, (100, 100), (1000, 2000), (0.9, 0.95)),
         "bodies of 100, totals of 1,000 to 2,000; embedding-related 90.0% to 95.0%"),
        (TextOfSamples(HOLDS, {A: 500, B: 1602.4}), "characters in the sample of equal tokens: a 500, b 1,602"),
        (Stability(OPEN, {A: 0.0, B: 0.0123}, one_seed=True),
         f"{SPIKES}: a 0.00%, b 1.23%; one seed cannot tell"),
        (Stability(OPEN, {A: 0.0}, not_told=True),
         f"{SPIKES}: a 0.00%; the seeds do not tell them apart"),
        (Granularity(OPEN, {A: 128}, []),
         "characters in a full context: a 128; fewer than 4 cells of a size cannot tell"),
        (Granularity(HOLDS, {A: 128}, [SizeCorrelation("nano", -0.9, Interval(-1.0, -0.5), 6)]),
         "characters in a full context: a 128; size nano: rank correlation of bytes per token and bits per byte "
         "-0.90 (-1.00 to -0.50) over 6 cells"),
        (FreeLunch(HOLDS, [("nano", {"bits per byte": [A], "fewest FLOPs": [A, B]}), ("micro", {"x": [A, B, C]})]),
         "best, size nano: bits per byte: a; fewest FLOPs: a, b. size micro: x: 3 of them alike"),
    ],
)  # fmt: skip
def test_evidence(insight: object, words: str) -> None:
    assert evidence(insight) == words  # type: ignore[arg-type]


def test_evidence_of_made_up_runs() -> None:
    made = study([run(arm, 0, [bpb], params_total=100) for arm, bpb in zip(ARMS, (2.0, 2.5, 3.0), strict=True)])
    words = [evidence(insight) for insight in insights(compared(with_samples(made, dict.fromkeys(ARMS, 1.0))))]
    assert "bodies of 100, totals of 100; embedding-related 0.0%" in words
    assert "fewest parameters: 3 of them alike" in words[5]
