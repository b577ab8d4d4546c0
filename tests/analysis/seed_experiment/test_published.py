"""The seed experiment's published figures beside runs by its protocol."""

from __future__ import annotations

import dataclasses

import pytest
from made_up import by_protocol, compared

from tokexp.analysis.seed_experiment.published import PROTOCOL, PUBLISHED, Reproduction, reproductions

LOSS = '"final loss": training, end (nats/token)'


def by_figure() -> dict[tuple[str, str], Reproduction]:
    return {(row.figure.name, str(row.cell)): row for row in reproductions(compared(by_protocol()))}


def test_the_published_figures_are_met_by_runs_of_the_protocol_alone() -> None:
    made = by_protocol()
    assert {column: made.results[column].iloc[0] for column in PROTOCOL} == PROTOCOL
    met = by_figure()
    assert {cell for _, cell in met} == {"char", "word"}
    assert len(met) == 2 * len(PUBLISHED)
    elsewhere = dataclasses.replace(made, results=made.results.assign(corpus="another"))
    assert reproductions(compared(elsewhere)) == []


def test_what_is_reproduced_by_hand() -> None:
    """The words' vocabulary is 6,116 and not 6,551; at 6,551 the model would have the parameters that it had."""
    met = by_figure()
    parameters = met["parameters, at its vocabulary", "word"]
    assert parameters.here == 6551 * 256 * 2 + 128 * 256 + 3_159_552 == 6_546_432
    assert parameters.reproduced
    share = met["of which for the vocabulary and positions", "char"]
    assert share.here == pytest.approx((69 * 512 + 128 * 256) / (69 * 512 + 128 * 256 + 3_159_552))
    vocabulary = met["vocabulary", "word"]
    assert vocabulary.off == pytest.approx(6116 / 6551 - 1)
    assert vocabulary.reproduced is False
    assert [(met[LOSS, cell].off, met[LOSS, cell].reproduced) for cell in ("char", "word")] == [
        (pytest.approx(1.45 / 1.5 - 1), True),
        (pytest.approx(-0.2), False),
    ]
    bits = met["bits per byte, end", "char"]
    assert (bits.published, bits.off, bits.reproduced, bits.here) == (None, None, None, 2.0)
