"""Every file of a run's folder, of a sweep's and of a study's, by name; and how their JSON is read and written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from tokexp.config import InputError
from tokexp.system.files import write_json, write_text
from tokexp.system.reading import (
    LINES_BYTES,
    Count,
    Kinds,
    Maybe,
    Number,
    check,
    open_regular,
    parse_json,
    read_json,
    read_json_lines,
)
from tokexp.training.record import EvalRow, Evaluation, Row, StepRow

# In a run's folder.
CONFIG = "config.yaml"
STATUS = "status.json"
LOCK = ".lock"
LOG = "run.log"
TOKENIZER = "tokenizer.json"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"  # a folder
END_WEIGHTS = "model.safetensors"
BEST_WEIGHTS = "best.safetensors"
CONTENT = "content.jsonl"
SAMPLES = "samples.jsonl"  # of a study too
SEGMENTS = "segments.jsonl"  # of a study too
READABILITY = "readability.jsonl"
TEXTS = "texts.jsonl"  # the score of each held-out text at the end, by document or block
COUNTS = "counts.json"  # what counts of the tokenizer's tokens need for the text that ranks, by document or block
HELD_OUT = "corpus.json"  # facts about the held-out text, the same for every run on it
RESULT = "result.json"  # its presence alone says that the run is done

# What a run leaves once it has begun to train, beside its tokenizer.
LEFT = (
    RESULT, METRICS, CONTENT, SAMPLES, READABILITY, HELD_OUT, SEGMENTS, TEXTS, COUNTS, END_WEIGHTS, BEST_WEIGHTS,
)  # fmt: skip

# In a sweep's folder, which has the folders of its runs.
MANIFEST = "sweep.json"  # the names of the runs of its latest command

# In a study's `data/`, which has besides a file for each of its tables.
RESULTS = "results.csv"
TOKENIZERS = "tokenizers.jsonl"
MISSING = "missing.json"

RUNS = Path("runs")  # the folders of sweeps, where nothing else is asked for
MOST_LISTED = 8

log = logging.getLogger(__name__)


def table_file(table: str) -> str:
    """The file of one of a study's tables."""
    return f"{table}.csv"


RUN_AGAIN = "run again with rerun=true"


@contextmanager
def reading(path: Path, what_to_do: str = RUN_AGAIN) -> Iterator[None]:
    """Make what is raised when a file cannot be read, or has not what it should, one InputError that names it."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())  # pandas' has a newline
        raise InputError(f"{path}: missing or damaged ({reason}); {what_to_do}") from error


def load_json(path: Path, kind: Any, what_to_do: str = RUN_AGAIN) -> Any:
    """Read a .json file that has a value of `kind`. Raises InputError where it is not there or damaged."""
    with reading(path, what_to_do):
        content = read_json(path)
        check(content, kind, "its content")
        return content


def load_lines(path: Path, kinds: Kinds, what_to_do: str = RUN_AGAIN) -> list[dict[str, Any]]:
    """Read the rows of a .jsonl file, each of `kinds`. Raises InputError where it is not there or damaged."""
    with reading(path, what_to_do):
        rows: list[dict[str, Any]] = read_json_lines(path)
        for i, row in enumerate(rows):
            check(row, kinds, f"row {i + 1}")
        return rows


def write_lines(path: Path, rows: list[dict[str, Any]], *, allow_nan: bool = False) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=allow_nan) + "\n" for row in rows))


def write_manifest(sweep: Path, name: str, runs: list[str]) -> None:
    """Write down which runs a sweep's latest command is of."""
    write_json(sweep / MANIFEST, {"sweep": name, "runs": runs})


def planned_runs(sweep: Path) -> list[str]:
    """Read the names of the runs of a sweep's latest command, or where it left no list, of those that have begun."""
    try:
        manifest = read_json(sweep / MANIFEST)
        check(manifest, {"runs": [str]}, MANIFEST)
        names: list[str] = manifest["runs"]
        if all(name == Path(name).name and "\0" not in name and len(name.encode()) < 256 for name in names):
            return names
    except (OSError, ValueError):
        pass
    return begun_runs(sweep)


