"""Weights & Biases: what an offline run recorded, read from its own file, and which mode is chosen when."""

from __future__ import annotations

import json
import logging
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.proto import wandb_internal_pb2

from tokexp.config import InputError, RunConfig, TrackingConfig, to_dict
from tokexp.tracking import Tracker

STEP = {"event": "step", "step": 1, "loss": 4.0, "grad_norm": 1.5, "lr": 1e-3}
EVAL = {
    "event": "eval", "step": 1, "tokens_seen": 64, "bytes_seen": 128, "flops": 1e6, "seconds": 0.5,
    "tokens_per_second": 128.0, "train_loss": 4.1, "val_loss": 4.2, "val_bpb": 3.0, "val_bpb_naive": 2.9,
    "val_block_nats": [1.0] * 64,
}  # fmt: skip


@pytest.fixture(autouse=True)
def machine_without_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))


def records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file: LevelDB log blocks of 32 KiB behind a header of 7 bytes."""
    data, at, pending = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        chunk, at = data[at + 7 : at + 7 + length], at + 7 + length
        pending = chunk if kind in (1, 2) else pending + chunk
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            yield record


def recorded(folder: Path) -> dict[str, list[Any]]:
    """What an offline run recorded, by kind. Its writer is a process of its own, which may be a moment behind."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    for _ in range(200):
        found: dict[str, list[Any]] = {}
        for record in records(path):
            kind = record.WhichOneof("record_type")
            found.setdefault(kind, []).append(getattr(record, kind))
        if "exit" in found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{path} never got its last record")


def items(record: Any, field: str = "item") -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in getattr(record, field)}


def use(folder: Path, mode: str, name: str = "bpe-micro-s0-abc") -> None:
    cfg = RunConfig(tracking=TrackingConfig(mode=mode), sweep="demo")
    with Tracker(folder, name, cfg) as tracker:
        tracker.log(STEP)
        tracker.log(EVAL)
        tracker.finish({"val_bpb": 3.0, "params_total": 7}, [{"arm": "bpe", "text": "O <script>"}])


def test_offline_run_records_what_a_person_looks_for(tmp_path: Path) -> None:
    use(tmp_path, "offline")
    found = recorded(tmp_path)
    (run,) = found["run"][:1]
    assert (run.project, run.run_group, run.display_name) == ("tokexp", "demo", "bpe-micro-s0-abc")
    config = items(run.config, "update")
    assert config["model"] == to_dict(RunConfig())["model"], "nested, as plain values"
    history = items(found["history"][0])
    assert history["val/bpb"] == 3.0
    assert history["train/grad_norm"] == 1.5
    assert history["bytes_seen"] == 128
    metrics = {metric.name or metric.glob_name: metric for metric in found["metric"]}
    assert metrics["*"].step_metric == "bytes_seen"
    assert metrics["val/bpb"].summary.min
    summary: dict[str, Any] = {}
    for record in found["summary"]:
        summary |= items(record, "update")
    assert (summary["val_bpb"], summary["params_total"]) == (3.0, 7)
    assert any(key.startswith("samples") for row in found["history"] for key in items(row))
    assert found["exit"][0].exit_code == 0


def test_a_failed_run_is_ended_as_failed(tmp_path: Path) -> None:
    cfg = RunConfig(tracking=TrackingConfig(mode="offline"))
    with pytest.raises(KeyError, match="step"), Tracker(tmp_path, "x", cfg) as tracker:
        tracker.log({})
    assert recorded(tmp_path)["exit"][0].exit_code == 1


def test_one_run_does_not_bleed_into_the_next(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        use(tmp_path / name, "offline", name)
    ids = {name: recorded(tmp_path / name)["run"][0].run_id for name in ("one", "two")}
    assert ids["one"] != ids["two"]
    assert len(recorded(tmp_path / "two")["history"]) == len(recorded(tmp_path / "one")["history"])


def test_metrics_have_every_row_whatever_the_mode(tmp_path: Path) -> None:
    use(tmp_path, "disabled")
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [STEP, EVAL]
    assert not (tmp_path / "wandb").exists()


def test_auto_without_a_key_is_offline_and_says_how_to_upload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    use(tmp_path, "auto")
    assert recorded(tmp_path)["exit"]
    assert f"wandb sync {tmp_path}/wandb/offline-run-" in caplog.text


def test_command_line_wins_over_environment_over_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    use(tmp_path, "auto")
    assert not (tmp_path / "wandb").exists()
    use(tmp_path, "offline")
    assert recorded(tmp_path)["exit"]


def test_online_without_a_key_is_refused_not_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="W&B has no key"):
        use(tmp_path, "online")


def test_key_without_a_network_goes_on_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(wandb, "login", lambda **_: True)
    real = wandb.init

    def init(**settings: Any) -> Any:
        if settings["mode"] == "online":
            raise wandb.errors.CommError("no answer")
        return real(**settings)

    monkeypatch.setattr(wandb, "init", init)
    use(tmp_path, "auto")
    assert recorded(tmp_path)["exit"]
    assert "W&B cannot be reached (no answer): going on offline" in caplog.text
