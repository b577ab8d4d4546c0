"""What is in a run's folder and in a study's, by name, and how it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokexp.config import InputError

MANIFEST = "sweep.json"  # in a sweep's folder: the names of the runs of its latest command


def load_json(path: Path) -> dict[str, Any]:
    """The content of a .json file. Raises InputError where it is not there or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: missing or damaged ({error}); run again with rerun=true") from error
    return content


def load_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a .jsonl file. Raises InputError where it is not there or damaged."""
    try:
        rows = path.read_bytes().rstrip(b"\n").replace(b"\n", b",")  # as one list: half the time of a row by a row
        found: list[dict[str, Any]] = json.loads(b"[" + rows + b"]")
        return found
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: missing or damaged ({error}); run again with rerun=true") from error


def load_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl`: one for every step, one for every evaluation."""
    return load_lines(folder / "metrics.jsonl")
