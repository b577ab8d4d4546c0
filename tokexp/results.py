"""The results of runs, under the name by which other programs know them; what is here lives in `tokexp/runs/`."""

from __future__ import annotations

from tokexp.runs.identity import RESULTS_VERSION, config_hash, run_name
from tokexp.runs.load import Run, load_config, load_run
from tokexp.runs.result import RunResult, load_result

__all__ = [
    "RESULTS_VERSION", "Run", "RunResult", "config_hash", "load_config", "load_result", "load_run",
    "run_name",
]  # fmt: skip
