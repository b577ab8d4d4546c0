"""A report's data: plain files beside it, gathered from run folders and enough to rebuild it without them.

results.csv     a row a run
curves.csv      a row an evaluation, with mean, least and most of each step's figures since the last
blocks.csv      a row an evaluation: total nats of each of the 64 blocks of the held-out text
samples.jsonl   a row a sample
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.config import InputError
from tokexp.files import write_text
from tokexp.results import find_results, flatten, load_metrics, load_result

STEP_FIGURES = ("loss", "grad_norm")


@dataclass(frozen=True)
class Study:
    name: str
    results: pd.DataFrame
    curves: pd.DataFrame
    samples: list[dict[str, Any]]
    missing: list[str]  # runs of the sweep that have no result


def collect(runs: Path, data: Path) -> list[str]:
    """Write the data files of the finished runs in the folder `runs`; returns a line for each unreadable one.

    Where the sweep left a list of its latest runs, those are meant and no others. Without a finished
    run nothing is written, and data that is there already stays.
    """
    folders, problems = find_results(runs)
    planned = _planned(runs)
    if planned:
        folders = [folder for folder in folders if folder.name in planned]
    if not folders:
        return problems
    results, curves, blocks, samples = [], [], [], []
    for folder in folders:
        result = load_result(folder)
        results.append(flatten(result))
        for row in evaluations(load_metrics(folder)):
            nats = row.pop("val_block_nats")
            curves.append({"name": result.name, **row})
            blocks.append({"name": result.name, "step": row["step"], **{f"b{i}": n for i, n in enumerate(nats)}})
        with (folder / "samples.jsonl").open(encoding="utf-8") as file:
            samples += [{"name": result.name, **json.loads(line)} for line in file]
    for name, rows in (("results", results), ("curves", curves), ("blocks", blocks)):
        write_text(data / f"{name}.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.8g"))
    write_text(data / "samples.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in samples))
    missing = [name for name in planned if name not in {folder.name for folder in folders}]
    write_text(data / "missing.json", json.dumps(missing) + "\n")
    return problems


def _planned(runs: Path) -> list[str]:
    try:
        names: list[str] = json.loads((runs / "sweep.json").read_bytes())["runs"]
    except (OSError, ValueError, KeyError):
        return []
    return names


def evaluations(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The evaluation rows, each with what the steps since the one before it looked like."""
    rows, steps = [], []
    for row in metrics:
        if row["event"] == "step":
            steps.append(row)
            continue
        summary: dict[str, Any] = {"lr": steps[-1]["lr"]}
        for figure in STEP_FIGURES:
            values = [step[figure] for step in steps]
            summary |= {
                f"{figure}_mean": sum(values) / len(values),
                f"{figure}_min": min(values),
                f"{figure}_max": max(values),
            }
        rows.append({**{key: value for key, value in row.items() if key != "event"}, **summary})
        steps = []
    return rows


def read_study(name: str, data: Path) -> Study:
    """Raises InputError where `data` has no results."""
    try:
        results, curves = pd.read_csv(data / "results.csv"), pd.read_csv(data / "curves.csv")
    except OSError as error:
        raise InputError(
            f"report {name!r}: no finished run and no {data}/results.csv; train first, for example "
            "python -m tokexp.run -m tokenizer=char,word,bpe"
        ) from error
    with (data / "samples.jsonl").open(encoding="utf-8") as file:
        samples = [json.loads(line) for line in file]
    missing = json.loads((data / "missing.json").read_bytes())
    return Study(name, results, curves, samples, missing)
