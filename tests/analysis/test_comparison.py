"""What a report says of made-up runs: rankings that turn round, insights that hold or do not, tables worked by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tokexp.analysis import vocabulary as optimum
from tokexp.analysis.against_baselines import BEST, END, beside_table, leads
from tokexp.analysis.along import along, stretch_table
from tokexp.analysis.content import content_of, content_table
from tokexp.analysis.correlation import interval, power_law, ranks, spearman
from tokexp.analysis.differences import difference_table, differences
from tokexp.analysis.insights import HOLDS, NOT, OPEN, insights, seed_rows
from tokexp.analysis.readability import by_chance, readability_table, readings, temperatures, typical_distances
from tokexp.analysis.seed_experiment import PROTOCOL, original_table
from tokexp.analysis.tables import by_cell, cells, table
from tokexp.analysis.views import View, agreement, view_table, views
from tokexp.analysis.vocabulary import optimum_table, vertex
from tokexp.rendering.layout import apart, side_by_side
from tokexp.rendering.readme import answer, held_equal, printable, question, ranking
from tokexp.rendering.sections import sections
from tokexp.rendering.style import arm_colours
from tokexp.runs.result import columns
from tokexp.runs.study import BLOCK_COLUMNS, Study
from tokexp.scoring.samples.readability import MEASURES

ARMS = {"char": 1.0, "bpe": 2.0, "word": 4.0}  # bytes per token
EVERY = dict.fromkeys(("corpus", "corpus_sha256", "val_sha256"), "text")


def run(arm: str, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of results.csv: any value, of the right type, that a test does not name."""
    row: dict[str, Any] = dict.fromkeys(columns(), 1)
    row |= EVERY | {"arm": arm, "seed": seed, "size": "nano", "trained_on": "train", "tuned": "", "val_bytes": 640}
    row |= {"machine": "one", "device": "cpu", "git_commit": "abc", "git_dirty": "False", "versions": "v"}
    row |= {"bytes_per_token": ARMS[arm], "chars_per_token": ARMS[arm], "budget": "steps=100", "precision": "float32"}
    row |= {"params_body": 100, "params_total": 100 + int(ARMS[arm]), "marginal_gain_bpb": np.nan}
    settings = {"train.schedule": "cosine", "budget.steps": 100, **changes.pop("settings", {})}
    row |= changes
    name = f"{arm}-s{seed}-{json.dumps(settings, sort_keys=True)}-{row['machine']}"
    return {**row, "name": name, "config_hash": name, "settings": json.dumps(settings)}


