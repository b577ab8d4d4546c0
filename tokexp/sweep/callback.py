"""Between Hydra and a run: the schema of `conf/`, the name of a run, and what happens around a sweep.

Hydra composes settings and launches jobs; it neither checks a sweep before it starts nor says
afterwards what became of it. `SweepCallback` does both.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tokexp.config import GROUP_TYPES, BudgetConfig, InputError, RunConfig, TrackingConfig, from_dict
from tokexp.data.corpus import load_corpus
from tokexp.experiment import run_experiment
from tokexp.runs.identity import UNNAMED, config_hash, run_name
from tokexp.runs.progress import duration
from tokexp.runs.result import has_result, load_result
from tokexp.runs.standing import standings, summary
from tokexp.runs.state import read_state
from tokexp.runs.tracking import track_report
from tokexp.sweep.seeds_as_one import run_seeds_as_one
from tokexp.system.command import cannot_write
from tokexp.system.device import resolve_device, resolve_precision
from tokexp.system.distributed import launched
from tokexp.system.files import write_json
from tokexp.system.provenance import workers
from tokexp.tokenizer import check_settings
from tokexp.training.loop import DivergedError

log = logging.getLogger(__name__)

MANIFEST = "sweep.json"  # in a sweep's folder: the names of the runs of its latest command


@dataclass(frozen=True)
class Schema(RunConfig):
    """`RunConfig` as Hydra checks it: a tokenizer's settings are those that its yaml lists."""

    tokenizer: Any = field(default_factory=dict)
    budget: BudgetConfig = MISSING


def register() -> None:
    """Tell Hydra of the schema and the resolvers. Harmless when done twice."""
    schema = OmegaConf.structured(Schema)
    OmegaConf.set_readonly(schema, None)  # frozen dataclasses would refuse every override
    for group in GROUP_TYPES:
        if isinstance(schema._get_node(group), DictConfig):
            OmegaConf.set_readonly(schema._get_node(group), None)
    ConfigStore.instance().store(name="schema", node=schema)
    OmegaConf.register_new_resolver("sweep_name", _sweep_name, replace=True)
    OmegaConf.register_new_resolver("run_name", _run_name, replace=True)


def _sweep_name() -> str:
    hydra = HydraConfig.get()
    named: str | None = hydra.runtime.choices.get("sweeps")
    return named or ("demo" if hydra.mode == RunMode.MULTIRUN else "single")


def _run_name(*, _root_: DictConfig) -> str:
    return plan_run(to_config(_root_))[0]


def to_config(cfg: DictConfig) -> RunConfig:
    """What Hydra composed, as plain dataclasses. Raises InputError for a value that cannot be."""
    tree = {str(key): _plain(cfg[key]) for key in cfg if key != "hydra"}
    typed = any(word.startswith("tracking.mode=") for word in HydraConfig.get().overrides.task)
    if os.environ.get("WANDB_MODE") and not typed:
        tree["tracking"]["mode"] = "auto"  # the environment goes before a yaml, and the command line before both
    return from_dict(tree)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def plan_run(cfg: RunConfig) -> tuple[str, str]:
    """A run's name and the hash of its settings, with all that can be checked before it checked."""
    check_settings(cfg.tokenizer.kind, cfg.tokenizer.train_settings())
    device = resolve_device(cfg.device)
    digest = config_hash(cfg, load_corpus(cfg.data), resolve_precision(cfg.precision, device))
    return run_name(cfg, digest), digest


@dataclass(frozen=True)
class Sweep:
    """What a multirun is to do: known before it starts, and asked about when it has ended."""

    name: str
    runs: dict[Path, str]  # folder -> hash of its settings
    before: set[Path]  # of those, the ones that were done when it started
    tracking: TrackingConfig

    def conclude(self) -> int:
        """Say what became of every run and write the report; the exit code."""
        from tokexp.rendering.report import write_report

        committed = committed_results(self.name)
        done = [path for path, digest in self.runs.items() if has_result(path, digest) or digest in committed]
        failed = {path: read_state(path) for path in self.runs if path not in done}
        counts = Counter(state.state for state in failed.values())
        parts = [f"{len(done)} of {len(self.runs)} runs done", *(f"{n} {state}" for state, n in sorted(counts.items()))]
        if self.before:
            parts[0] += f" ({len(self.before)} before)"
        log.info("%s", ", ".join(parts))
        for path, state in failed.items():
            reason = f": {state.reason}" if state.reason else ""
            log.error("%s: %s%s; see %s", state.state, path.name, reason, path / "run.log")
        if done:
            report = write_report(self.name, list(self.runs))
            track_report(report.parent, self.name, self.tracking, next(iter(self.runs)).parent)
            log.info("report: %s", report)
        if failed:
            log.error("the same command does what is missing; what diverged stays so, unless with rerun=true")
        return 1 if failed else 0


