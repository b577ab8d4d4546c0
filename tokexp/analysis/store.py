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
from typing import Any, get_type_hints

import pandas as pd

from tokexp.config import InputError
from tokexp.files import write_text
from tokexp.results import RunResult, flatten, load_lines, load_metrics, load_result

STEP_FIGURES = ("loss", "grad_norm")


@dataclass(frozen=True)
class Study:
    name: str
    results: pd.DataFrame
    curves: pd.DataFrame
    blocks: pd.DataFrame
    samples: list[dict[str, Any]]
    missing: list[str]  # runs of the sweep that have no result


def collect(runs: list[Path], data: Path) -> list[str]:
    """Write the data files of the run folders `runs`; returns a line for each that has no readable result.

    Where none has, nothing is written, and data that is there already stays.
    """
    results: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    samples: list[dict[str, Any]] = []
    missing, problems = [], []
    for folder in sorted(runs):
        try:
            result, rows = load_result(folder), evaluations(load_metrics(folder))
            drawn = load_lines(folder / "samples.jsonl")
        except InputError as error:
            missing.append(folder.name)
            problems.append(f"{folder}: {error}")
            continue
        except (KeyError, TypeError, IndexError) as error:
            missing.append(folder.name)
            problems.append(f"{folder}: metrics.jsonl is damaged ({error!r}); run again with rerun=true")
            continue
        results.append(flatten(result))
        for row in rows:
            nats = row.pop("val_block_nats")
            curves.append({"name": result.name, **row})
            blocks.append({"name": result.name, "step": row["step"], **{f"b{i}": n for i, n in enumerate(nats)}})
        samples += [{"name": result.name, **row} for row in drawn]
    if not results:
        return problems
    for name, rows in (("results", results), ("curves", curves), ("blocks", blocks)):
        write_text(data / f"{name}.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.8g"))
    write_text(data / "samples.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in samples))
    write_text(data / "missing.json", json.dumps(missing) + "\n")
    return problems


def latest_runs(sweep: Path) -> list[Path]:
    """The run folders of a sweep's folder: those of its latest command where it left their names, else all."""
    try:
        return [sweep / name for name in json.loads((sweep / "sweep.json").read_bytes())["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return [path.parent for path in sorted(sweep.glob("*/status.json"))]


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
    if not rows:
        raise InputError("metrics.jsonl has no evaluation")
    return rows


def read_study(name: str, data: Path) -> Study:
    """Raises InputError where `data` has no results."""
    try:
        results, curves = _read_table(data / "results.csv"), _read_table(data / "curves.csv")
        blocks = _read_table(data / "blocks.csv")
        samples = load_lines(data / "samples.jsonl")
        missing = json.loads((data / "missing.json").read_bytes())
    except FileNotFoundError as error:
        raise InputError(
            f"report {name!r}: no finished run and no {data}/results.csv; train first, for example "
            "python -m tokexp.run -m tokenizer=char,word,bpe"
        ) from error
    except (OSError, ValueError) as error:  # pandas' errors of parsing are ValueErrors
        raise InputError(f"report {name!r}: {data} is damaged ({error}); bring its files back, or run again") from error
    return Study(name, results, curves, blocks, samples, missing)


def _read_table(path: Path) -> pd.DataFrame:
    """A table as it was written: text stays text, even where it looks like a number or like nothing."""
    text = [name for name, kind in get_type_hints(RunResult).items() if kind in (str, str | None)]
    types = dict.fromkeys([*text, "versions", "settings"], str)
    return pd.read_csv(path, dtype=types, keep_default_na=False)
