"""A report, from the data of a made-up study alone."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from made_up import several, whole_study, write_data

from tokexp.config import InputError
from tokexp.rendering.report import write_report
from tokexp.rendering.text import from_json, markdown


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    write_data(whole_study(several()), folder / "made-up/data")
    assert write_report("made-up", [], folder) == folder / "made-up/README.md"
    return folder


def test_the_data_alone_make_a_report(reports: Path) -> None:
    folder = reports / "made-up"
    assert {path.name for path in folder.iterdir() if path.name != ".lock"} == {
        "data", "figures", "tables", "README.md", "index.html", "summary.json",
    }  # fmt: skip
    for picture in ("ranking_0", "bits_per_byte_0", "with_baselines_0", "forest_0", "content_0", "human_band_0"):
        assert (folder / f"figures/{picture}.png").exists()
        assert f"figures/{picture}.png" in (folder / "README.md").read_text()
    assert "made-up" in (reports / "README.md").read_text()
    assert "made-up" in (reports / "index.html").read_text()


def test_the_summary_has_the_answer_in_parts(reports: Path) -> None:
    summary = json.loads((reports / "made-up/summary.json").read_bytes())
    assert (summary["question"], summary["runs"], len(summary["parts"])) == ("", 6, 1)
    first = markdown(from_json(summary["parts"][0]["answer"][0]))
    assert first.startswith("No tokenizer leads: `bpe` is ahead of `char` by 0.050")
    assert f"\n{first}\n" in (reports / "made-up/README.md").read_text()
    assert first in (reports / "README.md").read_text()


def test_no_csv_has_an_interval_in_a_field(reports: Path) -> None:
    for path in (reports / "made-up/tables").glob("*.csv"):
        assert not set(path.read_text()) & set("±*"), path
    frame = pd.read_csv(reports / "made-up/tables/bits_per_byte.csv").set_index("run")
    assert frame.bpb["bpe"] == pytest.approx(2.2)
    assert frame.bpb_half["bpe"] == pytest.approx(12.706 * 0.05, rel=1e-3)


def test_a_report_is_written_alike_again(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the pictures, which take long and are tested by themselves."""
    monkeypatch.setattr("tokexp.rendering.report.draw_figures", lambda comparisons, folder: None)
    files = [path for path in sorted(reports.rglob("*")) if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    write_report("made-up", [], reports)
    assert {path: path.read_bytes() for path in files} == before


def test_without_runs_and_data_there_is_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        write_report("nothing", [], tmp_path)
    assert not list(tmp_path.iterdir())
