"""Curves along training, of each run and of each cell over its seeds."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from made_up import compared, falling, named, run, study

from tokexp.analysis.curves import curves_by_run, mean_curves


def test_a_mean_curve_has_the_steps_that_all_seeds_have() -> None:
    made = study([run("char", 0, falling(2.2)), run("char", 1, falling(2.3)), run("bpe", 0, falling(2.15))])
    longer = made.curves[made.curves.name == made.results.name[0]].tail(1).assign(step=200, val_bpb=1.0)
    comparison = compared(dataclasses.replace(made, curves=pd.concat([made.curves, longer])))
    by_run, by_cell = curves_by_run(comparison), named(mean_curves(comparison))
    assert by_run[made.results.name[0]].val_bpb.tolist() == [*falling(2.2), 1.0]
    curve = by_cell["char"]
    assert curve.mean.step.tolist() == curve.low.step.tolist() == [25, 50, 75, 100]
    assert curve.mean.val_bpb.tolist() == pytest.approx(falling(2.25))
    assert (curve.low.val_bpb.iloc[-1], curve.high.val_bpb.iloc[-1]) == (2.2, 2.3)
    alone = by_cell["bpe"]
    assert alone.low.val_bpb.tolist() == alone.high.val_bpb.tolist() == falling(2.15)
    assert list(by_cell) == list(map(str, comparison.cells)), "best total first"
