"""Datasets of Hugging Face, from folders alone: no test has a network."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from tokexp.config import InputError
from tokexp.data.sources import Document, Fields, Skipped, read_dataset

datasets = pytest.importorskip("datasets")

TEXTS = ["one\r\ntwo\n", "é \U0001f600 \0", "  "]
ROWS = {"text": TEXTS, "id": [1, None, 3], "part": ["x", "y", "y"]}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a dataset in each form: lines/, parquet/, disk/ and splits/."""
    datasets.disable_progress_bars()
    for form in ("lines", "parquet"):
        (tmp_path / form).mkdir()
    dataset = datasets.Dataset.from_dict(ROWS)
    rows = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    (tmp_path / "lines/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset.to_parquet(tmp_path / "parquet/train.parquet")
    dataset.save_to_disk(tmp_path / "disk")
    datasets.DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "splits")
    datasets.enable_progress_bars()
    return tmp_path


def read(path: Any, fields: Fields | None = None, skipped: Skipped | None = None, **which: Any) -> list[Document]:
    which = {"subset": None, "split": "train", **which}
    return list(read_dataset(path, fields=fields or Fields(), skipped=skipped, **which))


@pytest.mark.parametrize("form", ["lines", "parquet", "disk", "splits"])
def test_the_same_documents_from_any_form(form: str, saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved / form
    assert read(str(path), Fields(split="part")) == [
        Document(TEXTS[0], "1", "x", f"{path} (train), row 1"),
        Document(TEXTS[1], None, "y", f"{path} (train), row 2"),
        Document(TEXTS[2], "3", "y", f"{path} (train), row 3"),
    ]
    with pytest.raises(InputError, match=r"no column 'prose' among 'text', 'id', 'part'; .*data\.text_field"):
        read(path, Fields("prose"))
    assert "".join(capfd.readouterr()) == "", "no bars, and nothing that the library says"
    assert not datasets.are_progress_bars_disabled()


def test_splits(saved: Path) -> None:
    assert [one.text for one in read(saved / "splits", split="test")] == TEXTS[:1]
    assert len(read(saved / "disk", split="any, since none is known")) == 3
    with pytest.raises(InputError, match="got the split 'no', expected one of 'train', 'test'"):
        read(saved / "splits", split="no")
    with pytest.raises(InputError, match=r"has no such split .*'train'.*data\.split"):
        read(saved / "lines", split="no")


def test_subsets(saved: Path) -> None:
    with pytest.raises(InputError, match=r"has no such subset.*data\.subset"):
        read(saved / "lines", subset="no")
    with pytest.raises(InputError, match="got the subset 'no' of a dataset saved to disk"):
        read(saved / "disk", subset="no")


def test_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/train.jsonl").write_text('{"text": "x"}\n{"text": ""}\n{"text": null}\n{"text": "y"}\n')
    with pytest.raises(InputError, match=r"d \(train\), row 2: an empty document; .*data\.skip_bad=true"):
        read(tmp_path / "d")
    skipped = Skipped()
    assert [one.text for one in read(tmp_path / "d", None, skipped)] == ["x", "y"]
    assert skipped.count == 2


def test_what_is_no_dataset(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for folder, name, content in [
        ("script", "script.py", "raise SystemExit('was run')"),
        ("damaged", "train.jsonl", '{"text": "a"}\n{"text": \n'),
        ("halved", "train.parquet", "PAR1"),
        ("nothing", ".x", ""),
    ]:
        (saved / folder).mkdir()
        (saved / folder / name).write_text(content)
    (saved / "disk/data-00000-of-00001.arrow").write_bytes(b"other")
    for path, message in [
        ("a-name/of-nothing", "of-nothing: cannot be had from the hub"),
        (saved / "nowhere", "is no dataset that can be found"),
        (saved / "nothing", "is no dataset that can be found"),
        (saved / "script", "cannot be read as a dataset"),
        (saved / "damaged", "cannot be read as a dataset"),
        (saved / "halved", "cannot be read as a dataset"),
        (saved / "disk", "cannot be read as a dataset"),
        (saved / "lines/train.jsonl", "got a file, expected a dataset; data=documents reads files"),
        ("json", r"^json: "),
        ("../..//x y", r"x y: "),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            read(path, None, Skipped())
        assert "\n" not in str(caught.value)
    assert "".join(capfd.readouterr()) == ""


def test_the_library_is_quiet_while_it_reads_and_as_it_was_after(
    saved: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load, bars_off = datasets.load_dataset, []
    datasets.logging.set_verbosity_warning()

    def loaded(*args: Any, **settings: Any) -> Any:
        bars_off.append(datasets.are_progress_bars_disabled())
        return load(*args, **settings)

    monkeypatch.setattr(datasets, "load_dataset", loaded)
    monkeypatch.setattr(logging.getLogger("datasets"), "handlers", [caplog.handler])
    (saved / "lines/train.jsonl").write_text("broken")
    with pytest.raises(InputError, match="cannot be read as a dataset"):
        read(saved / "lines")
    assert bars_off == [True]
    assert caplog.text == ""
    assert (datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()) == (False, logging.WARNING)


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"pip install 'tokexp\[datasets\]'"):
        read("a-name/of-one")