def curve(row: dict[str, Any], bpb: Iterable[float], steps: int = 100) -> list[dict[str, Any]]:
    """Evaluations evenly spaced up to the end, at which the run is as good as its last figure."""
    bpb = list(bpb)
    row |= {"val_bpb": bpb[-1], "best_val_bpb_crossfit": row.get("best", min(bpb))}
    at = [steps * (i + 1) // len(bpb) for i in range(len(bpb))]
    per_step = {
        "bytes_seen": ARMS[row["arm"]],
        "flops": ARMS[row["arm"]] ** 2,
        "seconds": 9 if row["arm"] == "word" else 1,
    }
    return [
        {"name": row["name"], "step": step, **{key: step * value for key, value in per_step.items()}, "val_bpb": value}
        for step, value in zip(at, bpb, strict=True)
    ]


def study(rows: list[dict[str, Any]], curves: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> Study:
    """With blocks in which every run is as good as its total, but for noise that runs share."""
    blocks = [{"name": row["name"], "step": 100, **blocks_of(row["val_bpb"])} for row in rows]
    columns = {
        "content": ["name", "partition", "class", "bytes", "bits"],
        "readability": ["name", "val_sha256", "chars", "temperature", "sample", *MEASURES],
        "baselines": ["val_sha256", "baseline", "family", "val_bpb", "val_bpb_restoration", *BLOCK_COLUMNS],
    }
    frames = {name: pd.DataFrame(tables.get(name, []), columns=given) for name, given in columns.items()}
    return Study(
        "made-up", pd.DataFrame(rows), pd.DataFrame(curves), pd.DataFrame(blocks), **frames, samples=[], missing=[]
    )


def blocks_of(bpb: float, noise: float = 0.01, seed: int = 0) -> dict[str, float]:
    """Nats of 64 blocks of 10 bytes that come to `bpb`."""
    more = np.random.default_rng(seed).normal(0, noise, 64)
    return {f"b{i}": (bpb + more[i] - more.mean()) * 10 * np.log(2) for i in range(64)}


def found(made: Study) -> dict[str, View]:
    return {view.name: view for view in views(made, made.results)}


def equal_steps() -> Study:
    rows = [run(arm) for arm in ARMS]
    bpb = {"char": [4, 3, 2.5, 2.0], "bpe": [5, 3, 2.8, 2.4], "word": [3, 2.6, 2.5, 2.2]}
    return study(rows, [point for row in rows for point in curve(row, bpb[row["arm"]])])


def test_only_the_ends_of_schedules_are_ranked() -> None:
    by_name = found(equal_steps())
    assert by_name["equal steps"].ranking == ["char", "word", "bpe"]
    at_bytes = by_name["equal bytes"]
    assert at_bytes.terms == "100 bytes read"
    assert at_bytes.points["char"].share == 1.0
    bpe = at_bytes.points["bpe"]  # halfway through its steps
    assert (bpe.bpb, bpe.share, bpe.ranked) == (3, pytest.approx(0.5), False)
    assert at_bytes.ranking == []
    assert "(3.000 at 50% of its schedule)" in view_table(list(by_name.values())).to_string()
    assert by_name["equal steps"].points["word"].ranked


def test_between_evaluations_a_curve_is_straight_and_before_the_first_unknown() -> None:
    rows = [run("char", settings={"budget.steps": 60}), run("bpe")]
    made = study(rows, [*curve(rows[0], [4, 3, 2], steps=60), *curve(rows[1], [5, 3, 2, 1])])
    points = found(made)["equal steps"].points
    assert points["bpe"].bpb == pytest.approx(3 - 10 / 25)
    rows = [run("char", settings={"budget.steps": 10}), run("bpe")]
    made = study(rows, [*curve(rows[0], [4], steps=10), *curve(rows[1], [5, 3, 2, 1])])
    assert set(found(made)["equal steps"].points) == {"char"}


def test_a_constant_rate_may_be_ranked_anywhere() -> None:
    rows = [run(arm, settings={"train.schedule": "constant"}) for arm in ARMS]
    made = study(rows, [point for row in rows for point in curve(row, [4, 3 + ARMS[row["arm"]] / 10, 2, 1])])
    assert found(made)["equal bytes"].ranking == ["char", "bpe", "word"]


def test_runs_with_that_budget_are_ranked_and_the_ranking_turns_round() -> None:
    """Words are better at equal steps, characters at equal bytes: from runs that had that budget."""
    steps = [run(arm) for arm in ("char", "word")]
    read = [run(arm, settings={"budget.steps": None, "budget.bytes": 100}) for arm in ("char", "word")]
    curves = [
        *curve(steps[0], [4, 3, 3, 2.5]), *curve(steps[1], [3, 2.5, 2.4, 2.2]),
        *curve(read[0], [4, 3, 3, 2.5]), *curve(read[1], [4, 3.5, 3, 2.9], steps=25),
    ]  # fmt: skip
    made = study(steps + read, curves)
    by_name = found(made)
    assert by_name["equal steps"].ranking == ["word", "char"]
    assert by_name["equal bytes"].ranking == ["char", "word"]
    said = agreement(made, made.results).turned
    assert said == ["char is before word at equal bytes, but after it at equal steps (of one seed)"]
    assert "depends on the terms: char is before word at equal bytes" in " ".join(answer(made, made.results))


def test_what_seeds_cannot_tell_apart_does_not_turn_round() -> None:
    """The better one is another at the best checkpoint than at the end: by less than the seeds differ, and by more."""

    def made(gap: float) -> Study:
        rows = [
            run(arm, seed, best=1.5 + gap * (arm == "bpe") + seed / 100) for arm in ("char", "bpe") for seed in range(3)
        ]
        ends = {"char": 2 + gap, "bpe": 2}
        return study(rows, [point for row in rows for point in curve(row, [ends[row["arm"]] + row["seed"] / 100])])

    close, clear = made(0.01), made(0.5)
    assert agreement(close, close.results).turned == []
    (line,) = agreement(clear, clear.results).turned
    assert line.startswith("bpe is before char at equal steps")
    assert line.endswith("but after it each at its best checkpoint")


def test_a_view_that_ranks_few_cells_has_no_say() -> None:
    """At equal bytes characters alone had their whole schedule: no other order is there, which says nothing."""
    made = equal_steps()
    found = agreement(made, made.results)
    assert (found.pairs, found.ranked["equal steps"], found.ranked["equal bytes"]) == (3, 3, 0)
    assert "equal bytes" not in found.telling
    said = " ".join(answer(made, made.results))
    assert "most of the cells cannot be ranked" in said
    assert "The ranking is the same at equal steps and each at its best checkpoint; at equal bytes" in said


def test_seconds_are_compared_on_one_machine_only() -> None:
    rows = [run("char"), run("bpe"), run("word", machine="another")]
    made = study(rows, [point for row in rows for point in curve(row, [4, 3, 2])])
    view = found(made)["equal seconds"]
    assert set(view.points) == {"char", "bpe"}
    assert "only those with machine=one" in view.terms


@pytest.mark.parametrize(
    ("ends", "share"), [((150, 120, 100), 100 / 150), ((150, 100, 70), None), ((100, 100, 100), 1)]
)
def test_a_point_is_whole_only_where_every_seeds_schedule_is(ends: tuple[int, ...], share: float | None) -> None:
    """Seconds differ from seed to seed: at 100 s one of them may have had two thirds of its schedule, or be done."""
    rows = [run(arm, seed) for arm in ("char", "bpe") for seed in range(3)]
    curves = [point for row in rows for point in curve(row, [4, 3, 2])]
    made = study(rows, curves)
    slower = {row["name"]: end / 100 for row, end in zip(rows[3:], ends, strict=True)}
    scaled = made.curves.seconds * made.curves.name.map(slower).fillna(1.0)
    made = dataclasses.replace(made, curves=made.curves.assign(seconds=scaled))
    point = found(made)["equal seconds"].points.get("bpe")
    assert (point.share if point else None) == (pytest.approx(share) if share else None)
    assert point is None or point.ranked == (share == 1)


def seeds(gap: float) -> Study:
    rows = [run(arm, seed) for arm in ("char", "bpe") for seed in range(3)]
    curves = [point for row in rows for point in curve(row, [2 + gap * (row["arm"] == "bpe") + row["seed"] / 100])]
    baselines = [
        {**EVERY, "baseline": "PPMd", "family": "adaptive", "val_bpb": 2.005, "val_bpb_restoration": 0.0}
        | blocks_of(2.005),
        {**EVERY, "baseline": "Kneser-Ney", "family": "static", "val_bpb": 2.3, "val_bpb_restoration": 0.0}
        | blocks_of(2.3, 0.5, seed=1),
        {**EVERY, "baseline": "gzip", "family": "adaptive", "val_bpb": 3.1, "val_bpb_restoration": 0.0},
        {**EVERY, "val_sha256": "another text", "baseline": "xz", "family": "adaptive", "val_bpb": 1.0},
    ]
    return study(rows, curves, baselines=baselines)


def test_a_cell_is_the_mean_of_its_seeds_among_the_baselines() -> None:
    made = seeds(0.5)
    means = by_cell(made.results)
    assert list(zip(means.cell, means.seeds, strict=True)) == [("char", 3), ("bpe", 3)]
    assert means.val_bpb_half[0] == pytest.approx(4.303 * 0.01 / np.sqrt(3), rel=1e-3)
    rows = table(made, made.results, "bits_per_byte")
    assert list(rows.run) == ["*PPMd (adaptive)*", "char", "*Kneser-Ney (static)*", "bpe", "*gzip (adaptive)*"]
    assert list(rows["= total"]) == ["2.005", "2.010 ± 0.025", "2.300", "2.510 ± 0.025", "3.100"]
    said = " ".join(answer(made, made.results))
    assert said.startswith("Best is char, with 2.010 ± 0.025 bits per byte")
    assert "before bpe by 0.500: resolved." in said
    assert "char is behind PPMd, the best that goes on learning as it reads, by 0.005: **not resolved**" in said
    assert "char is before Kneser-Ney, the best baseline that learned from the training part alone, by 0.290" in said
    assert "gzip" not in said, "not the best of its family"
    assert "The ranking is the same at equal steps" in said


def test_a_model_beside_a_baseline_by_hand() -> None:
    """Over the seeds the t of one sample, over the text paired: here without spread, since the noise is shared."""
    made = seeds(0.5)
    found = {(place.cell, place.at, place.baseline): place.difference for place in leads(made, made.results)}
    assert len(found) == 2 * 2, "the best checkpoint is the end"
    char = found["char", END, "PPMd"]
    half = 4.303 * 0.01 / np.sqrt(3)
    assert char.mean == pytest.approx(-0.005)
    assert char.over_seeds == pytest.approx((-0.005 - half, -0.005 + half), rel=1e-3)
    assert char.over_text == pytest.approx((-0.005, -0.005))
    assert not char.resolved
    assert found["char", END, "Kneser-Ney"].resolved
    low, high = found["char", END, "Kneser-Ney"].over_text
    assert low < 0.29 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 8, rel=0.2), "another text might have other noise"
    rows = beside_table(made, made.results)
    assert list(rows[rows.run == "bpe"]["before it by"]) == ["-0.210", "-0.505"]


def test_one_seed_beside_a_baseline_is_an_anecdote() -> None:
    made = seeds(0.5)
    alone = dataclasses.replace(made, results=made.results[made.results.seed == 0])
    assert all("one seed is an anecdote" in place.said for place in leads(alone, alone.results))


def test_the_best_checkpoint_beside_a_baseline_is_paid_for() -> None:
    """A checkpoint that is good on the even blocks alone is chosen there and scored on the odd ones."""
    made = seeds(0.5)
    even = {f"b{i}": (1.0 if i % 2 == 0 else 3.5) * 10 * np.log(2) for i in range(64)}
    early = pd.DataFrame([{"name": name, "step": 50, **even} for name in made.results.name])
    made = dataclasses.replace(made, blocks=pd.concat([early, made.blocks]))
    found = {(place.cell, place.at): place for place in leads(made, made.results) if place.baseline == "PPMd"}
    assert len(found) == 4
    assert found["char", END].difference.mean == pytest.approx(2.005 - 2.01)
    # the odd blocks by the early checkpoint, at 3.5; the even ones by the end, which is better on the odd ones
    assert found["char", BEST].difference.mean == pytest.approx(2.005 - (3.5 + 2.01) / 2, abs=0.01)


def test_where_no_baseline_has_blocks_nothing_is_said() -> None:
    """As in data from before they were kept, and in a corpus without baselines."""
    made = seeds(0.5)
    for baselines in (made.baselines.drop(columns=BLOCK_COLUMNS), made.baselines[:0]):
        without = dataclasses.replace(made, baselines=baselines)
        assert leads(without, without.results) == []
        assert not len(beside_table(without, without.results))
        assert "PPMd" not in " ".join(answer(without, without.results))


def test_along_the_text_by_hand() -> None:
    """A cell that is better on the first eighth alone by 0.8 is better by 0.1 of the whole."""
    made = seeds(0.5)
    first = {
        f"b{i}": made.blocks[f"b{i}"] - 0.8 * 10 * np.log(2) * (made.blocks.name.str.startswith("bpe"))
        for i in range(8)
    }
    rows = along(made, made.results)
    moved = dataclasses.replace(made, blocks=made.blocks.assign(**first))
    difference = rows - along(moved, moved.results)
    assert difference.loc["bpe"].to_list() == pytest.approx([0.8] + [0.0] * 7)
    assert difference.drop("bpe").abs().max().max() == pytest.approx(0)
    assert list(rows.index) == ["char", "bpe", "*PPMd (adaptive)*", "*Kneser-Ney (static)*"], "gzip's are not known"
    assert rows.mean(axis=1).to_list() == pytest.approx([2.01, 2.51, 2.005, 2.3])
    assert list(stretch_table(made, made.results).columns)[:3] == ["run", "1/8", "2/8"]


def test_the_lead_is_resolved_or_says_what_would_do() -> None:
    assert list(difference_table(seeds(0.5), seeds(0.5).results).verdict) == ["resolved"]
    close = seeds(0.01)
    assert "seeds a cell would do" in difference_table(close, close.results).verdict[0]


def test_each_size_has_its_best_and_what_loses_text_is_told_from_what_does_not() -> None:
    """Words win at both sizes, but lose text; of the others characters are best when small, and BPE when large."""
    bpb = {"nano": {"char": 2.5, "bpe": 2.6, "word": 2.4}, "micro": {"char": 2.2, "bpe": 2.1, "word": 2.0}}
    rows = [
        run(arm, seed, size=size, params_body=body, val_bpb_restoration=0.4 * (arm == "word"),
            settings={"model.n_embd": body})
        for arm in ARMS for size, body in (("micro", 200), ("nano", 100)) for seed in range(3)
    ]  # fmt: skip
    curves = [point for row in rows for point in curve(row, [bpb[row["size"]][row["arm"]] + row["seed"] / 1000])]
    made = study(rows, curves)
    said = " ".join(answer(made, made.results))
    assert said.index("Best of size nano is word nano, with 2.401") < said.index("Best of size micro is word micro")
    assert "0.400 bring back what it loses; of those that lose nothing char nano is best, with 2.501" in said
    assert "lose nothing bpe micro is best, with 2.101" in said
    compared = differences(made, made.results)
    assert len(compared) == 3 + 3, "within a size alone"
    assert all(one.split()[1] == other.split()[1] for one, other in compared)
    assert "The lead of word nano, the best of size nano:\n\n- before char nano by 0.100: " in ranking(
        made, made.results
    )


def test_a_named_sweep_has_a_question() -> None:
    assert question("vocab_size").startswith("How large a vocabulary")
    assert question("demo") == ""


def test_what_was_tuned_is_named() -> None:
    made = seeds(0.5)
    assert "Chosen by looking" not in ranking(made, made.results)
    tuned = dataclasses.replace(made, results=made.results.assign(tuned="train.lr; model"))
    assert "Chosen by looking at held-out text, so flattering: model; train.lr." in ranking(tuned, tuned.results)


def test_content_by_hand() -> None:
    made = seeds(0.5)
    names = {arm: [row.name for row in made.results.itertuples() if row.arm == arm] for arm in ("char", "bpe")}
    rows = [
        {"name": name, "partition": "place", "class": kind, "bytes": n, "bits": n * (bpb + 0.1 * i)}
        for arm, base in (("char", 1.0), ("bpe", 2.0))
        for i, name in enumerate(names["char" if arm == "char" else "bpe"])
        for kind, n, bpb in (("heading", 64, base), ("spacing", 576, base + 1), ("none", 0, 0.0))
    ]
    made = dataclasses.replace(made, content=pd.DataFrame(rows))
    wide = content_of(made, made.results, "place")
    assert wide.loc["char"].to_dict() == pytest.approx({"heading": 1.1, "spacing": 2.1})
    assert list(content_table(made, made.results, "place").columns) == ["run", "heading (10.0%)", "spacing (90.0%)"]
    parts = {"word_first": (64, 4.0), "word_rest": (128, 2.0), "spacing": (384, 1.0), "heading": (64, 9.0)}
    rows = [
        {"name": name, "partition": "place", "class": kind, "bytes": n, "bits": n * bpb}
        for name in made.results.name for kind, (n, bpb) in parts.items()
    ]  # fmt: skip
    made = dataclasses.replace(made, content=pd.DataFrame(rows))
    together = content_table(made, made.results, "place")["words and spacing (90.0%)"]
    assert list(together) == [f"{(64 * 4 + 128 * 2 + 384) / 576:.3f}"] * 2


def with_samples(made: Study, far: dict[str, float]) -> Study:
    """People's measures are 0 +- 1; each arm's samples lie `far` away."""
    human = [{**EVERY, "name": "", "chars": 9, "temperature": np.nan, "sample": i} for i in range(5)]
    rows = [{**row, **dict.fromkeys(MEASURES, at)} for row, at in zip(human, (-1.0, -1.0, 0.0, 1.0, 1.0), strict=True)]
    for run_ in made.results.itertuples():
        row = {**EVERY, "name": run_.name, "chars": 9, "temperature": 0.8}
        rows += [{**row, "sample": i, **dict.fromkeys(MEASURES, far[run_.arm] + i - 0.5)} for i in range(2)]
    return dataclasses.replace(made, readability=pd.DataFrame(rows))


def test_distance_is_from_the_human_band() -> None:
    made = with_samples(seeds(0.5), {"char": -3.0, "bpe": 2.0})
    read = readings(made, made.results, 0.8)
    reading = read["char"]["judge"]
    assert (reading.mean, reading.distance) == (pytest.approx(-3), pytest.approx(-3))
    assert -3.5 <= reading.low < -3 < reading.high <= -2.5
    assert typical_distances(made, made.results, 0.8)["bpe"] == pytest.approx([2, 2, 2])
    rows = readability_table(made, made.results, 0.8).set_index("measure")
    assert rows["char"]["median distance from human text, of a run"] == "3.00 ± 0.00 sd"
    assert "+2.0 sd" in rows["bpe"]["real words"]


def test_chance_is_smaller_for_the_mean_of_many_passages() -> None:
    """Of passages at -1, 0 and 1, one is 0 or 1 away, and a mean of many is near 0."""
    made = with_samples(seeds(0.5), {"char": -3.0, "bpe": 2.0})
    assert by_chance(made, made.results, 1) in (0, 1)
    assert by_chance(made, made.results, 400) < 0.1


def test_insights_follow_the_figures() -> None:
    rows = [
        run(arm, val_loss=loss, sample_chars_500=500 * ARMS[arm], block_size=10, flops=flops)
        for arm, loss, flops in (("char", 1.0, 3), ("bpe", 2.0, 2), ("word", 3.0, 1))
    ]
    made = study(rows, [p for row in rows for p in curve(row, [{"char": 3.0, "bpe": 2.5, "word": 2.0}[row["arm"]]])])
    made = with_samples(made, {"char": 3.0, "bpe": 1.0, "word": 2.0})
    verdicts = insights(made, made.results).verdict.tolist()
    assert verdicts == [OPEN, HOLDS, HOLDS, OPEN, OPEN, HOLDS], "one seed cannot tell, nor three cells"

    worse = made.results.assign(
        val_bpb=[2.0, 2.5, 3.0], sample_chars_500=500, params_total=100, flops=[1, 2, 3], unk_rate=[0, 1, 1]
    )
    against = with_samples(dataclasses.replace(made, results=worse), {"char": 0.0, "bpe": 1.0, "word": 2.0})
    verdicts = insights(against, against.results).verdict.tolist()
    assert verdicts == [OPEN, NOT, NOT, OPEN, OPEN, NOT]
    assert "fewest parameters: 3 of them alike" in insights(against, against.results)["this sweep"].iloc[5]


def test_a_lower_loss_is_judged_by_the_seeds() -> None:
    made = seeds(0.5)
    made = dataclasses.replace(made, results=made.results.assign(val_loss=(made.results.arm == "bpe") * 1.0))
    said = [
        insights(found, found.results).iloc[0].to_list()[1:]
        for far in ({"char": 3.0, "bpe": 1.0}, {"char": 1.0, "bpe": 1.0}, {"char": 1.0, "bpe": 3.0})
        if (found := with_samples(made, far))
    ]
    assert [verdict for _, verdict in said] == [HOLDS, OPEN, NOT]
    apart = with_samples(made, {"char": 1.0, "bpe": 1.0})
    noise = np.where(apart.readability.name.isin(made.results.name[made.results.seed == 0]), 0.5, 0)
    noise = noise * np.where(apart.readability.name.str.startswith("char"), 3, -1)
    rows = apart.readability.assign(**{name: apart.readability[name] + noise for name in MEASURES})
    close = dataclasses.replace(apart, readability=rows)
    assert insights(close, close.results).verdict[0] == OPEN, "other seeds might turn it round"


def test_the_original_is_met_by_runs_of_its_protocol_alone() -> None:
    body, positions = 3_159_552, 128 * 256
    by_protocol = {**PROTOCOL, "corpus": "tinyshakespeare", "params_body": body, "params_position_embedding": positions}

    def vocabulary(size: int) -> dict[str, int]:
        return {"vocab_size": size, "params_token_embedding": size * 256, "params_lm_head": size * 256}

    rows = [
        run("char", **by_protocol, **vocabulary(69), train_loss=1.45, sample_chars_500=500),
        run("word", **by_protocol, **vocabulary(6116), train_loss=2.4),
        run("bpe", **{**by_protocol, "steps": 7999}, **vocabulary(6551)),
    ]
    made = study(rows, [point for row in rows for point in curve(row, [2.0])])
    met = original_table(made, made.results).set_index(["figure", "tokenizer"])
    assert set(met.index.get_level_values("tokenizer")) == {"char", "word"}
    assert list(met.loc[("parameters, at its vocabulary", "word"), ["here", "verdict"]]) == ["6,546,432", "reproduced"]
    assert met.loc[("of which for the vocabulary and positions", "char"), "here"] == "2.11%"
    assert met.loc[("vocabulary", "word"), "verdict"] == "not so: -6.6%"
    loss = '"final loss": training, end (nats/token)'
    assert list(met.loc[loss].verdict) == ["reproduced", "not so: -20.0%"]
    assert list(met.loc["bits per byte, end"].verdict) == ["it had none"] * 2
    assert not len(original_table(made, made.results.assign(corpus="another")))


def test_the_best_vocabulary_by_hand() -> None:
    """Bits per byte 2 + (log2 V - 10.5)^2 / 100: a parabola, whose vertex is found whatever was tried beside it."""
    sizes = (256, 1024, 2048, 8192)
    bpb = {v: 2 + (np.log2(v) - 10.5) ** 2 / 100 for v in sizes}
    assert vertex(bpb) == pytest.approx(2**10.5)
    assert vertex({v: bpb[v] for v in sizes[2:]}) == 2048, "at the edge"
    rows = [run("bpe", seed, vocab_size=v, settings={"tokenizer.vocab_size": v}) for v in sizes for seed in range(3)]
    curves = [point for row in rows for point in curve(row, [bpb[row["vocab_size"]] + row["seed"] / 1e4])]
    made = study(rows, curves)
    (row,) = optimum_table(made, made.results).to_dict("records")
    assert row["run"] == "bpe nano"
    assert row["optimum"] == f"{2**10.5:,.0f}"
    low, high = (float(end.replace(",", "")) for end in row["95 %, over the seeds"].split(" to "))
    assert 1024 < low < 2**10.5 < high < 2048
    assert row["95 %, over the text"] == "1,448 to 1,448", "all of the text is alike"
    few = made.results[made.results.vocab_size > 256]
    assert not len(optimum_table(made, few))


def test_the_interval_of_the_best_vocabulary_covers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimum, "DRAWS", 300)
    rng, rounds, covered = np.random.default_rng(3), 100, 0
    for _ in range(rounds):
        mean = {v: 2.28 + 0.03 * np.log(v / 2400) ** 2 for v in (270, 512, 1024, 2048, 4096, 8192, 12000)}
        low, high = optimum.over_seeds({v: bpb + rng.normal(0, 0.008, 3) for v, bpb in mean.items()})
        covered += low <= 2400 <= high
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / rounds) < covered / rounds


