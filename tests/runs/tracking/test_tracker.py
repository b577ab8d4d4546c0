"""Weights & Biases: what an offline run recorded, what a server receives, which mode is chosen when.

The server is a stand-in on loopback (wandb_server.py); nothing here can reach the real one.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pty
import shlex
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from wandb import wandb_agent
from wandb.proto import wandb_internal_pb2
from wandb.sdk.wandb_init import _INIT_TIMEOUT_GRACE_SECONDS
from wandb_server import ReceivedRun, WandbServer

from tokexp.config import InputError, RunConfig, TrackingConfig, to_dict
from tokexp.runs.files import load_metrics
from tokexp.runs.tracking import connection, mirror
from tokexp.runs.tracking.tracker import KILLED, Tracker
from tokexp.sweep.with_hydra.schema import to_config
from tokexp.sweep.with_hydra.sweeper import register
from tokexp.system.places import ROOT
from tokexp.training.record import EvalRow, Evaluation, Row, StepRow

STEP = StepRow(step=1, lr=1e-3, tokens_seen=64, bytes_seen=128, loss=4.0, grad_norm=1.5)
EVAL = EvalRow(
    step=1, tokens_seen=64, bytes_seen=128, flops=1e6, seconds=0.5, tokens_per_second=128.0, peak_memory=10**9,
    scores=Evaluation(train_loss=4.1, val_loss=4.2, val_bpb_naive=2.9, val_bpb=3.0, val_block_nats=[1.0] * 64),
)  # fmt: skip
NOBODY = "http://127.0.0.1:9"  # where nothing listens
HASH = "0123abcd" * 8
NAME = "bpe-micro-s0-0123abcd"


@pytest.fixture(autouse=True)
def machine_without_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running() -> Iterator[None]:
    yield
    wandb.teardown()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key on this machine; W&B reads its environment once, so it begins and ends with the test."""
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        yield server
        assert server.unknown == [], "the stand-in was asked what it does not know"


def records(path: Path) -> Iterator[Any]:
    """The whole records of a .wandb file: LevelDB log blocks of 32 KiB behind a header of 7 bytes.

    The file may still grow, so it may end within a record: that one is left for the next look.
    """
    data, at, pending = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        if at + 7 + length > len(data):
            return
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


def settings(mode: str, **more: Any) -> RunConfig:
    return RunConfig(tracking=TrackingConfig(mode=mode), sweep="demo", **more)


def use(folder: Path, mode: str, name: str = NAME) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with Tracker(folder, name, HASH, settings(mode)) as tracker:
        tracker.begin()
        tracker.log(STEP)
        tracker.log(EVAL)
        tracker.finish(
            {"val_bpb": 3.0, "params_total": 7},
            [{"arm": "bpe", "text": "O <script>"}],
            segmentations=[{"piece": "O", "id": 7}],
        )


def steps(start: int, stop: int) -> list[Row]:
    """A row for each step, and one more for every evaluation; bits per byte fall until step 5, then rise."""
    rows: list[Row] = []
    for step in range(start, stop):
        counts = {"step": step, "tokens_seen": 50 * step, "bytes_seen": 100 * step}
        rows.append(StepRow(**counts, loss=4 / step, grad_norm=1.0, lr=0.1))
        if step % 2 == 1:
            scores = dataclasses.replace(EVAL.scores, val_bpb=2.0 + abs(step - 5) / 10)
            rows.append(dataclasses.replace(EVAL, **counts, scores=scores))
    return rows


def the_run(server: WandbServer) -> ReceivedRun:
    (run,) = server.runs.values()
    return run


def test_offline_run_records_what_a_person_looks_for(tmp_path: Path) -> None:
    use(tmp_path, "offline")
    found = recorded(tmp_path)
    (run,) = found["run"][:1]
    assert (run.project, run.run_group, run.display_name) == ("tokexp", "demo", NAME)
    config = items(run.config, "update")
    assert config["model"] == to_dict(RunConfig())["model"], "nested, as plain values"
    history = items(found["history"][0])
    assert history["val/bpb"] == 3.0
    assert history["train/grad_norm"] == 1.5
    assert history["bytes_seen"] == 128
    metrics = {metric.name or metric.glob_name: metric for metric in found["metric"]}
    assert metrics["*"].step_metric == "bytes_seen"
    assert metrics["val/bpb"].step_metric == "bytes_seen", "a name of its own is not under *"
    assert metrics["val/bpb"].summary.min
    summary: dict[str, Any] = {}
    for record in found["summary"]:
        summary |= items(record, "update")
    assert (summary["val_bpb"], summary["params_total"]) == (3.0, 7)
    assert summary["bpb"] == 3.0, "the figure that ranks"
    logged = {key.split(".")[0] for row in found["history"] for key in items(row)}
    assert {"samples", "segmentations"} <= logged
    assert "tokenizer-bpe" in [artifact.name for artifact in found["artifact"]]
    assert found["exit"][0].exit_code == 0


