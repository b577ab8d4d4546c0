"""Gather a study's data from run folders."""

from __future__ import annotations

import json
import logging
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.config import InputError
from tokexp.runs.files import (
    CONTENT,
    HELD_OUT,
    METRICS,
    MISSING,
    READABILITY,
    RESULT,
    RESULTS,
    SAMPLES,
    SEGMENTS,
    STATUS,
    TOKENIZER,
    TOKENIZERS,
    begun_runs,
    load_json,
    load_lines,
    load_metrics,
    metrics_row,
    planned_runs,
    reading,
    table_file,
    write_lines,
)
from tokexp.runs.result import columns, csv_row, load_result
from tokexp.runs.state import read_state
from tokexp.runs.study import load_segments, read_study
from tokexp.runs.study.tables import (
    BLOCK_COLUMNS,
    CONTENT_ROW,
    HELD_OUT_FACTS,
    KEYS,
    LATER,
    READABILITY_ROW,
    SAMPLE_ROW,
    TABLES,
    superseded,
)
from tokexp.runs.study.units import by_column, counts_by_unit, texts_and_units, with_blocks
from tokexp.scoring.blocks import BLOCKS
from tokexp.scoring.samples.segments import SAMPLES_SHOWN
from tokexp.system.files import replacing_together, settle, sha256, write_text
from tokexp.system.reading import parse_json, read_bytes
from tokexp.tokenizer.base import saved_text
from tokexp.training.record import EvalRow, Row, StepRow

log = logging.getLogger(__name__)
MOST_TOKENIZER_BYTES = 300_000  # of a tokenizer that a report's page can have in it


def collect(runs: list[Path], data: Path, *, keep: bool = False, prune: bool = False) -> list[str]:
    """Write the data files of the run folders `runs`; returns a line for each that has no readable result.

    `keep`: rows that are there already stay, unless one of `runs` has the same settings, so that a study
    grows in pieces and over machines. Of a run by two versions of the code the later one stays. With `prune` those
    whose folders are gone go too.
    Where no folder has a result nothing is written. The files are replaced together: a kill leaves all old or all new.
    """
    settle(data)
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    samples: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    tokenizers: dict[str, dict[str, Any]] = {}
    missing, problems = [], []
    seen: set[tuple[Any, ...]] = set()
    for folder in sorted(runs):
        try:
            run = read_run(folder)
        except InputError as error:
            missing.append(folder)
            problems.append(str(error) if str(folder) in str(error) else f"{folder}: {error}")
            continue
        for name, rows in run.tables.items():
            tables[name] += rows if name not in KEYS else [row for row in rows if _is_new(row, KEYS[name], seen)]
        samples += run.samples
        segments += run.segments
        add_tokenizer(folder, str(run.tables["results"][0]["tokenizer_sha256"]), tokenizers)
    if not tables["results"]:
        known = set(read_study("", data).results.name) if (data / RESULTS).exists() else set()
        return _to_report(problems, missing, known)
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    if keep and (data / RESULTS).exists():
        before = read_study("", data)
        gone = set(before.results.name[before.results.config_hash.isin(frames["results"].config_hash)])
        gone |= _to_prune(set(before.results.name) - gone, runs, data, prune=prune)
        frames = {name: _merge(getattr(before, name), frame, gone) for name, frame in frames.items()}
        samples = [row for row in before.samples if row["name"] not in gone] + samples
        segments = [row for row in before.segments if row["name"] not in gone] + segments
        tokenizers = before.tokenizers | tokenizers
    old = superseded(frames["results"])
    frames = {name: rows[~rows["name"].isin(old)] if "name" in rows else rows for name, rows in frames.items()}
    samples, segments = ([row for row in rows if row["name"] not in old] for rows in (samples, segments))
    known = set(frames["results"].name)
    with replacing_together(data) as new:
        _write_tables(frames, new)
        for file, rows in {SAMPLES: samples, SEGMENTS: segments}.items():
            write_lines(new / file, sorted(rows, key=lambda row: row["name"]), allow_nan=True)
        write_lines(new / TOKENIZERS, tokenizer_rows(tokenizers, frames["results"]))
        write_text(new / MISSING, json.dumps(_unfinished(missing, known), ensure_ascii=False) + "\n")
    return _to_report(problems, missing, known)