def begun_runs(sweep: Path) -> list[str]:
    """The names of the runs in a sweep's folder that have begun, of whichever command."""
    return sorted(path.parent.name for path in sweep.glob(f"*/{STATUS}"))


def find_run(name: str, runs: Path = RUNS) -> Path:
    """Find a folder by its path, or a run's by its bare name below `runs`. Raises InputError where it is not clear."""
    if Path(name).exists() or Path(name).name != name:
        return Path(name)
    found = sorted(path.parent for path in runs.glob(f"*/*/{CONFIG}") if path.parent.name == name)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{name}: got the name of several runs; give the path of one: {', '.join(map(str, found))}")
    there = sorted({path.parent.name for path in runs.glob(f"*/*/{CONFIG}")})
    listed = ", ".join(there[:MOST_LISTED]) + (
        f" and {len(there) - MOST_LISTED} more" if len(there) > MOST_LISTED else ""
    )
    raise InputError(f"{name}: no run of that name in {runs}, which has {listed or 'none'}; give one, or a folder")


def metrics_row(row: Row) -> dict[str, Any]:
    """Make a row one of `metrics.jsonl`: flat, `event` first."""
    if isinstance(row, StepRow):
        return {"event": "step", **vars(row)}
    return {"event": "eval", **{key: value for key, value in vars(row).items() if key != "scores"}, **vars(row.scores)}


def read_metrics_row(values: dict[str, Any]) -> Row:
    """Read a row of `metrics.jsonl`. Raises ValueError for what is no whole row."""
    step = isinstance(values, dict) and values.get("event") == "step"
    check(values, _STEP if step else _EVAL, f"no row of {METRICS}")
    if step:
        return StepRow(**{name: values[name] for name in _STEP})
    scores = Evaluation(**{name: values[name] for name in _SCORES})
    cost = {name: values[name] for name in _COST}
    return EvalRow(**cost, peak_memory=values.get("peak_memory"), scores=scores)


def _kinds_of(row: type) -> Kinds:
    """The kinds of a row's fields; a run that diverges writes figures that are no numbers."""
    of = {int: Count, float: Number, list[float]: [Number]}
    return {name: of.get(kind, kind) for name, kind in get_type_hints(row).items()}


_STEP = _kinds_of(StepRow)
_SCORES = _kinds_of(Evaluation)
_COST = {name: kind for name, kind in _kinds_of(EvalRow).items() if name not in ("peak_memory", "scores")}
_EVAL: Kinds = {"event": str, **_COST, **_SCORES, "peak_memory": Maybe(Count)}


def metrics_lines(rows: list[Row]) -> str:
    """Make rows the lines of `metrics.jsonl`."""
    return "".join(json.dumps(metrics_row(row)) + "\n" for row in rows)


def load_metrics(folder: Path) -> list[Row]:
    """Read `metrics.jsonl`: one row for every step, one for every evaluation. Raises InputError where damaged."""
    path = folder / METRICS
    with reading(path):
        return [read_metrics_row(values) for values in read_json_lines(path, nan=True)]


def whole_rows(folder: Path) -> list[Row]:
    """Read the rows of a run's `metrics.jsonl` up to one that a sudden end has cut short; none where there is no file.

    Raises InputError where it is there and cannot be read: a run that took it for empty would begin anew.
    """
    path, rows = folder / METRICS, []
    try:
        with open_regular(path, LINES_BYTES) as file:
            for line in file:
                rows.append(read_metrics_row(parse_json(line, nan=True)))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable, and start again") from error
    except ValueError:
        log.warning("%s: line %d is damaged; only the lines before it are read", path, len(rows) + 1)
    return rows


def whole_steps(rows: list[Row]) -> int:
    """Count the steps that `rows` have, from the first one on, without a gap."""
    steps = [row.step for row in rows if isinstance(row, StepRow)]
    return next((i for i, step in enumerate(steps) if step != i + 1), len(steps))