def test_a_failed_run_is_ended_as_failed(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="step"), Tracker(tmp_path, NAME, HASH, settings("offline")):
        raise KeyError("step")
    assert recorded(tmp_path)["exit"][0].exit_code == 1


def test_one_run_does_not_bleed_into_the_next(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        use(tmp_path / name, "offline", name)
    ids = {name: recorded(tmp_path / name)["run"][0].run_id for name in ("one", "two")}
    assert ids["one"] != ids["two"]
    assert len(recorded(tmp_path / "two")["history"]) == len(recorded(tmp_path / "one")["history"])


def test_runs_at_the_same_time_are_kept_apart(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with (
        Tracker(folders[0], NAME, HASH, settings("offline")) as one,
        Tracker(folders[1], NAME, HASH, settings("offline")) as two,
    ):
        one.begin()
        two.begin()
        for row in steps(1, 4):
            one.log(row)
            two.log(dataclasses.replace(row, bytes_seen=7))
    bytes_seen = [{items(row)["bytes_seen"] for row in recorded(folder)["history"]} for folder in folders]
    assert bytes_seen == [{100, 200, 300}, {7}]


def test_metrics_have_every_row_whatever_the_mode(tmp_path: Path) -> None:
    use(tmp_path, "disabled")
    assert load_metrics(tmp_path) == [STEP, EVAL]
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


def test_a_key_that_cannot_be_one_is_said_and_not_used(
    tmp_path: Path, key: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "hello")
    use(tmp_path, "auto")
    assert "WANDB_API_KEY invalid" in caplog.text
    assert recorded(tmp_path)["exit"]


def test_settings_that_wandb_refuses_are_the_users(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="W&B refuses the settings"):
        Tracker(tmp_path, NAME, HASH, RunConfig(tracking=TrackingConfig(mode="offline", project="a/b"))).__enter__()


def test_a_terminal_is_not_asked_for_a_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tokexp.config import RunConfig; from tokexp.runs.tracking.tracker import Tracker\n"
        f"with Tracker(Path({str(tmp_path)!r}), {NAME!r}, {HASH!r}, RunConfig()): print('tty', sys.stdin.isatty())"
    )
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "rb") as terminal:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=terminal, stdout=terminal, stderr=terminal, timeout=60, check=False
        )
        said = os.read(ours, 10_000).decode()
    assert done.returncode == 0, said
    assert "tty True" in said
    assert recorded(tmp_path)["exit"]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("mode", ["auto", "online"])