def _to_prune(before: set[str], runs: list[Path], data: Path, *, prune: bool) -> set[str]:
    """Name the runs whose folders are gone, or are there with nothing in them, if they are to go; says which it is."""
    names = {name for name in before if not (runs[0].parent / name / STATUS).exists()}
    if names:
        done, more = ("drops", "") if prune else ("keeps", "; --prune drops them")
        count = f"{len(names)} run{'s' if len(names) > 1 else ''} without a folder"
        log.warning("%s: %s the rows of %s%s", data.parent, done, count, more)
    return names if prune else set()


def _write_tables(frames: dict[str, pd.DataFrame], data: Path) -> None:
    for name, frame in frames.items():
        if name == "baselines":  # of the same baseline with and without its blocks, as from old folders, what is known
            frame = frame.groupby(KEYS[name], sort=False, as_index=False, dropna=False).first()
        if not len(frame) and name in LATER:
            continue
        if name == "results":  # without what reading adds
            frame = frame.reindex(columns=[*columns()])
        frame = frame.drop_duplicates(KEYS.get(name))
        if "name" in frame:  # so that a report that is written again is the same
            frame = frame.sort_values("name", kind="stable")
        write_text(data / table_file(name), frame.to_csv(index=False, float_format="%.8g"))


def _unfinished(folders: list[Path], known: set[str]) -> list[dict[str, Any]]:
    """The runs without a result, here or in the data: name, state and reason of each."""
    states = [(folder.name, read_state(folder)) for folder in folders if folder.name not in known]
    return [{"name": name, "state": state.state, "reason": state.reason} for name, state in states]


def _to_report(problems: list[str], folders: list[Path], known: set[str]) -> list[str]:
    """Leave out the problems of runs that were done elsewhere and have no folder here; a damaged folder stays one."""
    return [
        line
        for line, folder in zip(problems, folders, strict=True)
        if folder.name not in known or (folder / RESULT).exists()
    ]


def _is_new(row: dict[str, Any], keys: list[str], seen: set[tuple[Any, ...]]) -> bool:
    """Whether `seen` has no row of the same keys, and note this one there: every run on a text brings the text's rows.

    A baseline with its blocks is another row than the same one without.
    """
    key = (*(row.get(name) for name in keys), row.get(BLOCK_COLUMNS[0]) is None)
    new = key not in seen
    seen.add(key)
    return new


def _merge(before: pd.DataFrame, new: pd.DataFrame, gone: set[str]) -> pd.DataFrame:
    """Merge the rows of both, by run, those of the runs `gone` left out of the first."""
    if "name" not in before:
        return pd.concat([new, before])
    both = [frame for frame in (new, before[~before.name.isin(gone)]) if len(frame)]
    return pd.concat(both).sort_values("name", kind="stable") if both else new


@dataclass(frozen=True)
class RunRows:
    """The rows that a study keeps of one run."""

    tables: dict[str, list[dict[str, Any]]]  # rows for each of TABLES
    samples: list[dict[str, Any]]
    segments: list[dict[str, Any]]


def read_run(folder: Path) -> RunRows:
    """Read from a run's folder the rows that a study keeps.

    Raises InputError for a folder without a result, and for one whose files are damaged.
    """
    result = load_result(folder)
    name = {"name": result.name}
    of_text = {"corpus_sha256": result.corpus.corpus_sha256, "val_sha256": result.corpus.scored_sha256}
    held_out = load_json(folder / HELD_OUT, HELD_OUT_FACTS)
    with reading(folder / METRICS):
        metrics = load_metrics(folder)
        evaluations = _evaluations(metrics, result.cost.steps)
    human = {"name": "", **of_text, "chars": held_out["chars"], "temperature": None}
    read = {**name, **of_text, "chars": held_out["chars"]}
    tables = {
        "results": [csv_row(result)],
        "curves": [{**name, **row} for row in curve(metrics)],
        "blocks": [{**name, "step": row.step, **by_column(row.scores.val_block_nats)} for row in evaluations],
        "content": [{**name, **row} for row in load_lines(folder / CONTENT, CONTENT_ROW)],
        "readability": [
            *({**read, **row} for row in load_lines(folder / READABILITY, READABILITY_ROW)),
            *({**human, "sample": i, **row} for i, row in enumerate(held_out["human"])),
        ],
        "baselines": [{**of_text, **with_blocks(row)} for row in held_out["baselines"]],
        **texts_and_units(folder, result, held_out["baselines"]),
        "counts": counts_by_unit(folder, result),
    }
    for table, rows in tables.items():
        if not rows and table not in ("readability", *LATER):
            raise InputError(f"{folder}: damaged, with no rows for {table}; run again with rerun=true")
    samples = [{**name, **row} for row in load_lines(folder / SAMPLES, SAMPLE_ROW) if row["sample"] < SAMPLES_SHOWN]
    return RunRows(tables, samples, read_segments(folder, result.name))


