"""What the page's script draws: computed by hand, and safe in its island."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pandas as pd
from made_up import compared, falling, run, several, study, whole_study

from tokexp.analysis.comparison import Comparison
from tokexp.rendering.figures.style import LINES, MARKERS
from tokexp.rendering.page.chart import DASHES, SYMBOLS, chart, island
from tokexp.runs.study import Study


def charted(made: Study) -> dict[str, Any]:
    comparison: Comparison = compared(made)
    return chart(comparison, list(comparison.runs["name"]))


def test_json_cannot_leave_its_island() -> None:
    text = str(island({"a": "</script><!--<script>&\u2028\u2029é"}))
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {"a": "</script><!--<script>&\u2028\u2029é"}


def test_curves_by_hand() -> None:
    made = study([run("char", 0, falling(2.2)), run("char", 1, falling(2.3)), run("bpe", 0, falling(2.15))])
    longer = made.curves[made.curves.name == made.results.name[0]].tail(1).assign(step=200, val_bpb=1.0)
    made = dataclasses.replace(made, curves=pd.concat([made.curves, longer]))
    cells = {cell["name"]: cell for cell in charted(made)["cells"]}
    mean = cells["char"]["mean"]
    assert mean["x"]["steps"] == [25, 50, 75, 100], "one seed alone went on"
    assert mean["x"]["FLOPs"] == [25, 50, 75, 100]
    assert mean["y"]["val_bpb"] == [3.75, 3.25, 2.75, 2.25]
    assert (mean["low"]["val_bpb"][-1], mean["high"]["val_bpb"][-1]) == (2.2, 2.3)
    assert cells["char"]["runs"][0]["y"]["val_bpb"][-1] == 1
    assert cells["char"]["seeds"] == 2
    assert "mean" not in cells["bpe"]
    assert cells["bpe"]["runs"][0]["x"]["bytes"] == [50, 100, 150, 200]


def test_what_is_no_number_is_null() -> None:
    made = study([run("char", 0, falling(2.2))])
    loss = made.curves.val_loss.mask(made.curves.step == 25).where(made.curves.step != 50, math.inf)
    ((cell,), _, _) = charted(dataclasses.replace(made, curves=made.curves.assign(val_loss=loss))).values()
    assert cell["runs"][0]["y"]["val_loss"] == [None, None, 2, 2]


def test_the_best_baseline_of_each_family_is_drawn() -> None:
    made = whole_study(several())
    rows = pd.concat([made.baselines, made.baselines.assign(baseline="worse", val_bpb=3.0)])
    assert charted(dataclasses.replace(made, baselines=rows))["baselines"] == [
        {"name": "Kneser-Ney (static)", "bpb": 2.2}
    ]


def test_baselines_of_another_text_than_the_curves_are_not_drawn() -> None:
    made = whole_study([run("char", eval_bytes=320)])
    assert charted(made)["baselines"] == []


def test_every_look_has_its_like_in_plotly() -> None:
    assert set(LINES) == set(DASHES)
    assert set(MARKERS) == set(SYMBOLS)


def test_samples_are_cut_in_javascripts_characters() -> None:
    """A crown is two of them, and é one; the classes are numbered as they come."""
    text = "a👑é b"
    made = whole_study([run("char")], text=text)
    segments = [
        {**row, "unknown": [1], "copied": [], "new_words": []} if row["of"] == "sample" else row
        for row in made.segments
    ]
    samples = charted(dataclasses.replace(made, segments=segments))["samples"]
    ((by_characters, by_threes),) = (one["texts"] for one in samples["runs"])
    assert by_characters["text"] == by_threes["text"] == text
    assert by_characters["lengths"] == [1, 2, 1, 1, 1]
    assert by_characters["pieces"] == 5
    classes = [samples["classes"][kind] for kind in by_characters["kinds"]]
    assert classes == [("p0", ""), ("p1", "unknown"), ("p2", ""), ("p3", ""), ("p0", "")]
    assert sum(by_threes["lengths"]) == len(text.encode("utf-16-le")) // 2
    assert samples["draws"] == [
        "equal tokens, temperature 0.8, sample 1",
        "equal characters, temperature 0.8, sample 1",
    ]


def test_samples_without_segments_or_of_another_text_are_whole() -> None:
    made = whole_study(several())
    stale = [row | ({"bytes": [1]} if row["of"] == "sample" else {}) for row in made.segments]
    for segments in ([], stale):
        samples = charted(dataclasses.replace(made, segments=segments))["samples"]
        text = samples["runs"][0]["texts"][0]
        assert (text["pieces"], text["lengths"], samples["classes"]) == (0, [len(text["text"])], [("", "")])


def test_runs_that_lack_samples_are_left_out() -> None:
    made = whole_study(several())
    without = [row for row in made.samples if not row["name"].startswith("char")]
    samples = charted(dataclasses.replace(made, samples=without))["samples"]
    assert {one["cell"] for one in samples["runs"]} == {"bpe", "words"}
    assert len(samples["draws"]) == 2
    first = [row for row in made.samples if not (row["name"].startswith("char") and row["equal"] == "chars")]
    samples = charted(dataclasses.replace(made, samples=first))["samples"]
    assert {one["cell"] for one in samples["runs"] if one["texts"][1] is None} == {"char"}
    assert all(one["texts"][0] for one in samples["runs"])
    none = charted(dataclasses.replace(made, samples=[]))["samples"]
    assert none == {"draws": [], "runs": [], "classes": []}
