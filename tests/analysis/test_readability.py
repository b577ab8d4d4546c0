"""Samples held against human text: distances, intervals, and what chance makes of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up import compared, equal_steps, named, seeds, with_samples

from tokexp.analysis.readability import (
    OF_PLAYS,
    distance_by_chance,
    lowest_temperature_distances,
    mean_distance,
    measures,
    readings,
    samples_of_a_run,
    temperatures,
    typical_distances,
)
from tokexp.scoring.samples.readability import MEASURES


def test_distance_is_from_the_human_band() -> None:
    comparison = compared(with_samples(seeds(0.5), {"char": -3.0, "bpe": 2.0}))
    reading = named(readings(comparison, 0.8))["char"]["judge"]
    assert (reading.mean, reading.distance) == (pytest.approx(-3), pytest.approx(-3))
    low, high = reading.interval
    assert -3.5 <= low < -3 < high <= -2.5
    assert named(typical_distances(comparison, 0.8))["bpe"] == pytest.approx([2, 2, 2])
    assert named(lowest_temperature_distances(comparison))["char"] == pytest.approx([3, 3, 3]), "either way"
    assert samples_of_a_run(comparison, 0.8) == 2


def test_chance_is_smaller_for_the_mean_of_many_passages() -> None:
    """Of passages at -1, 0 and 1, one is 0 or 1 away, and a mean of many is near 0."""
    comparison = compared(with_samples(seeds(0.5), {"char": -3.0, "bpe": 2.0}))
    assert distance_by_chance(comparison, 1) in (0, 1)
    assert distance_by_chance(comparison, 400) < 0.1


def test_the_interval_of_a_distance_is_students() -> None:
    estimate = mean_distance(np.array([1.0, 2.0, 3.0]))
    assert (estimate.value, estimate.half) == (2.0, pytest.approx(4.303 / np.sqrt(3), rel=1e-3))
    assert mean_distance(np.array([1.0])).half is None


def test_too_little_human_text_is_no_measure() -> None:
    """The deviation of a few passages is chance, and of one no number."""
    made = with_samples(seeds(0.5), {"char": 1.0, "bpe": 2.0})
    assert temperatures(compared(made)) == [0.8]
    human = made.readability.name == ""
    few = compared(dataclasses.replace(made, readability=made.readability[~human | (human.cumsum() <= 4)]))
    assert temperatures(few) == []
    assert lowest_temperature_distances(few) == {}


def test_what_could_not_be_counted_is_no_number() -> None:
    made = with_samples(equal_steps(), {"char": 1.0, "bpe": 2.0, "word": 3.0})
    of_words = made.readability.name.str.startswith("word")
    made = dataclasses.replace(made, readability=made.readability.assign(judge=made.readability.judge.mask(of_words)))
    by_name = named(readings(compared(made), 0.8))
    assert np.isnan(by_name["word"]["judge"].mean)
    assert np.isnan(by_name["word"]["judge"].distance)
    assert by_name["char"]["judge"].mean == pytest.approx(1)
    assert list(by_name["char"]) == [name for name in MEASURES if name not in OF_PLAYS]


def test_what_is_of_plays_is_measured_where_people_write_one() -> None:
    made = with_samples(seeds(0.5), {"char": 1.0, "bpe": 2.0})
    assert not set(OF_PLAYS) & set(measures(compared(made)))
    play = dataclasses.replace(made, readability=made.readability.assign(dialogue=made.readability.dialogue + 1))
    assert measures(compared(play)) == list(MEASURES)