def test_key_without_a_network_goes_on_offline(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert connection.TIMEOUTS["init_timeout"] + _INIT_TIMEOUT_GRACE_SECONDS < 25
    monkeypatch.setitem(connection.TIMEOUTS, "init_timeout", 1)
    use(tmp_path, mode)
    assert recorded(tmp_path)["exit"]
    assert "W&B cannot be reached" in caplog.text
    assert f"wandb sync {tmp_path}/wandb/offline-run-" in caplog.text
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.usefixtures("key")
def test_command_line_wins_over_an_environment_that_is_offline(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    use(tmp_path, "online")
    assert the_run(server).exit_code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("key")
def test_a_server_that_never_answers_costs_25_seconds_at_most(tmp_path: Path, server: WandbServer) -> None:
    server.answering.clear()
    began = time.monotonic()
    with Tracker(tmp_path, NAME, HASH, settings("auto")):
        assert time.monotonic() - began < 25
    assert recorded(tmp_path)["exit"]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_server_receives_what_a_person_looks_for(
    mode: str, tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    use(tmp_path, mode)
    if mode == "offline":
        recorded(tmp_path)
        sync(caplog, tmp_path)
    (run_id,) = server.runs
    run = the_run(server)
    assert (run.fields["displayName"], run.fields["groupName"]) == (NAME, "demo")
    assert (run.fields["project"], run.fields["jobType"]) == ("tokexp", "train")
    assert run.config["model"] == to_dict(RunConfig())["model"], "nested, as plain values"
    (row,) = run.history
    assert (row["_step"], row["step"], row["bytes_seen"], row["flops"]) == (1, 1, 128, 1e6)
    assert (row["val/bpb"], row["val/bpb_naive"], row["train/grad_norm"]) == (3.0, 2.9, 1.5)
    assert "val_block_nats" not in row
    assert run.summary["val/bpb"] == {"min": 3.0}
    assert (run.summary["val_bpb"], run.summary["params_total"]) == (3.0, 7)
    assert run.exit_code == 0
    table = json.loads(server.files["samples.table.json"])
    assert (table["columns"], table["data"]) == (["arm", "text"], [["bpe", "O <script>"]])
    assert json.loads(server.files[row["segmentations"]["path"]])["data"] == [["O", 7]]
    assert server.files["tokenizer.json"] == b"{}"
    kinds = {artifact["artifactCollectionName"]: artifact["artifactTypeName"] for artifact in server.artifacts}
    assert kinds["tokenizer-bpe"] == "tokenizer"
    assert "model" not in kinds.values(), "not unless asked"
    assert kinds[f"run-{run_id}-samples"] == "run_table"


def sync(caplog: pytest.LogCaptureFixture, cwd: Path) -> None:
    """Type the line that the log names last."""
    line = caplog.text.rsplit("wandb sync ", 1)[1].splitlines()[0]
    command = [sys.executable, "-W", "ignore", "-m", "wandb", "sync", *shlex.split(line)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Stop(SystemExit):
    """As a signal ends a run."""


@pytest.mark.usefixtures("key")
def test_a_run_gone_on_with_is_one_run_online(
    tmp_path: Path, server: WandbServer, capfd: pytest.CaptureFixture[str]
) -> None:
    before, after = steps(1, 8), steps(5, 10)
    with pytest.raises(Stop), Tracker(tmp_path, NAME, HASH, settings("online")) as tracker:  # noqa: PT012
        tracker.begin()
        for row in before:
            tracker.log(row)
        raise Stop
    assert the_run(server).exit_code == KILLED
    checkpoint = [row for row in before if row.step < 5]  # behind what W&B has seen
    with Tracker(tmp_path, NAME, HASH, settings("online")) as tracker:
        tracker.begin(checkpoint)
        for row in after:
            tracker.log(row)
        tracker.finish({"val_bpb": 2.4}, [])
    assert "step" not in capfd.readouterr().err, "W&B warns of steps that go back"
    run = the_run(server)
    assert [row["step"] for row in run.history] == list(range(1, 10))
    assert [row["val/bpb"] for row in run.history if "val/bpb" in row] == [2.4, 2.2, 2.0, 2.2, 2.4]
    assert run.summary["val/bpb"] == {"min": 2.0}
    assert run.exit_code == 0
    assert load_metrics(tmp_path) == [*checkpoint, *after]

    with Tracker(tmp_path, NAME, HASH, settings("online", rerun=True)) as tracker:
        tracker.begin()
        tracker.log(STEP)
    with Tracker(tmp_path, NAME, HASH.replace("d", "e"), settings("online")) as tracker:
        tracker.begin()
        tracker.log(STEP)
    assert len(server.runs) == 3, "a run done again, and one of other settings, are other runs"


@pytest.mark.usefixtures("key")
def test_a_run_begun_offline_is_whole_where_it_goes_on(tmp_path: Path, server: WandbServer) -> None:
    with Tracker(tmp_path, NAME, HASH, settings("offline")) as tracker:
        tracker.begin()
        for row in steps(1, 5):
            tracker.log(row)
    with Tracker(tmp_path, NAME, HASH, settings("online")) as tracker:
        tracker.begin(steps(1, 5))
        for row in steps(5, 7):
            tracker.log(row)
    assert [row["step"] for row in the_run(server).history] == list(range(1, 7))


@pytest.mark.usefixtures("key")
def test_a_network_lost_on_the_way_is_no_hang_and_no_loss(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(connection.TIMEOUTS, "finish_timeout", 1)
    with Tracker(tmp_path, NAME, HASH, settings("online")) as tracker:
        tracker.begin()
        server.answering.clear()
        for row in steps(1, 4):
            tracker.log(row)
    assert f"to upload the rest: wandb sync --include-online {tmp_path}/wandb/run-" in caplog.text
    server.answering.set()
    sync(caplog, tmp_path)
    assert [row["step"] for row in the_run(server).history] == [1, 2, 3]
    assert the_run(server).exit_code == 0


@pytest.mark.usefixtures("key")
def test_an_end_of_wandb_itself_ends_nothing_else(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    with Tracker(tmp_path, NAME, HASH, settings("online")) as tracker:
        tracker.begin()
        service = wandb.setup()._connection._proc._process
        service.kill()
        service.wait()
        for row in steps(1, 4):
            tracker.log(row)
            time.sleep(0.05)  # until the connection is seen to be gone
        tracker.finish({"val_bpb": 2.0}, [{"text": "x"}])
    assert "the run's folder has everything" in caplog.text
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == len(steps(1, 4))
    (tmp_path / "next").mkdir()
    use(tmp_path / "next", "offline")
    assert recorded(tmp_path / "next")["exit"], "the next run has a service again"


SWEEPS = sorted((ROOT / "sweeps/wandb").glob("*.yaml"))


def agent_starts(
    asked: dict[str, Any], parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> tuple[list[str], dict[str, str]]:
    """The command and the environment with which W&B's own agent starts a run that its server asks for."""
    started = []
    monkeypatch.setattr(wandb_agent, "AgentProcess", lambda **process: started.append(process) or SimpleNamespace())
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, "")  # so that what the agent writes there is undone
    monkeypatch.setenv("WANDB_DIR", str(folder))
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    agent = wandb_agent.Agent(api=None, queue=None, sweep_id="sweep1")
    agent._sweep_command = list(asked["command"])
    values = {name: {"value": value} for name, value in parameters.items()}
    agent._command_run({"run_id": "run1", "program": asked["program"], "args": values})
    return started[0]["command"], started[0]["env"]


def choices(parameter: dict[str, Any]) -> list[Any]:
    """The values that a sweep can ask for; of a range its ends."""
    if "values" in parameter:
        return list(parameter["values"])
    return [parameter[end] for end in ("min", "max", "value") if end in parameter]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_wandb_sweeps_ask_for_what_there_is(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path.read_text().startswith("# "), "headed by its question"
    asked = yaml.safe_load(path.read_text())
    assert asked["metric"] == {"name": mirror.WANDB_NAMES["val_bpb"], "goal": "minimize"}
    assert (ROOT / asked["program"]).is_file()
    register()
    options = [choices(parameter) for parameter in asked["parameters"].values()]
    for i in range(max(map(len, options))):
        parameters = {name: values[i % len(values)] for name, values in zip(asked["parameters"], options, strict=True)}
        command, _ = agent_starts(asked, parameters, monkeypatch, tmp_path)
        assert command[:4] == ["/usr/bin/env", "python", "-m", "tokexp.run"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("config", [*command[4:], "hydra.mode=RUN"], return_hydra_config=True)
            HydraConfig.instance().set_config(cfg)
            tree = to_dict(to_config(cfg))
        GlobalHydra.instance().clear()
        assert tree["sweep"] == f"wandb_{path.stem}"
        for name, value in parameters.items():
            group, _, key = name.partition(".")
            got = tree[group][key] if key else tree["arm" if name == "tokenizer" else name]
            assert got == value


@pytest.mark.usefixtures("key")
def test_wandbs_agent_runs_a_run_of_its_sweep(
    tmp_path: Path, text_file: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = yaml.safe_load((ROOT / "sweeps/wandb/vocab_size.yaml").read_text())
    quick = {
        "model": "nano", "budget.steps": 4, "train.eval_every": 2, "train.batch_size": 2, "sample.tokens": 5,
        "sample.count": 1, "sample.chars": 10, "data": "text", "data.path": str(text_file), "tracking.weights": "true",
    }  # fmt: skip
    parameters = {"tokenizer": "bpe_fallback", "tokenizer.vocab_size": 512, "seed": 2}
    command, env = agent_starts(asked, {**parameters, **quick}, monkeypatch, tmp_path)
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert list(server.runs) == ["run1"], "the id is the agent's"
    run = the_run(server)
    assert (run.fields["sweep"], run.fields["groupName"], run.exit_code) == ("sweep1", "wandb_vocab_size", 0)
    assert (run.config["tokenizer.vocab_size"], run.config["seed"]) == (512, 2)
    (folder,) = tmp_path.glob("runs/wandb_vocab_size/*")
    result = json.loads((folder / "result.json").read_text())
    assert run.history[-1]["val/bpb"] == run.summary["val_bpb"] == result["val_bpb"]
    assert 50e6 < run.history[-1]["speed/peak_memory"] < 50e9
    assert run.history[-1]["bytes_seen"] == result["bytes_seen"]
    assert (result["arm"], result["seed"]) == ("bpe_fallback", 2)
    table = json.loads(server.files["segmentation.table.json"])
    assert table["columns"] == ["piece", "bytes", "unknown"]
    passage = "".join(piece for piece, *_ in table["data"])
    assert len(passage) == 300
    assert passage in text_file.read_text()
    kinds = {artifact["artifactCollectionName"]: artifact["artifactTypeName"] for artifact in server.artifacts}
    assert kinds[f"weights-{folder.name}"] == "model"
    assert server.files["best.safetensors"] == (folder / "best.safetensors").read_bytes()
