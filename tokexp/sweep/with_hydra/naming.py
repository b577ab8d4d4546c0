"""Name a sweep, and its runs, by what its command varies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tokexp.runs.identity import DEMO
from tokexp.stages.prepare import RunSpec
from tokexp.sweep.with_hydra.planning import Jobs
from tokexp.system.files import sha256

Settings = dict[str, str]  # of a job: its overrides by key, as they are typed

OF_DEMO = {"char", "word", "bpe"}  # the tokenizers of the README's command
IN_EVERY_NAME = {"tokenizer", "tokenizer.path", "model", "seed"}  # of a run
NO_FIGURE = re.compile(  # keys of settings that change no figure
    r"tracking|hydra|launcher|device|threads|rerun|dry|keep_weights|tuned|train\.(compile|cuda_graph|checkpoint_every)"
)
MOST = 24  # characters of a value in a name
MOST_IN_ALL = 120


def sweep_name(jobs: Jobs) -> str:
    """Name a sweep that has no name by what it varies and a hash of what its command asks for, in whatever order.

    It is demo where the tokenizers of the README's command are all that varies. Seeds do not count: the same command
    with more of them adds to the same report.
    """
    settings = [{key: value for key, value in _settings(job).items() if key != "seed"} for job in jobs]
    keys = _varied(settings)
    if keys == ["tokenizer"] and {job["tokenizer"] for job in settings} == OF_DEMO:
        return DEMO
    asked = sorted({" ".join(sorted(f"{key}={job[key]}" for key in job if _counts(key))) for job in settings})
    names = [_plain(key.rpartition(".")[2]) for key in keys] or ["run"]
    # A letter first: a name that ends in a year is one that somebody gave.
    mark = re.search(r"[a-f][0-9a-f]{3}", sha256("\n".join(asked).encode()))
    assert mark is not None, "of 64 hex digits"
    return "-".join([*names, mark[0]])


def run_labels(jobs: Jobs) -> list[str]:
    """Name each job's values of what the jobs vary, such as v4096-lr-0.001; without what every run's name has."""
    settings = [_settings(job) for job in jobs]
    keys = [key for key in _varied(settings) if key not in IN_EVERY_NAME]
    return ["-".join(_label(key, job[key]) for key in keys if key in job)[:MOST_IN_ALL] for job in settings]


def keep_labels(jobs: Jobs, runs: Sequence[RunSpec], names: Iterable[str]) -> Jobs:
    """Give the jobs whose runs are among `names`, those of the sweep so far, the labels that they had there.

    A sweep that grows may vary more than before; what it has done goes on under its name. `jobs`, `runs`: in one order.
    """
    by_hash = {name[-8:]: name for name in names}
    kept = []
    for job, run in zip(jobs, runs, strict=True):
        begin, end = f"{run.asked.arm}-{run.asked.size}", f"-s{run.asked.seed}-{run.config_hash[:8]}"
        name = by_hash.get(run.config_hash[:8], "")
        label = name.removeprefix(begin).removesuffix(end).removeprefix("-")
        known = name and name == "-".join([begin, *([label] if label else [])]) + end
        others = [word for word in job if not word.startswith("label=")]
        kept.append([*others, f"label={label}"] if known and label != run.asked.label else list(job))
    return kept


def _label(key: str, value: str) -> str:
    value = _plain(value.rpartition("/")[2])[:MOST]
    return f"v{value}" if key == "tokenizer.vocab_size" else f"{_plain(key.rpartition('.')[2])}-{value}"


def _settings(job: Sequence[str]) -> Settings:
    pairs = [word.lstrip("+~").partition("=") for word in job]
    return {key: value for key, _, value in pairs}


def _varied(settings: Sequence[Settings]) -> list[str]:
    """The keys whose values differ, the tokenizer first and the seed last."""
    keys = {key for job in settings for key in job}
    differing = [key for key in keys if _counts(key) and len({job.get(key) for job in settings}) > 1]
    return sorted(differing, key=lambda key: (key == "seed", key != "tokenizer", key))


def _counts(key: str) -> bool:
    return NO_FIGURE.match(key) is None


def _plain(text: str) -> str:
    """What may stand in a file's name, and in Hydra's grammar."""
    return re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).strip("_.-") or "_"