def test_a_text_whose_halves_want_other_vocabularies_does_not_know_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half's optimum is 600, the second's 6,000: with eight stretches either may come out."""
    monkeypatch.setattr(optimum, "DRAWS", 300)
    best = np.repeat([600, 6000], 32)
    blocks = {v: 2 + 0.03 * np.log(v / best) ** 2 for v in (270, 512, 1024, 2048, 4096, 8192, 12000)}
    low, high = optimum.over_text(blocks)
    assert 550 < low < 1100
    assert 3300 < high < 6500


def test_control_characters_are_shown_as_signs() -> None:
    assert printable("a\x00b\x1b[0m\n\tc\x7fé") == "a␀b␛[0m\n\tc␡é"


def test_too_little_human_text_is_no_measure() -> None:
    """The deviation of a few passages is chance, and of one no number."""
    made = with_samples(seeds(0.5), {"char": 1.0, "bpe": 2.0})
    assert temperatures(made, made.results)
    human = made.readability.name == ""
    few = dataclasses.replace(made, readability=made.readability[~human | (human.cumsum() <= 4)])
    assert temperatures(few, few.results) == []
    assert "readability" not in [section.name for section, _ in sections(few, few.results)]


def test_stability_needs_seeds() -> None:
    made = seeds(0.5)
    spikes = np.where(made.results.arm == "char", 0.0, 0.1) + made.results.seed / 1000
    steady = dataclasses.replace(made, results=made.results.assign(grad_norm_spikes=spikes))
    assert insights(steady, steady.results).verdict[3] == HOLDS
    assert insights(made, made.results).verdict[3] == NOT, "all alike"
    noisy = made.results.assign(grad_norm_spikes=[0.0, 0.1, 0.2, 0.1, 0.2, 0.3])
    assert insights(made, noisy).verdict[3] == OPEN, "chance might do it"


def test_granularity_is_judged_within_a_size() -> None:
    """Over both sizes at once the larger models alone would make a correlation."""

    def verdict(nano: list[float], micro: list[float]) -> str:
        rows = [
            run("bpe", size=size, params_body=body, bytes_per_token=1 + i,
                settings={"model.n_embd": body, "tokenizer.v": i})
            for size, body in (("nano", 100), ("micro", 200)) for i in range(6)
        ]  # fmt: skip
        made = study(rows, [point for row, bpb in zip(rows, nano + micro, strict=True) for point in curve(row, [bpb])])
        return str(insights(made, made.results).verdict[4])

    falling, rising, neither = (
        [3.0, 2.9, 2.8, 2.7, 2.6, 2.5],
        [2.5, 2.6, 2.7, 2.8, 2.9, 3.0],
        [2.9, 3.0, 2.5, 2.6, 2.9, 2.7],
    )
    assert verdict(falling, falling) == HOLDS
    assert verdict(rising, rising) == NOT
    assert verdict(falling, neither) == OPEN


def test_one_run_alone_makes_a_report() -> None:
    row = run("char")
    made = study([row], curve(row, [2.0]))
    names = [section.name for section, _ in sections(made, made.results)]
    assert {"bits_per_byte", "views", "insights", "seed_rows", "cost"} <= set(names)
    assert "differences" not in names
    assert set(insights(made, made.results).verdict) == {OPEN}
    assert seed_rows(made, made.results).run.tolist() == ["char"]
    assert "Held equal" in held_equal(made.results)


def test_what_is_not_equal_is_said() -> None:
    made = seeds(0.5)
    rows = made.results.assign(block_size=10, flops=5.0, steps=100, params_total=100)
    said = held_equal(rows)
    assert said.endswith("So not equal, within a size: characters in a full context (10 to 20).")
    assert "parameters (100 to 103)" in held_equal(rows.assign(params_total=100 + 3 * (rows.arm == "char")))
    assert held_equal(rows.assign(chars_per_token=1)).endswith("within a size: nothing that is measured.")


def test_cells_without_the_budget() -> None:
    rows = pd.DataFrame([run("char"), run("char", settings={"budget.steps": 7, "train.lr": 1})])
    assert cells(rows) == ["char steps=100", "char steps=7 lr=1"]
    assert cells(rows, but="budget.") == ["char", "char lr=1"]


def test_cells_are_named_by_size_and_by_what_changes_weights() -> None:
    nano, micro = {"model.n_embd": 32}, {"model.n_embd": 128}
    rows = pd.DataFrame([run("char", settings=nano), run("char", settings=micro, size="micro")])
    assert cells(rows) == ["char nano", "char micro"]
    other = pd.DataFrame([run("char", settings={"train.eval_every": 5}), run("char", 1, settings={"sample.chars": 9})])
    assert len(set(cells(other))) == 2, "runs of other settings are other cells, whatever the settings"
    both = pd.DataFrame([run("char", settings={"train.lr": n, "train.eval_every": n}) for n in (1, 2)])
    assert cells(both) == ["char lr=1", "char lr=2"]


def test_rank_correlation_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0])
    assert spearman(x, y) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert ranks(np.array([5.0, 5.0, 1.0])).tolist() == [1.5, 1.5, 0]
    assert np.isnan(spearman(x, np.ones(4)))
    low, high = interval(np.arange(20.0), np.arange(20.0) + np.tile([0, 3], 10))
    assert 0.5 < low < high <= 1


def test_names_move_apart_no_further_than_they_must() -> None:
    assert apart([0.0, 5.0, 9.0], 2) == [0, 5, 9]
    assert apart([1.0, 1.0], 2) == pytest.approx([0, 2]), "each as far"
    assert apart([0.0, 0.0, 0.0, 10.0], 1) == pytest.approx([-1, 0, 1, 10])
    assert apart([], 1) == []


def test_cells_that_are_too_many_to_be_named_stand_side_by_side_by_size() -> None:
    rows = [
        run(arm, size=size, params_body=body, settings={"model.n_embd": body, "tokenizer.vocab_size": v})
        for size, body in (("nano", 1), ("micro", 2)) for arm in ARMS for v in (1, 2, 3)
    ]  # fmt: skip
    runs = pd.DataFrame(rows)
    order = cells(runs)
    (nano, its), (micro, others) = side_by_side(runs, order)
    assert (nano, micro) == ("model nano", "model micro")
    assert its["char nano vocab_size=1"] == others["char micro vocab_size=1"] == "char vocab_size=1"
    assert len(its) == len(others) == 9
    few = runs[runs.arm == "char"]
    assert side_by_side(few, cells(few)) == [("", {cell: cell for cell in cells(few)})]


def test_one_arm_has_one_colour_in_every_report() -> None:
    both, alone = (pd.DataFrame({"arm": arms}) for arms in (["bpe", "char", "mine", "other"], ["char", "other"]))
    assert arm_colours(both)["char"] == arm_colours(alone)["char"]
    assert len(set(arm_colours(both).values())) == 4


def test_power_law_by_hand() -> None:
    x = np.array([1.0, 10.0, 100.0])
    law = power_law(x, 5 * x**-0.25)
    assert law is not None
    assert (law.factor, law.exponent, law.error) == pytest.approx((5, -0.25, 0), abs=1e-9)
    assert law.at(np.array([16.0])) == pytest.approx(2.5)
    noisy = power_law(x, 5 * x**-0.25 * np.array([1.1, 1 / 1.1, 1.1]))
    assert noisy is not None
    assert noisy.error > 0.02
    assert power_law(np.array([1.0, 1.0, 2.0]), np.ones(3)) is None