def _evaluations(metrics: list[Row], steps: int) -> list[EvalRow]:
    """The evaluations of a whole training of so many steps. Raises ValueError where some of its rows are not there."""
    evaluations = [row for row in metrics if isinstance(row, EvalRow)]
    if not evaluations:
        raise ValueError("no evaluation")
    if evaluations[-1].step != steps:  # cut between two rows, each of which is whole
        raise ValueError(f"its last evaluation is of step {evaluations[-1].step:,}, expected {steps:,}")
    for i, row in enumerate(evaluations):
        nats = row.scores.val_block_nats
        if not row.scores.is_finite or len(nats) != BLOCKS or not all(map(math.isfinite, nats)):
            raise ValueError(f"evaluation {i + 1} without {BLOCKS} finite blocks and finite scores")
    before = [isinstance(row, StepRow) for row in metrics]
    if (
        not all(step for step, row in zip(before, metrics[1:], strict=False) if isinstance(row, EvalRow))
        or not before[0]
    ):
        raise ValueError("an evaluation without a step before it")
    return evaluations


def read_segments(folder: Path, run: str) -> list[dict[str, Any]]:
    """Read how a run's tokenizer cuts the samples that are kept and the held-out passage; `run` is its name."""
    rows = load_segments(folder / SEGMENTS)
    return [{"name": run, **row} for row in rows if (row.get("sample") or 0) < SAMPLES_SHOWN]


def all_runs(sweep: Path) -> list[Path]:
    """The run folders of a sweep's folder, of whichever command."""
    return [sweep / name for name in sorted({*planned_runs(sweep), *begun_runs(sweep)})]


def add_tokenizer(folder: Path, digest: str, known: dict[str, dict[str, Any]]) -> None:
    """Add a run's tokenizer to the `known` ones, where it is small and the one that its result names by `digest`."""
    path = folder / TOKENIZER
    if digest not in known:
        with suppress(OSError, ValueError):  # a damaged one is of use to no page, and the report is whole without it
            saved = parse_json(read_bytes(path, MOST_TOKENIZER_BYTES))
            if sha256(saved_text(saved).encode()) == digest:
                known[digest] = saved


def tokenizer_rows(tokenizers: dict[str, dict[str, Any]], results: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each of `tokenizers`, by tokenizer_sha256, that a run of `results` has."""
    used = set(results.tokenizer_sha256)
    return [{"tokenizer_sha256": digest, "tokenizer": tokenizers[digest]} for digest in sorted(used & set(tokenizers))]


def latest_runs(sweep: Path) -> list[Path]:
    """The run folders of a sweep's folder: those of its latest command where it left their names, else all."""
    return [sweep / name for name in planned_runs(sweep)]


def curve(metrics: list[Row]) -> list[dict[str, Any]]:
    """A row an evaluation, with what the steps since the one before it looked like."""
    rows: list[dict[str, Any]] = []
    steps: list[StepRow] = []
    for row in metrics:
        if isinstance(row, StepRow):
            steps.append(row)
            continue
        figures = metrics_row(row)
        del figures["event"], figures["val_block_nats"]
        losses, norms = [step.loss for step in steps], [step.grad_norm for step in steps]
        rows.append({**figures, "lr": steps[-1].lr, **_spread("loss", losses), **_spread("grad_norm", norms)})
        steps = []
    return rows


def _spread(figure: str, values: list[float]) -> dict[str, float]:
    return {
        f"{figure}_mean": sum(values) / len(values),
        f"{figure}_min": min(values),
        f"{figure}_max": max(values),
    }
