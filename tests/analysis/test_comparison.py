"""A comparison: the runs of one held-out text, with their cells, and what is computed of them but once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_up import compared, equal_steps, named, run, seeds, several, study, two_sizes

from tokexp.analysis.chance.statistics import Estimate
from tokexp.analysis.comparison import BaselineName, Comparison, by_cell, comparisons, computed_once


def test_a_cell_is_the_mean_of_its_seeds() -> None:
    comparison = compared(seeds(0.5))
    assert list(map(str, comparison.cells)) == ["char", "bpe"]
    assert comparison.means.seeds.tolist() == [3, 3]
    assert named(comparison.mean("val_bpb")) == pytest.approx({"char": 2.01, "bpe": 2.51})
    total = comparison.total(comparison.cells[0])
    assert (total.value, total.half) == (pytest.approx(2.01), pytest.approx(4.303 * 0.01 / np.sqrt(3), rel=1e-3))


def test_one_seed_has_no_interval() -> None:
    comparison = compared(equal_steps())
    assert comparison.total(comparison.cells[0]) == Estimate(2.0, None)


def test_what_is_computed_is_computed_once() -> None:
    calls = []

    @computed_once
    def total(comparison: Comparison, column: str, times: int = 1) -> float:
        calls.append(column)
        return float(comparison.runs[column].sum()) * times

    comparison, other = compared(seeds(0.5)), compared(seeds(0.1))
    first = total(comparison, "val_bpb")
    assert [total(comparison, "val_bpb") for _ in range(3)] == [first] * 3
    assert calls == ["val_bpb"]
    assert total(comparison, "seed") == 6
    assert calls == ["val_bpb", "seed"], "another argument is another question"
    assert total(other, "val_bpb") != first, "and so is another comparison"
    assert total(comparison, "val_bpb", 2) == total(comparison, "val_bpb", times=2) == 2 * first
    assert total(comparison, "val_bpb", times=3) == 3 * first, "named or not"
    assert total.__name__ == "total"


def test_what_has_no_answer_is_not_asked_again() -> None:
    calls = []

    @computed_once
    def nothing(comparison: Comparison) -> None:
        calls.append(comparison)

    comparison = compared(seeds(0.5))
    assert nothing(comparison) is nothing(comparison) is None
    assert len(calls) == 1


def test_the_means_are_computed_once() -> None:
    comparison = compared(seeds(0.5))
    assert comparison.means is comparison.means
    assert comparison.labels is comparison.labels
    assert comparison.baselines is comparison.baselines


def test_two_texts_are_two_comparisons() -> None:
    other = run("char", corpus="b", val_sha256="b", val_bytes=320)
    first, second = comparisons(study([run("bpe", bpb=[3.0]), run("char"), other]))
    assert (first.corpus, second.corpus) == ("b", "text")
    assert (first.scored_bytes, second.scored_bytes) == (320, 640)
    assert second.runs.arm.tolist() == ["char", "bpe"], "best first"


def test_runs_are_told_apart_by_their_seed_where_there_are_several() -> None:
    assert sorted(compared(study(several())).labels.values())[:2] == ["bpe s0", "bpe s1"]
    assert set(compared(equal_steps()).labels.values()) == {"char", "bpe", "word"}
    twice = [run("char", name=name, config_hash=name * 8) for name in "ab"]
    assert compared(study(twice)).labels == {"a": "char aaaaaaaa", "b": "char bbbbbbbb"}


def test_sizes_are_in_the_order_of_their_bodies() -> None:
    comparison = compared(two_sizes())
    assert [size.name for size in comparison.sizes] == ["nano", "micro"]
    assert [[cell.arm for cell in size.cells] for size in comparison.sizes] == [
        ["word", "char", "bpe"],
        ["word", "bpe", "char"],
    ]
    assert [cell.arm for cell in comparison.cells if comparison.loses_text(cell)] == ["word", "word"]


def test_baselines_are_those_of_the_same_text() -> None:
    comparison = compared(seeds(0.5))
    assert comparison.baselines.baseline.tolist() == ["PPMd", "Kneser-Ney", "gzip"]
    assert str(BaselineName("PPMd", "adaptive")) == "PPMd (adaptive)"


def test_the_end_of_each_seed_by_blocks() -> None:
    made = seeds(0.5)
    early = made.blocks.assign(step=50, **{f"b{i}": 0.0 for i in range(64)})
    comparison = compared(dataclasses.replace(made, blocks=pd.concat([early, made.blocks])))
    nats = comparison.end_nats(comparison.cells[0])
    assert nats.shape == (3, 64)
    assert nats.sum(axis=1) / np.log(2) / 640 == pytest.approx([2.0, 2.01, 2.02])


def test_the_rows_of_each_cell_by_name() -> None:
    comparison = compared(seeds(0.5))
    assert [(str(cell), len(rows)) for cell, rows in by_cell(comparison.runs)] == [("bpe", 3), ("char", 3)]
