"""Send Weights & Biases a study: its report as a run of its own, and runs that were made without it."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.config import InputError, TrackingConfig, from_dict, to_dict
from tokexp.runs.files import CONFIG, METRICS, load_metrics, metrics_row
from tokexp.runs.study import Study
from tokexp.runs.tracking.connection import SWEEP, finish_run, harmless, start_run
from tokexp.runs.tracking.mirror import Mirror, Table, to_table
from tokexp.system.reading import read_yaml

log = logging.getLogger(__name__)

OFFLINE = "wandb/offline-run-*"  # in the folder of a run, or of a sweep's report

# What a row of curves.csv calls what a row of metrics.jsonl has of a step.
OF_STEPS = {"loss_mean": "loss", "grad_norm_mean": "grad_norm"}


@contextmanager
def one_line_for_all() -> Iterator[None]:
    """Begin runs in W&B within this context without a line each of how to upload what is recorded offline."""
    os.environ[SWEEP] = "true"  # for the processes of a launcher too
    try:
        yield
    finally:
        del os.environ[SWEEP]


def say_how_to_upload(sweep: Path) -> None:
    """Name the line that uploads what the runs of a sweep, and its report, recorded offline."""
    folder = shlex.quote(str(sweep))
    places = [depth for depth in ("*/", "") if any(sweep.glob(f"{depth}{OFFLINE}"))]
    if places:
        log.info("W&B is offline; to upload: wandb sync %s", " ".join(f"{folder}/{depth}{OFFLINE}" for depth in places))


def track_report(
    report: Path, sweep: str, tracking: TrackingConfig, folder: Path, ranking: Table | None = None
) -> None:
    """Send W&B a sweep's report as a run of its own: pictures, tables, the ranking's figures, all of it as an artifact.

    `report`: the folder reports/NAME. `folder`: where the recording goes, such as runs/NAME.
    `ranking`: a row a cell, the best first, with its name as `run`.
    """
    run = start_run(folder, tracking, "report", name=f"report-{sweep}", group=sweep, job_type="report")
    if run is None:
        return
    import wandb

    with harmless("the report"):
        run.log({f"report/{path.stem}": wandb.Image(str(path)) for path in sorted(report.glob("figures/*.png"))})
        tables = {path.stem: wandb.Table(dataframe=pd.read_csv(path)) for path in sorted(report.glob("tables/*.csv"))}
        if ranking:
            tables["ranking"] = to_table(ranking)
            run.summary.update({f"{row['run']}/{key}": row[key] for row in ranking for key in row if key != "run"})
        run.log({f"tables/{name}": table for name, table in tables.items()})
        artifact = wandb.Artifact(f"report-{sweep}", type="report")
        artifact.add_dir(str(report), policy="immutable", skip_cache=True)
        run.log_artifact(artifact)
    finish_run(run, 0)


def replay(study: Study, sweep: Path) -> None:
    """Send W&B every run of a study, as it would have been sent while it was at work.

    `sweep`: the folder of the runs. A run whose folder is there has every step of its metrics.jsonl, another one only
    the points of the study's curves. What is recorded goes into `sweep`.
    """
    sweep.mkdir(parents=True, exist_ok=True)
    for result in _records(study.results):
        name = result["name"]
        config = _config(sweep / name) or {**_known(result), "settings": json.loads(result["settings"])}
        about = {"name": name, "group": study.name, "job_type": "train", "config": config}
        mirror = Mirror(start_run(sweep, tracking_of(sweep / name), result["config_hash"][:8], **about))
        for row in _rows(study, sweep / name):
            mirror.log(row)
        samples = [row for row in study.samples if row["name"] == name]
        mirror.conclude(result, {"samples": samples})
        mirror.end(0)


def tracking_of(folder: Path) -> TrackingConfig:
    """The settings of a run, where its folder is there, and only its mode those of this machine."""
    config = _config(folder)
    if config is None:
        return TrackingConfig()
    asked = from_dict(config).tracking
    return TrackingConfig(project=asked.project, entity=asked.entity, tags=asked.tags, notes=asked.notes)


def _config(folder: Path) -> dict[str, Any] | None:
    """The settings of a run, as its folder has them; None where it is not there."""
    path = folder / CONFIG
    try:
        return to_dict(from_dict(read_yaml(path))) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); bring it back, or take the folder away") from error


def _known(result: dict[str, Any]) -> dict[str, Any]:
    """What people group runs by, as a run's settings call it."""
    return {name: result[name] for name in ("arm", "size", "seed", "corpus", "budget")}


def _rows(study: Study, folder: Path) -> Iterator[dict[str, Any]]:
    if (folder / METRICS).is_file():
        yield from map(metrics_row, load_metrics(folder))
        return
    for row in _records(study.curves[study.curves.name == folder.name]):
        yield {OF_STEPS.get(name, name): value for name, value in row.items()}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, without what is not known."""
    return [{str(name): value for name, value in row.items() if not pd.isna(value)} for row in table.to_dict("records")]
