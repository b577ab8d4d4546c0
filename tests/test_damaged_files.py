"""Every file of a run and of a study, damaged in many ways: what reads them says so in one line, or goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import Damage, damages
from made_up import run, whole_study, write_data
from safetensors.torch import load_file, save_file

from tokexp.config import (
    BudgetConfig,
    DataConfig,
    InputError,
    ModelConfig,
    RunConfig,
    SampleConfig,
    TokenizerConfig,
    TrackingConfig,
    TrainConfig,
)
from tokexp.experiment import run_experiment
from tokexp.model.huggingface import load_hf, save_hf
from tokexp.rendering.tables.sections import tables_of_study
from tokexp.runs import study as studies
from tokexp.runs.files import write_manifest
from tokexp.runs.load import load_run
from tokexp.runs.result import load_result
from tokexp.runs.standing import standings, summary, table
from tokexp.runs.study import read_study
from tokexp.runs.study.gather import collect, latest_runs, read_run

MOST = 6  # ways, of each file, in the fast test
BY_RUN = ("result.json", "corpus.json", "metrics.jsonl", "content.jsonl", "samples.jsonl", "segments.jsonl",
          "readability.jsonl")  # fmt: skip
BY_MODEL = ("result.json", "config.yaml", "tokenizer.json", "model.safetensors")
TABLES = [f"{name}.csv" for name in studies.TABLES]


@pytest.fixture(scope="module")
def sweep(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two finished runs."""
    folder = tmp_path_factory.mktemp("runs") / "demo"
    for arm in ("char", "byte"):
        cfg = RunConfig(
            data=DataConfig(name="text", path=str(text_file)),
            tokenizer=TokenizerConfig(kind=arm),
            model=ModelConfig(block_size=8, n_layer=1, n_head=1, n_embd=4),
            train=TrainConfig(batch_size=2, eval_every=1),
            budget=BudgetConfig(steps=2),
            sample=SampleConfig(tokens=3, count=1, chars=8),
            tracking=TrackingConfig(mode="disabled"),
            sweep="demo",
        )
        run_experiment(cfg, folder / arm)
    write_manifest(folder, "demo", ["char", "byte"])
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "data"
    write_data(whole_study([run("char"), run("bpe")]), folder)
    return folder


def read_as_run(folder: Path) -> None:
    load_result(folder)
    read_run(folder)


def watch(folder: Path) -> None:
    summary(standings(folder.parent))
    table(standings(folder.parent))


def read_rows(path: Path) -> None:
    """Read one of the files of a study's data."""
    if path.suffix == ".csv":
        studies._read_table(path, path.stem)
    else:
        read_study("x", path.parent)


def outcome(path: Path, way: Damage, read: Callable[[Path], object], of: Path) -> str:
    """What reading comes to with `path` damaged, which is made whole again: "" where it succeeds, else the one line."""
    raw = path.read_bytes()
    try:
        way.do(path)
        read(of)
    except InputError as error:
        line = str(error)
        assert "\n" not in line, f"{path.name}, {way.name}: {line}"
        return line
    except Exception as error:
        raise AssertionError(f"{path.name}, {way.name}: {error!r}") from error
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(raw)
    return ""


def readers(sweep: Path, data: Path) -> list[tuple[Path, Callable[[Path], object], Path]]:
    """Each file, what reads it, and what that is given."""
    folder = sweep / "char"
    seen: list[tuple[Path, Callable[[Path], object], Path]] = []
    seen += [(folder / name, read_as_run, folder) for name in BY_RUN]
    seen += [(folder / name, load_run, folder) for name in BY_MODEL]
    seen += [(path, watch, folder) for path in (folder / "status.json", folder / "metrics.jsonl", sweep / "sweep.json")]
    seen += [
        (data / name, read_rows, data / name) for name in (*TABLES, "samples.jsonl", "segments.jsonl", "missing.json")
    ]
    return seen


