"""Write a run's rows to `metrics.jsonl`, and to Weights & Biases as its mirror.

`wandb` is imported only where its mode asks for it. A run never waits for a key; it waits for a network 12
seconds at its start and a minute at its end at most, and goes on whatever becomes of W&B: what goes there is
in the run's folder too.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from tokexp.config import InputError, RunConfig, TrackingConfig, to_dict
from tokexp.runs.files import BEST_WEIGHTS, METRICS, TOKENIZER, metrics_lines, metrics_row
from tokexp.system.files import write_text
from tokexp.training.record import EvalRow, Row

log = logging.getLogger(__name__)

# What a row's figures are called in W&B; other figures are not mirrored.
WANDB_NAMES = {
    "loss": "train/batch_loss",
    "grad_norm": "train/grad_norm",
    "lr": "train/lr",
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_bpb": "val/bpb",
    "val_bpb_naive": "val/bpb_naive",
    "val_bpb_restoration": "val/bpb_restoration",
    "tokens_per_second": "speed/tokens_per_second",
    "peak_memory": "speed/peak_memory",
    "tokens_seen": "tokens_seen",
    "bytes_seen": "bytes_seen",
    "flops": "flops",
    "seconds": "seconds",
}

# Seconds; WANDB_INIT_TIMEOUT and WANDB_FINISH_TIMEOUT, which are W&B's own, come first.
TIMEOUTS = {"init_timeout": 12, "finish_timeout": 60}

KILLED = 255  # the exit code of a run that was stopped, as W&B's own hooks have it; it failed with 1


class Tracker:
    """Receives finished rows, within its context and after `begin`: what was begun is always ended."""

    def __init__(self, folder: Path, name: str, config_hash: str, cfg: RunConfig) -> None:
        self._folder, self._name, self._config_hash, self._cfg = folder, name, config_hash, cfg
        self._artifacts = [(f"tokenizer-{cfg.arm}", "tokenizer", TOKENIZER)]
        if cfg.tracking.weights:
            self._artifacts.append((f"weights-{name}", "model", BEST_WEIGHTS))
        self._wandb: Any = None
        self._failed = False
        self._least = math.inf
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Begin in W&B. Raises InputError for what it refuses, while all of an earlier try is there."""
        cfg, prefix = self._cfg, self._config_hash[:8]
        begun = None if cfg.rerun else _find_id_online(self._folder, prefix)
        self._wandb = _start_wandb(
            self._folder, cfg.tracking, prefix, begun,
            name=self._name, group=cfg.sweep, job_type="train", config=to_dict(cfg),
        )  # fmt: skip
        return self

    def begin(self, rows: Sequence[Row] = ()) -> None:
        """Begin metrics.jsonl with what an interrupted run had logged up to where it goes on, and no more."""
        path = self._folder / METRICS
        write_text(path, metrics_lines(list(rows)))
        self._file = path.open("a", encoding="utf-8")
        for row in rows:
            self._mirror(row)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._wandb is not None and not self._failed and self._least < math.inf:
            with _harmless("the summary"):  # going on with a run, W&B forgets the least of before
                self._wandb.summary.update({"val/bpb": {"min": self._least}})
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        _finish(self._wandb, 0 if kind is None else KILLED if stopped else 1)

    def log(self, row: Row) -> None:
        """Write a row whole to metrics.jsonl, its figures to W&B."""
        assert self._file is not None, "after begin"
        self._file.write(metrics_lines([row]))
        self._file.flush()
        self._mirror(row)

    def _mirror(self, row: Row) -> None:
        """Send a row's figures to W&B, unless the run there, gone on with, has that step already."""
        if isinstance(row, EvalRow):
            self._least = min(row.scores.val_bpb, self._least)
        if self._wandb is None or self._failed or row.step < self._wandb.starting_step:
            return
        named = {WANDB_NAMES[key]: value for key, value in metrics_row(row).items() if key in WANDB_NAMES}
        self._failed = True
        with _harmless("logging"):
            self._wandb.log({**named, "step": row.step}, step=row.step)
            self._failed = False

    def finish(self, result: dict[str, Any], samples: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> None:
        """Send W&B the finished run's figures, tables by name, its tokenizer and, if asked for, weights.

        A table, as `samples`, is a list of rows with the same keys.
        """
        if self._wandb is None or self._failed:
            return
        import wandb

        with _harmless("the summary"):  # what fails first is the network, and each more try would wait for it
            self._wandb.summary.update(result)
            named = {"samples": samples, **tables}
            self._wandb.log({name: _table(wandb, rows) for name, rows in named.items() if rows})
            for name, kind, file in self._artifacts:
                if (path := self._folder / file).is_file():
                    artifact = wandb.Artifact(name, type=kind)
                    artifact.add_file(str(path), policy="immutable")  # read where it lies, offline when it is synced
                    self._wandb.log_artifact(artifact)


def _table(wandb: Any, rows: list[dict[str, Any]]) -> Any:
    return wandb.Table(columns=[*rows[0]], data=[list(row.values()) for row in rows])


def track_report(report: Path, sweep: str, tracking: TrackingConfig, folder: Path) -> None:
    """Send W&B a sweep's report as a run of its own: its figures as images, all of it as an artifact.

    `report`: the folder reports/NAME. `folder`: where the recording goes, such as runs/NAME.
    """
    run = _start_wandb(folder, tracking, "report", name=f"report-{sweep}", group=sweep, job_type="report")
    if run is None:
        return
    import wandb

    with _harmless("the report"):
        run.log({f"report/{path.stem}": wandb.Image(str(path)) for path in sorted(report.glob("figures/*.png"))})
        artifact = wandb.Artifact(f"report-{sweep}", type="report")
        artifact.add_dir(str(report), policy="immutable", skip_cache=True)
        run.log_artifact(artifact)
    _finish(run, 0)


@contextmanager
def _harmless(what: str) -> Iterator[None]:
    """Log whatever goes wrong in W&B, and go on: it is a mirror."""
    try:
        yield
    except Exception as error:
        log.warning("W&B: %s failed (%s); the run's folder has everything", what, _reason(error))


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _finish(run: Any, exit_code: int) -> None:
    if run is None:
        return
    import wandb

    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        log.warning("W&B did not take all in time; to upload the rest: %s", _sync_line(run))
    except Exception as error:
        log.warning("W&B: the end failed (%s); the run's folder has everything", _reason(error))
        with suppress(Exception):
            wandb.teardown()  # its process may be gone: the next run starts another


def _sync_line(run: Any) -> str:
    online = "" if run.offline else "--include-online "  # or it would be passed over
    return f"wandb sync {online}{shlex.quote(run.sync_dir)}"


def _find_id_online(folder: Path, prefix: str) -> str | None:
    """Find the id in W&B, which begins with `prefix`, of the run that an earlier try began in `folder`."""
    begun = sorted(folder.glob(f"wandb/run-*-{prefix}*"))  # run-TIME-ID, and -1 where that was taken
    return begun[-1].name.split("-")[2] if begun else None


def _start_wandb(folder: Path, tracking: TrackingConfig, prefix: str, begun: str | None = None, **about: Any) -> Any:
    """Start a run in W&B, or go on with the one of id `begun`; None where there is no W&B.

    `prefix`: what the id of a new run begins with. The mode is `tracking.mode` unless that is auto, then WANDB_MODE,
    then what this machine allows.
    """
    mode = tracking.mode
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or "auto"
        if mode not in ("auto", "online", "offline", "disabled"):
            raise InputError(f"WANDB_MODE: got {mode!r}, expected online, offline or disabled")
    if mode == "disabled":
        return None
    try:
        import wandb
    except ImportError:
        log.info("wandb is not installed: metrics.jsonl has everything")
        return None
    try:
        if mode != "offline" and not _has_key(wandb):
            if mode == "online":
                raise InputError("tracking.mode: got online, but W&B has no key; run `wandb login`, or use offline")
            mode = "offline"
        if mode != "offline":
            try:
                return _init_wandb(wandb, folder, tracking, "online", prefix, begun, **about)
            except wandb.errors.UsageError:
                raise
            except Exception as error:
                log.warning("W&B cannot be reached (%s): going on offline", _reason(error))
        return _init_wandb(wandb, folder, tracking, "offline", prefix, None, **about)
    except InputError:
        raise
    except wandb.errors.UsageError as error:
        raise InputError(f"W&B refuses the settings: {_reason(error)}") from error
    except Exception as error:
        log.warning("W&B does not work here (%s): metrics.jsonl has everything", _reason(error))
        return None


def _has_key(wandb: Any) -> bool:
    """Whether this machine has credentials: whatever WANDB_MODE says, asking nobody and no network."""
    session = wandb.setup()
    before = wandb.Settings(mode=session.settings.mode, silent=session.settings.silent)
    wandb.setup(wandb.Settings(mode="online", silent=True))
    try:
        return bool(wandb.login(prompt=False, verify=False))
    except wandb.errors.AuthenticationError as error:
        log.warning("W&B: %s", _reason(error))
        return False
    finally:
        wandb.setup(before)


def _init_wandb(
    wandb: Any, folder: Path, tracking: TrackingConfig, mode: str, prefix: str, begun: str | None, **about: Any
) -> Any:
    timeouts = {key: value for key, value in TIMEOUTS.items() if f"WANDB_{key.upper()}" not in os.environ}
    settings = wandb.Settings(
        console="off", silent=True, x_disable_stats=mode == "offline", finish_timeout_raises=True, **timeouts
    )
    run = wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        id=begun or prefix + secrets.token_hex(4),
        resume="allow" if begun else None,
        dir=folder,
        mode=mode,
        reinit="create_new",  # seeds trained as one are several runs at a time
        settings=settings,
        **about,
    )
    run.define_metric("*", step_metric="bytes_seen")
    run.define_metric("val/bpb", step_metric="bytes_seen", summary="min")  # a name leaves out what "*" says
    if mode == "offline":
        log.info("W&B is offline; to upload: %s", _sync_line(run))
    else:
        log.info("W&B: %s", run.url)
    return run
