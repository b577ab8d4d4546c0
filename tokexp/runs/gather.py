"""From run folders to a study's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.config import InputError
from tokexp.runs.files import MANIFEST, load_json, load_lines, load_metrics
from tokexp.runs.result import flatten, load_result
from tokexp.runs.state import read_state
from tokexp.runs.study import BLOCK_COLUMNS, KEYS, TABLES, read_study
from tokexp.scoring.blocks import BLOCKS
from tokexp.scoring.segments import SHOWN
from tokexp.system.files import write_text

STEP_FIGURES = ("loss", "grad_norm")


def collect(runs: list[Path], data: Path, *, keep: bool = False) -> list[str]:
    """Write the data files of the run folders `runs`; returns a line for each that has no readable result.

    `keep`: rows that are there already stay, unless one of `runs` has the same settings, so that a study
    grows in pieces and over machines. Where no folder has a result nothing is written, and what is there stays.
    """
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    samples: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    missing, problems = [], []
    seen: set[tuple[Any, ...]] = set()
    for folder in sorted(runs):
        try:
            found, drawn = read_run(folder)
            cut = read_segments(folder)
        except InputError as error:
            missing.append(folder)
            problems.append(str(error) if str(folder) in str(error) else f"{folder}: {error}")
            continue
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            missing.append(folder)
            problems.append(f"{folder}: its files are damaged ({error!r}); run again with rerun=true")
            continue
        for name, rows in found.items():
            tables[name] += rows if name not in KEYS else [row for row in rows if _is_new(row, KEYS[name], seen)]
        samples += drawn
        segments += cut
    if not tables["results"]:
        known = set(read_study("", data).results.name) if (data / "results.csv").exists() else set()
        return _to_report(problems, missing, known)
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    if keep and (data / "results.csv").exists():
        before = read_study("", data)
        again = before.results.config_hash.isin(frames["results"].config_hash)
        gone = set(before.results.name[again])
        frames = {name: _joined(getattr(before, name), frame, gone) for name, frame in frames.items()}
        samples = [row for row in before.samples if row["name"] not in gone] + samples
        segments = [row for row in before.segments if row["name"] not in gone] + segments
    for name, frame in frames.items():
        if name == "baselines":  # of the same baseline with and without its blocks, as from old folders, what is known
            frame = frame.groupby(KEYS[name], sort=False, as_index=False, dropna=False).first()
        frame = frame.drop_duplicates(KEYS.get(name))
        write_text(data / f"{name}.csv", frame.to_csv(index=False, float_format="%.8g"))
    for lines, rows in {"samples": samples, "segments": segments}.items():
        rows = sorted(rows, key=lambda row: row["name"])
        write_text(data / f"{lines}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    known = set(frames["results"].name)
    states = [(folder.name, read_state(folder)) for folder in missing if folder.name not in known]
    left = [{"name": name, "state": state.state, "reason": state.reason} for name, state in states]
    write_text(data / "missing.json", json.dumps(left, ensure_ascii=False) + "\n")
    return _to_report(problems, missing, known)


def _to_report(problems: list[str], folders: list[Path], known: set[str]) -> list[str]:
    """A run that was done elsewhere has no folder here, and is no problem; a damaged folder is one."""
    return [
        line
        for line, folder in zip(problems, folders, strict=True)
        if folder.name not in known or (folder / "result.json").exists()
    ]


def _is_new(row: dict[str, Any], keys: list[str], seen: set[tuple[Any, ...]]) -> bool:
    """Whether no row with these keys has been there before; every run of a text brings what belongs to the text.

    A baseline with its blocks is told from the same without.
    """
    key = (*(row.get(name) for name in keys), row.get(BLOCK_COLUMNS[0]) is None)
    new = key not in seen
    seen.add(key)
    return new


def _joined(before: pd.DataFrame, new: pd.DataFrame, gone: set[str]) -> pd.DataFrame:
    """The rows of both, by run, those of the runs `gone` left out of the first."""
    if "name" not in before:
        return pd.concat([new, before])
    both = [frame for frame in (new, before[~before.name.isin(gone)]) if len(frame)]
    return pd.concat(both).sort_values("name", kind="stable") if both else new


def read_run(folder: Path) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """The rows that a run's folder has for each of TABLES, and the samples that are kept."""
    result = load_result(folder)
    name, of_text = {"name": result.name}, {"corpus_sha256": result.corpus_sha256, "val_sha256": result.val_sha256}
    text = load_json(folder / "corpus.json")
    rows = evaluations(load_metrics(folder))
    if rows[-1]["step"] != result.steps:  # cut between two rows, each of which is whole
        raise InputError(
            f"{folder}/metrics.jsonl: its last evaluation is of step {rows[-1]['step']:,}, expected {result.steps:,}; "
            "run again with rerun=true"
        )
    blocks = [
        {**name, "step": row["step"], **dict(zip(BLOCK_COLUMNS, row.pop("val_block_nats"), strict=True))}
        for row in rows
    ]
    human = {"name": "", **of_text, "chars": text["chars"], "temperature": None}
    read = {**name, **of_text, "chars": text["chars"]}
    tables = {
        "results": [flatten(result)],
        "curves": [{**name, **row} for row in rows],
        "blocks": blocks,
        "content": [{**name, **row} for row in load_lines(folder / "content.jsonl")],
        "readability": [
            *({**read, **row} for row in load_lines(folder / "readability.jsonl")),
            *({**human, "sample": i, **row} for i, row in enumerate(text["human"])),
        ],
        "baselines": [{**of_text, **_with_blocks(row)} for row in text["baselines"]],
    }
    for name_of, own in tables.items():
        if not own and name_of != "readability":
            raise InputError(f"{folder}: damaged, with no rows for {name_of}; run again with rerun=true")
    kept = [row for row in load_lines(folder / "samples.jsonl") if row["sample"] < SHOWN]
    return tables, [{**name, **row} for row in kept]


def _with_blocks(row: dict[str, Any]) -> dict[str, Any]:
    """A baseline with a column a block, empty where it was measured as a whole."""
    nats = row.pop("block_nats", None) or [None] * BLOCKS
    return {**row, **dict(zip(BLOCK_COLUMNS, nats, strict=True))}


def read_segments(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's `segments.jsonl` for the samples that are kept and the held-out passage."""
    path = folder / "segments.jsonl"
    rows = load_lines(path) if path.is_file() else []
    return [{"name": load_result(folder).name, **row} for row in rows if row.get("sample", 0) < SHOWN]


def latest_runs(sweep: Path) -> list[Path]:
    """The run folders of a sweep's folder: those of its latest command where it left their names, else all."""
    try:
        return [sweep / name for name in json.loads((sweep / MANIFEST).read_bytes())["runs"]]
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