def test_damaged_files_end_in_one_line(sweep: Path, data: Path) -> None:
    lines = [outcome(path, way, read, of) for path, read, of in readers(sweep, data) for way in damages(path, MOST)]
    assert len(lines) > 120
    assert sum(map(bool, lines)) > len(lines) / 3


@pytest.mark.slow
def test_all_ways_to_damage_a_file(sweep: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what can be read all the same, the report's tables are made too, for some of each file."""
    count = 0
    for path, read, of in readers(sweep, data):
        ways = damages(path)
        count += len(ways)
        sound = [way for way in ways if not outcome(path, way, read, of)]
        if path.parent == data:
            for way in sound[:: max(1, len(sound) // 8)]:
                outcome(path, way, lambda folder: tables_of_study(read_study("x", folder)), data)
    with capsys.disabled():
        print(f"\n{count:,} damaged files, no traceback")


def test_a_report_leaves_a_damaged_run_out_and_goes_on(sweep: Path, tmp_path: Path) -> None:
    raw = (sweep / "char/segments.jsonl").read_bytes()
    (sweep / "char/segments.jsonl").write_bytes(raw.replace(b'"unknown"', b'"known"'))
    try:
        (problem,) = collect(latest_runs(sweep), tmp_path / "data")
    finally:
        (sweep / "char/segments.jsonl").write_bytes(raw)
    assert "char/segments.jsonl: missing or damaged (row 1: has no unknown)" in problem
    assert len(read_study("x", tmp_path / "data").results) == 1


def test_damaged_data_are_left_as_they_are(sweep: Path, data: Path) -> None:
    raw = (data / "curves.csv").read_bytes()
    (data / "curves.csv").write_bytes(raw.replace(b"val_bpb", b"val_bpp"))
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    try:
        with pytest.raises(
            InputError, match=r"curves\.csv: missing or damaged \(without a column val_bpb\); bring it back"
        ):
            collect(latest_runs(sweep), data, keep=True)
        assert before == {path.name: path.read_bytes() for path in data.iterdir()}
    finally:
        (data / "curves.csv").write_bytes(raw)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(sweep: Path, value: float) -> None:
    path = sweep / "char/model.safetensors"
    raw = path.read_bytes()
    tensors = load_file(path)
    tensors["ln_f.bias"][0] = value
    try:
        save_file(tensors, path)
        with pytest.raises(
            InputError, match=r"model\.safetensors: cannot be loaded \(ln_f\.bias has weights that are no"
        ):
            load_run(sweep / "char")
    finally:
        path.write_bytes(raw)


@pytest.mark.parametrize("asked", ["n_layer: 1000000000", "block_size: 1000000000000", "n_embd: 1000000"])
def test_settings_that_ask_for_a_terabyte(sweep: Path, asked: str) -> None:
    path = sweep / "char/config.yaml"
    raw = path.read_bytes()
    name = asked.split(":")[0]
    lines = [f"  {asked}" if line.startswith(f"  {name}:") else line for line in raw.decode().splitlines()]
    try:
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(InputError, match="weights, and settings that ask for"):
            load_run(sweep / "char")
    finally:
        path.write_bytes(raw)


def test_a_gpt2_that_asks_for_a_terabyte(sweep: Path, tmp_path: Path) -> None:
    loaded = load_run(sweep / "char")
    save_hf(loaded.model, loaded.tokenizer, tmp_path / "hf", loaded.context_id)
    path = tmp_path / "hf/config.json"
    for asked in ('"n_layer": 1000000000', '"n_positions": 1000000000000'):
        name = asked.split(":")[0]
        lines = [f" {asked}," if line.startswith(f" {name}:") else line for line in path.read_text().splitlines()]
        path.write_text("\n".join(lines))
        with pytest.raises(InputError, match=r"model\.safetensors: cannot be read .*settings that ask for"):
            load_hf(tmp_path / "hf")
