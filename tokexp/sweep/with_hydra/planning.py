"""Plan a sweep before it starts: its runs, and which of them are done already."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from tokexp.config import InputError
from tokexp.runs.files import RESULTS, begun_runs, write_manifest
from tokexp.stages.prepare import RunSpec
from tokexp.sweep.with_hydra.schema import check_run, make_current, to_config
from tokexp.system.files import reading_together
from tokexp.system.reading import TABLE_BYTES, read_bytes

Jobs = Sequence[Sequence[str]]  # the overrides of each job of a multirun


@dataclass(frozen=True)
class Sweep:
    """The runs of one command, and which of them it finds done; they share a name and a report."""

    runs: tuple[RunSpec, ...]
    done_before: frozenset[Path]

    @property
    def name(self) -> str:
        return self.runs[0].asked.sweep

    @property
    def folder(self) -> Path:
        return self.runs[0].path.parent


def list_jobs(loader: ConfigLoader, arguments: list[str]) -> Jobs:
    """List every combination of the values that the overrides list, the last one varying fastest."""
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    (jobs,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    return jobs


def compose_jobs(loader: ConfigLoader, config: DictConfig, jobs: Jobs) -> list[DictConfig]:
    """Compose the settings that each job's overrides make of those of the multirun."""
    return [loader.load_sweep_config(config, list(overrides)) for overrides in jobs]


def plan_run(composed: DictConfig) -> RunSpec:
    """Identify a run of a multirun; makes its settings the current ones, since its folder's name depends on them."""
    cfg = to_config(make_current(composed))
    folder = Path(composed.hydra.sweep.dir, composed.hydra.sweep.subdir)
    return check_run(cfg, folder)


def plan_sweep(composed: Sequence[DictConfig]) -> Sweep:
    """Plan the runs of a command, each folder once, and see which of them are done.

    Raises InputError for what no run, or no report of all of them, could use.
    """
    runs = tuple({run.path: run for run in map(plan_run, composed)}.values())
    if len({run.asked.sweep for run in runs}) > 1:
        raise InputError("sweep: got several names, expected one for all runs, since they share a report")
    committed = committed_results(runs[0].asked.sweep)
    done = [run.path for run in runs if not run.asked.rerun and is_done(run, committed)]
    return Sweep(runs, frozenset(done))


def pin_corpora(jobs: Jobs, runs: Sequence[RunSpec]) -> Jobs:
    """Add to the overrides of each job the SHA-256 of its corpus, so that it refuses a text that has changed since."""
    return [[*job, f"data.sha256={run.corpus.pin}"] for job, run in zip(jobs, runs, strict=True)]


def is_done(run: RunSpec, committed: Container[str]) -> bool:
    """Whether a run's result is in its folder, or among those committed, by the hash of its settings."""
    return run.has_result or run.config_hash in committed


def known_names(sweep: str, folder: Path) -> list[str]:
    """List the names of the runs that a sweep has begun in its folder, or has in its report."""
    return [*begun_runs(folder), *(row.get("name") or "" for row in _committed_rows(sweep, Path("reports")))]


def make_folders(sweep: Sweep) -> None:
    """Make a folder for each run, and beside them the list of all, by which others know what belongs to the sweep."""
    for run in sweep.runs:
        run.path.mkdir(parents=True, exist_ok=True)
    write_manifest(sweep.folder, sweep.name, [run.path.name for run in sweep.runs])


def committed_results(sweep: str, reports: Path = Path("reports")) -> dict[str, float]:
    """Read the total bits per byte, by hash of settings, of the runs in a sweep's report, perhaps from elsewhere.

    Raises InputError where the file is damaged: taken for none it would all be trained again.
    """
    return {row["config_hash"]: float(row["val_bpb"]) for row in _committed_rows(sweep, reports)}


def _committed_rows(sweep: str, reports: Path) -> list[dict[str, str]]:
    with reading_together(reports / sweep / "data") as place:
        path = place(RESULTS)
        if not path.exists():
            return []
        try:
            text = read_bytes(path, TABLE_BYTES).decode()
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            if not all(row["config_hash"] and math.isfinite(float(row["val_bpb"])) for row in rows):
                raise ValueError("a config_hash that is empty, or a val_bpb that is no finite number")
            return rows
        except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
            raise InputError(f"{path}: damaged ({error!r}); bring it back, or remove it") from error