current: Sweep | None = None  # the sweep that this process has started and not yet concluded


class SweepCallback(Callback):
    """Refuses bad input before anything is trained; says at the end what was done, and writes the report."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        with _loudly():
            if named := config.hydra.runtime.choices.get("sweeps"):
                line = f"python -m tokexp.run -m sweeps={named}"
                raise InputError(f"sweeps={named} is a sweep of many runs; type: {line}")
            cfg = to_config(as_current(config))
            plan_run(cfg)
            if cfg.dry:
                say_what_it_would_cost([cfg])
            Path(config.hydra.run.dir).mkdir(parents=True, exist_ok=True)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        global current
        with _loudly():
            runs = [planned_run(run) for run in compose_runs(config)]
            cfgs = [cfg for cfg, _ in runs]
            if len({cfg.sweep for cfg in cfgs}) > 1:
                raise InputError("sweep: got several names, expected one for all runs, since they share a report")
            hashes = [plan_run(cfg)[1] for cfg in cfgs]
            if cfgs[0].dry:
                say_what_it_would_cost(cfgs)
            planned = {folder: digest for (_, folder), digest in zip(runs, hashes, strict=True)}
            committed = committed_results(cfgs[0].sweep)
            before = {path for path, digest in planned.items() if has_result(path, digest) or digest in committed}
            for path in planned:
                path.mkdir(parents=True, exist_ok=True)
            manifest = {"sweep": cfgs[0].sweep, "runs": [path.name for path in planned]}
            write_json(runs[0][1].parent / MANIFEST, manifest)
            current = Sweep(cfgs[0].sweep, planned, set() if cfgs[0].rerun else before, cfgs[0].tracking)
            if config.hydra.runtime.choices.get("launcher") == "batched":
                train_seeds_together(runs)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        conclude()


def conclude() -> None:
    """Conclude the sweep under way, also where its launcher gave up; ends the program where runs are missing."""
    global current
    sweep, current = current, None
    if sweep is None or not launched().writes:
        return
    with _loudly():
        code = sweep.conclude()
    if code:
        sys.exit(code)


def say_what_it_would_cost(cfgs: list[RunConfig]) -> NoReturn:
    """Print what `dry=true` asks for, and end the program."""
    from tokexp.sweep.estimate import estimate, table

    measured: dict[str, float] = {}
    print(table([estimate(cfg, measured) for cfg in cfgs], workers()))
    sys.exit(0)


def committed_results(sweep: str, reports: Path = Path("reports")) -> dict[str, float]:
    """Total bits per byte by hash of settings, of what is among a named sweep's committed data, perhaps from elsewhere.

    Raises InputError where the file is damaged: taken for none it would all be trained again.
    """
    path = reports / sweep / "data" / "results.csv"
    if sweep in UNNAMED or not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["config_hash"]: float(row["val_bpb"]) for row in csv.DictReader(file)}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error!r}); bring it back, or remove it") from error


def do_run(cfg: RunConfig, folder: Path) -> float | None:
    """One run, unless it is done: its total bits per byte, or None, with the failure on record."""
    if folder.resolve() in _trained_together:
        return load_result(folder).val_bpb
    digest = plan_run(cfg)[1]
    committed = committed_results(cfg.sweep)
    if digest in committed and not has_result(folder, digest) and not cfg.rerun:
        log.info("%s: done before, in reports/%s (rerun=true trains it again)", run_name(cfg, digest), cfg.sweep)
        return committed[digest]
    began = time.monotonic()
    result = reported(lambda: run_experiment(cfg, folder))
    _say_what_is_left(folder.parent, time.monotonic() - began)
    return result.val_bpb if result else None


_seconds: list[float] = []  # of each run that this process has done
_trained_together: set[Path] = set()  # the folders of runs that rerun=true has trained as one, and need not again


def _say_what_is_left(sweep: Path, seconds: float) -> None:
    """How many of the sweep's runs are done, and how long the others may take at the pace of this process."""
    if current is None and workers() == 1:
        return
    try:
        found = standings(sweep)
    except InputError:
        return
    left = sum(one.state.state in ("not started", "running", "interrupted") for one in found)
    if seconds > 1:  # one that was done before took no time
        _seconds.append(seconds)
    if left and _seconds:
        mean = sum(_seconds) / len(_seconds)
        log.info("%s: %s; about %s left", sweep.name, summary(found), duration(mean * left / workers()))


