"""The tables of a report: those that have something to say, in files that machines can read."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from made_up import HOSTILE, compared, run, seeds, several, study, whole_study, with_samples

from tokexp.analysis.comparison import comparisons
from tokexp.rendering.tables.forms import numbers
from tokexp.rendering.tables.sections import SECTIONS, tables_of, tables_of_study, write_tables
from tokexp.rendering.text import plain
from tokexp.runs.study import Study

ROOT = Path(__file__).parents[3]


def names(made: Study) -> list[str]:
    return [section.name for section, _ in tables_of(compared(made))]


def test_one_run_alone_makes_a_report() -> None:
    assert {"bits_per_byte", "views", "cost"} <= set(names(study([run("char")])))
    assert not {"differences", "insights", "ticked_by_eye"} & set(names(study([run("char")])))


def test_every_section_says_what_it_found() -> None:
    made = with_samples(whole_study(several()), {"char": 1.0, "bpe": 2.0, "words": 3.0})
    comparison = compared(made)
    found = {section.name: plain(section.finding(comparison, table)) for section, table in tables_of(comparison)}
    assert found["bits_per_byte"] == "bpe needs the fewest, 2.200; words the most, 2.300."
    assert found["differences"] == "0 of 3 pairs are resolved."
    assert found["place"] == "For bpe, spacing (2.05) costs the most and heading (1.05) the least."
    assert found["readability"].startswith("The samples of char are nearest to human text, 1.0")
    assert all(text.endswith(".") for text in found.values())


def test_a_section_without_a_word_to_say_is_left_out() -> None:
    made = with_samples(seeds(0.5), {"char": 1.0, "bpe": 2.0})
    assert "readability" in names(made)
    human = made.readability.name == ""
    few = dataclasses.replace(made, readability=made.readability[~human | (human.cumsum() <= 4)])
    assert "readability" not in names(few)


def test_every_section_has_a_name_of_its_own() -> None:
    files = [section.name for section in SECTIONS]
    assert len(set(files)) == len(files)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables(tables_of_study(whole_study([*several(), *(run(name) for name in HOSTILE)])), folder)
    return folder


def test_csv_has_a_number_a_column(tables: Path) -> None:
    """No interval is written into a field, and no emphasis; the names alone are as they are."""
    files = sorted(tables.glob("*.csv"))
    assert len(files) >= 10
    for path in files:
        text = path.read_text()
        for name in sorted(HOSTILE, key=len, reverse=True):  # of which one is in another
            text = text.replace(name, "")
        assert not set(text) & set("±*"), path
        frame = pd.read_csv(path)
        assert len(frame.columns) == len(set(frame.columns))
        assert set(frame.val_sha256) == {"text"}
        for column in frame.select_dtypes(exclude="number"):
            assert pd.to_numeric(frame[column].dropna(), errors="coerce").isna().all(), (path, column)


def test_csv_reads_back_to_the_values(tables: Path) -> None:
    comparison = compared(whole_study([*several(), *(run(name) for name in HOSTILE)]))
    for section, table in tables_of(comparison):
        made = numbers(section.for_machines(comparison) if section.for_machines else table)
        read = pd.read_csv(tables / f"{section.name}.csv")
        assert list(read) == [*made, "corpus", "val_sha256"]
        for column in made:
            if pd.api.types.is_numeric_dtype(read[column]):
                wanted = pd.to_numeric(made[column])
                assert read[column].tolist() == pytest.approx(wanted.tolist(), rel=1e-7, nan_ok=True), section.name
            else:
                assert read[column].fillna("").astype(str).tolist() == made[column].fillna("").astype(str).tolist()


def test_every_text_has_its_rows(tmp_path: Path) -> None:
    other = run("char", name="elsewhere", config_hash="elsewhere", corpus="b", val_sha256="b")
    made = study([*several(), other])
    assert len(comparisons(made)) == 2
    write_tables(tables_of_study(made), tmp_path)
    frame = pd.read_csv(tmp_path / "bits_per_byte.csv")
    assert frame.corpus.value_counts().to_dict() == {"text": 3, "b": 1}
    assert (tmp_path / "bits_per_byte.md").read_text().count("### ") == 2
    assert set(pd.read_csv(tmp_path / "differences.csv").corpus) == {"text"}


def test_files_of_former_names_go(tmp_path: Path) -> None:
    (tmp_path / "stretches.csv").write_text("")
    write_tables(tables_of_study(study([run("char")])), tmp_path)
    assert not (tmp_path / "stretches.csv").exists()
    assert (tmp_path / "cost.csv").exists()


def test_latex_is_written_but_not_committed(tables: Path) -> None:
    assert {path.stem for path in tables.glob("*.tex")} == {path.stem for path in tables.glob("*.csv")}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/reports/*/tables/*.tex" in ignored
    if (ROOT / ".git").exists():
        command = ["git", "check-ignore", "-q", "--no-index", "reports/any/tables/x.tex"]
        assert subprocess.run(command, cwd=ROOT).returncode == 0
