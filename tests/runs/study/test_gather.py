"""What a report keeps of its runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_up import run, segments, whole_study

from tokexp.runs.files import write_manifest
from tokexp.runs.study import gather, read_study
from tokexp.runs.study.gather import (
    MOST_TOKENIZER_BYTES,
    RunRows,
    add_tokenizer,
    all_runs,
    collect,
    latest_runs,
    read_segments,
    tokenizer_rows,
)
from tokexp.runs.study.tables import TABLES
from tokexp.sweep.with_hydra.planning import committed_results
from tokexp.system.files import sha256
from tokexp.tokenizer.base import saved_text


def test_segments_of_the_samples_that_are_kept(tmp_path: Path) -> None:
    rows = segments(4)
    (tmp_path / "segments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = read_segments(tmp_path, "a run")
    assert [row.get("sample") for row in kept] == [0, 1, None]
    assert {row["name"] for row in kept} == {"a run"}
    assert read_segments(tmp_path / "nowhere", "a run") == []


def test_rows_stay_until_they_are_pruned(runs: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = tmp_path / "reports/mine/data"
    collect(runs, data, keep=True)
    folders = [tmp_path / name for name in read_study("mine", data).results.name]
    for folder in folders:
        folder.mkdir()
        (folder / "status.json").touch()
    collect(runs[:1], data, keep=True)
    assert len(read_study("mine", data).results) == 2, "those of an earlier command"
    assert not caplog.messages, "nothing is gone"
    for folder in folders:
        (folder / "status.json").unlink()
    collect(runs[:1], data, keep=True)
    assert len(read_study("mine", data).results) == 2
    assert caplog.messages.pop().endswith("reports/mine: keeps the rows of 1 run without a folder; --prune drops them")
    collect(runs[:1], data, keep=True, prune=True)
    assert list(read_study("mine", data).results.arm) == ["char"]
    assert caplog.messages[-1].endswith("reports/mine: drops the rows of 1 run without a folder")


def test_a_run_of_a_later_version_takes_the_place_of_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one seed would count twice."""

    def read_run(folder: Path) -> RunRows:
        arm, _, version = folder.name.partition("@")
        row = {"name": folder.name, "config_hash": folder.name, "results_version": float(version or "nan")}
        made = whole_study([run(arm, **row)])
        tables = {name: getattr(made, name).to_dict("records") for name in TABLES}
        return RunRows(tables, made.samples, made.segments)

    monkeypatch.setattr(gather, "read_run", read_run)
    data = tmp_path / "reports/mine/data"

    def names(*folders: str) -> list[str]:
        collect([tmp_path / name for name in folders], data, keep=True)
        study = read_study("mine", data)
        assert set(study.curves["name"]) == set(study.blocks["name"]) == set(study.results["name"])
        assert {row["name"] for row in (*study.samples, *study.segments)} <= set(study.results["name"])
        return sorted(study.results["name"])

    assert names("char", "bpe@2") == ["bpe@2", "char"]
    assert names("char@3") == ["bpe@2", "char@3"], "what does not say its version is older"
    assert names("bpe@4", "char@2", "bpe@3") == ["bpe@4", "char@3"]


def test_a_sweep_has_the_runs_of_all_its_commands(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").touch()
    write_manifest(tmp_path, "mine", ["b", "c"])
    assert [path.name for path in latest_runs(tmp_path)] == ["b", "c"]
    assert [path.name for path in all_runs(tmp_path)] == ["a", "b", "c"]


def test_a_small_tokenizer_that_its_result_names_is_kept(tmp_path: Path) -> None:
    saved = {"format": "tokexp-tokenizer", "version": 1, "kind": "byte"}
    raw = saved_text(saved).encode()
    digest, known = sha256(raw), dict[str, dict[str, Any]]()
    add_tokenizer(tmp_path, digest, known)
    (tmp_path / "tokenizer.json").write_bytes(raw)
    add_tokenizer(tmp_path, sha256(b"another"), known)
    (tmp_path / "tokenizer.json").write_bytes(raw[:-9])
    add_tokenizer(tmp_path, digest, known)
    (tmp_path / "tokenizer.json").write_bytes(raw)
    assert known == {}
    add_tokenizer(tmp_path, digest, known)
    assert known == {digest: saved}
    large = saved_text(saved | {"more": "x" * MOST_TOKENIZER_BYTES}).encode()
    (tmp_path / "tokenizer.json").write_bytes(large)
    add_tokenizer(tmp_path, sha256(large), known)
    assert known == {digest: saved}
    for used, rows in (([digest, "other"], [{"tokenizer_sha256": digest, "tokenizer": saved}]), (["other"], [])):
        assert tokenizer_rows(known, pd.DataFrame({"tokenizer_sha256": used})) == rows


class Killed(BaseException):
    """Stands for an end that leaves nothing but what is there."""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that are read as finished runs."""

    def read_run(folder: Path) -> RunRows:
        made = whole_study([run(folder.name)])
        tables = {name: getattr(made, name).to_dict("records") for name in TABLES}
        return RunRows(tables, made.samples, made.segments)

    monkeypatch.setattr(gather, "read_run", read_run)
    return [tmp_path / arm for arm in ("char", "bpe")]


@pytest.mark.parametrize("moment", ["write_text", "write_lines", "move"])
@pytest.mark.parametrize("before", [0, 1])
def test_data_are_the_old_ones_or_the_new_ones_whole(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, before: int
) -> None:
    """Ended while it writes the second file, or moves it: the old data; but once they are being moved, the new."""
    data, calls = tmp_path / "reports/study/data", []
    if before:
        collect(runs[:1], data)
    does = os.replace if moment == "move" else getattr(gather, moment)

    def killed(first: Path, *arguments: object, **named: object) -> None:
        if moment == "move" and Path(first).parent.name != ".ready":
            return does(first, *arguments, **named)
        calls.append(first)
        if len(calls) == 2:
            raise Killed
        return does(first, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "replace") if moment == "move" else (gather, moment)), killed)
        with pytest.raises(Killed):
            collect(runs, data, keep=True)
    wanted = 2 if moment == "move" else before
    if wanted:
        assert len(read_study("study", data).results) == wanted
    assert len(committed_results("study", tmp_path / "reports")) == wanted
    collect(runs, data, keep=True)
    assert len(read_study("study", data).results) == 2
    assert not [path for path in data.iterdir() if path.name.startswith(".") and path.name != ".lock"]