@contextmanager
def _loudly() -> Iterator[None]:
    """Hydra makes a warning of what a callback raises; here it ends the program, in one line where it can."""
    try:
        yield
    except InputError as error:
        stop(str(error))
    except (HydraException, OmegaConfBaseException) as error:  # of which one is an OSError too
        stop(in_a_line(error))
    except OSError as error:
        stop(cannot_write(error))
    except Exception:
        log.exception("tokexp itself failed")
        sys.exit(1)


def compose_runs(config: DictConfig) -> list[DictConfig]:
    """The settings of every run of a multirun, in the order in which Hydra launches them."""
    loader = GlobalHydra.instance().config_loader()
    parser = OverridesParser.create(config_loader=loader)
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = parser.parse_overrides(params + list(config.hydra.overrides.task))
    (batch,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    return [loader.load_sweep_config(config, list(run)) for run in batch]


def planned_run(composed: DictConfig) -> tuple[RunConfig, Path]:
    """Its settings and its folder, whose name is only known while it is the current one."""
    cfg = to_config(as_current(composed))
    return cfg, Path(composed.hydra.sweep.dir, composed.hydra.sweep.subdir)


def train_seeds_together(runs: list[tuple[RunConfig, Path]]) -> None:
    """Do the runs that differ in their seed alone, group by group; `do_run` then leaves them, and does the others.

    Those whose results are committed are no part of a group.
    """
    groups: dict[str, list[tuple[RunConfig, Path]]] = {}
    committed = committed_results(runs[0][0].sweep)
    for cfg, folder in runs:
        if not cfg.rerun and plan_run(cfg)[1] in committed:
            continue
        groups.setdefault(repr(dataclasses.replace(cfg, seed=0)), []).append((cfg, folder))
    for group in groups.values():
        if len(group) > 1:
            log.info("%d seeds as one: %s", len(group), ", ".join(folder.name for _, folder in group))
            results = reported(lambda group=group: run_seeds_as_one(*zip(*group, strict=True)))  # type: ignore[misc]
            for result, (cfg, folder) in zip(results or [], group, strict=False):
                if isinstance(result, DivergedError):
                    log.error("error: %s", result)
                elif cfg.rerun:  # else it is found to be done
                    _trained_together.add(folder.resolve())


def in_a_line(error: Exception) -> str:
    """What Hydra says over many lines."""
    head, *rest = [line.strip() for line in str(error).split("Config search path")[0].splitlines() if line.strip()]
    if rest and rest[0].startswith("Available options"):
        return f"{head}; {rest[0]} {', '.join(rest[1:])}"
    why = str(error.__cause__ or "").strip().splitlines()
    return f"{head} ({why[0]})" if why else head


T = TypeVar("T")


def reported(do: Callable[[], T]) -> T | None:
    """What `do` returns; where it fails, None, with the failure on record, so that other runs can go on."""
    try:
        return do()
    except (InputError, DivergedError) as error:
        log.error("error: %s", error)
    except OSError as error:
        log.error("error: %s", cannot_write(error))
    except Exception:
        log.error("%s", traceback.format_exc())
    return None


def as_current(config: DictConfig) -> DictConfig:
    """Make `config` the one that ${hydra:...} speaks of."""
    HydraConfig.instance().set_config(config)
    return config


def stop(message: str) -> NoReturn:
    """End the program with one line and exit code 2."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
