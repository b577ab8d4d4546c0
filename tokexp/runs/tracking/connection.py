"""Begin and end a run in Weights & Biases.

`wandb` is imported only where its mode asks for it. A run never waits for a key; it waits for a network 12
seconds at its start and a minute at its end at most, and goes on whatever becomes of W&B.
"""

from __future__ import annotations

import logging
import os
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tokexp.config import InputError, TrackingConfig

log = logging.getLogger(__name__)

# Seconds; WANDB_INIT_TIMEOUT and WANDB_FINISH_TIMEOUT, which are W&B's own, come first.
TIMEOUTS = {"init_timeout": 12, "finish_timeout": 60}

SWEEP = "TOKEXP_SWEEP"  # in the environment of a sweep, which says at its end for all runs how to upload them


def start_run(folder: Path, tracking: TrackingConfig, prefix: str, begun: str | None = None, **about: Any) -> Any:
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
                log.warning("W&B cannot be reached (%s): continuing offline", _reason(error))
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
        tags=tracking.tags,
        notes=tracking.notes,
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
    if mode == "offline" and SWEEP not in os.environ:
        log.info("W&B is offline; to upload: %s", _sync_line(run))
    elif mode != "offline":
        log.info("W&B: %s", run.url)
    return run


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """Log whatever goes wrong in W&B, and go on: it is a mirror."""
    try:
        yield
    except Exception as error:
        log.warning("W&B: %s failed (%s); the run's folder has everything", what, _reason(error))


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def finish_run(run: Any, exit_code: int) -> None:
    if run is None:
        return
    import wandb

    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        log.warning("W&B did not receive everything in time; to upload the rest: %s", _sync_line(run))
    except Exception as error:
        log.warning("W&B: the end failed (%s); the run's folder has everything", _reason(error))
        with suppress(Exception):
            wandb.teardown()  # its process may be gone: the next run starts another


def _sync_line(run: Any) -> str:
    online = "" if run.offline else "--include-online "  # or it would be passed over
    return f"wandb sync {online}{shlex.quote(run.sync_dir)}"
