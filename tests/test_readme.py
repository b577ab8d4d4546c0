"""What the README and docs/ say can be done is done here: their commands, options, links, and adding a tokenizer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tokexp.analysis.comparison import comparisons
from tokexp.analysis.content import sources
from tokexp.analysis.differences import differences
from tokexp.analysis.texts.counts import own_counts
from tokexp.runs.study import read_study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
ALL = "\n".join([README, *PAGES.values()])


def blocks(page: str, heading: str) -> list[str]:
    """The indented blocks under a heading, their indentation removed."""
    section = page.split(f"# {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"(?:^    .*\n|^\n+(?=    ))+", section, flags=re.MULTILINE)
    return ["\n".join(line[4:] for line in block.strip("\n").splitlines()) for block in found]


def test_the_front_page_is_short_and_begins_with_a_picture_and_the_commands() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    first_screen = "\n".join(lines[:30])
    assert "![" in first_screen
    assert "make demo" in first_screen
    assert "python -m tokexp.run -m" in first_screen


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project to change."""
    for name in ("tokexp", "conf", "sweeps", "tests", "pyproject.toml", "README.md"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(cwd), "WANDB_MODE": "disabled"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_adding_a_tokenizer_is_one_file_one_line_one_yaml(checkout: Path) -> None:
    code, line, yaml = blocks(PAGES["tokenizers.md"], "Add a tokenizer")
    (checkout / "tokexp/tokenizer/vowel.py").write_text(code + "\n")
    kinds = checkout / "tokexp/tokenizer/__init__.py"
    imported, entry = line.splitlines()
    text = kinds.read_text().replace("KINDS: dict", f"{imported}\n\nKINDS: dict", 1)
    kinds.write_text(text.replace('    "byte": ByteTokenizer,\n', f'    "byte": ByteTokenizer,\n{entry}\n', 1))
    (checkout / "conf/tokenizer/vowel.yaml").write_text(yaml + "\n")
    (checkout / "text.txt").write_text("To be, or not to be: that is the question.\n" * 60)
    tests = python("-m", "pytest", "-q", "tests/tokenizer/test_contract.py", "-k", "vowel", cwd=checkout)
    assert re.search(r"[4-9]\d passed", tests), tests
    tiny = ["model=nano", "budget.steps=3", "sample.tokens=3", "sample.count=0"]
    ran = python("-m", "tokexp.run", "tokenizer=vowel", "data=text", "data.path=text.txt", *tiny, cwd=checkout)
    assert "bits per byte held out" in ran


def test_adding_a_corpus_and_a_sweep_is_a_yaml_each(checkout: Path) -> None:
    (corpus,) = blocks(PAGES["data.md"], "Give a corpus a name")
    (sweep,) = blocks(PAGES["settings.md"], "Add a sweep")
    (checkout / "conf/data/sonnets.yaml").write_text(corpus + "\n")
    (checkout / "sweeps/batches.yaml").write_text(sweep + "\n")
    (checkout / "sonnets.txt").write_text("To be, or not to be: that is the question.\n" * 60)
    tiny = ["model=nano", "budget.steps=3", "sample.tokens=3", "sample.count=0", "tokenizer.vocab_size=270", "seed=0"]
    ran = python("-m", "tokexp.run", "-m", "sweeps=batches", "data=sonnets", *tiny, cwd=checkout)
    assert "4 of 4 runs done" in ran
    report = (checkout / "reports/batches/README.md").read_text()
    assert report.startswith("# Does a larger batch favour longer tokens?")


def test_the_table_on_the_front_is_that_of_the_study() -> None:
    (comparison,) = comparisons(read_study("tokenizer_by_size", ROOT / "reports/tokenizer_by_size/data"))
    means = comparison.means.set_axis(list(map(str, comparison.cells)))
    rows = [
        [field.strip() for field in line.split("|")[1:-1]] for line in README.splitlines() if line.startswith("| `")
    ]
    table = [row for row in rows if len(row) == 4]
    assert [row[0] for row in table] == ["`word`", "`word_cased`", "`bpe`", "`bpe_4k`", "`char`"], "best first"
    for arm, bytes_per_token, bpb, lossless in table:
        micro = means.loc[f"{arm.strip('`')} micro"]
        assert bytes_per_token == f"{micro.bytes_per_token:.2f}"
        assert bpb == f"{micro.bpb:.3f} ± {micro.bpb_half:.3f}"
        lost = micro.bpb_restoration
        assert lossless == (f"no: {lost:.3f} of its bits restore the text" if lost else "yes")


def test_the_differences_on_the_front_are_those_of_the_study() -> None:
    (comparison,) = comparisons(read_study("tokenizer_by_size", ROOT / "reports/tokenizer_by_size/data"))
    named = {(str(a), str(b)): one for (a, b), one in differences(comparison).items()}
    lead = named["word micro", "word_cased micro"]
    pair = next(pair for pair, one in differences(comparison).items() if one is lead)
    assert f"leads `word_cased` by {lead.mean:.3f}, resolved on this text" in README
    assert lead.resolved
    assert not any(named["word_cased micro", f"{other} micro"].resolved for other in ("bpe", "bpe_4k", "char"))
    heading = next(one for one in sources(comparison, *pair) if one.name == "heading")
    assert f"{heading.bits:.3f} of it lies in headings, the names of speakers, {heading.share:.0%} of the" in README
    counts = {str(cell): one for cell, one in own_counts(comparison).items()}
    assert f"reaches {counts['bpe micro'].bpb:.3f}" in " ".join(README.split())
    five = [counts[f"{arm} micro"].beaten for arm in ("word", "word_cased", "bpe", "bpe_4k", "char")]
    assert five == [True, False, False, False, False]


def test_the_pieces_on_the_front_are_those_of_the_study() -> None:
    report = (ROOT / "reports/tokenizer_by_size/README.md").read_text(encoding="utf-8").replace("`", "")
    pieces = re.findall(r"^    (\w+, \d+ pieces: .*)$", README, flags=re.MULTILINE)
    assert len(pieces) == 3
    assert all(f"- {line}│" in report for line in pieces)


def test_every_command_named_is_there() -> None:
    modules = set(re.findall(r"python -m tokexp\.(\w+)", ALL))
    assert modules == {"run", "report", "sample", "evaluate", "show", "bench", "export", "status"}
    code = (  # as `python -m` does, but with one import of torch for all
        "import runpy, sys\n"
        "for module in sys.argv[1:]:\n"
        "    sys.argv = [module, '--help']\n"
        "    try:\n"
        "        runpy.run_module(f'tokexp.{module}', run_name='__main__')\n"
        "        raise AssertionError(f'{module} prints no help')\n"
        "    except SystemExit as end:\n"
        "        assert not end.code, module\n"
        "        print('asked for help:', module)\n"
    )
    assert python("-c", code, *sorted(modules), cwd=ROOT).count("asked for help:") == len(modules)


def test_every_option_that_is_named_is_there() -> None:
    made_by_the_reader = {"data=sonnets", "tokenizer=vowel", "sweeps=batches", "data=FILE"}
    for group, name in re.findall(r"\b(data|tokenizer|model|budget|experiment|sweeps|launcher)=([a-z]\w*)", ALL):
        there = (ROOT / "conf" / group / f"{name}.yaml").is_file() or (ROOT / group / f"{name}.yaml").is_file()
        assert there or f"{group}={name}" in made_by_the_reader, f"{group}={name}"


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_every_link_leads_somewhere(page: str) -> None:
    folder, text = (ROOT, README) if page == "README.md" else (ROOT / "docs", PAGES[page])
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            assert (folder / path).exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", (folder / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
                assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_the_python_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But what trains, which other tests do: of those blocks the imports run."""
    monkeypatch.chdir(ROOT)
    ran = 0
    for block in blocks(PAGES["python.md"], "From Python"):
        trains = "compare(" in block or "run_experiment(" in block or "runs/demo" in block
        code = "\n".join(line for line in block.splitlines() if line.startswith(("import", "from")) or not trains)
        exec(
            compile(code.replace('"tokenizer.json"', repr(str(tmp_path / "tokenizer.json"))), "docs/python.md", "exec"),
            {},
        )
        ran += 1
    assert ran == 5
    frame = pd.read_csv(ROOT / "reports/tokenizer_by_size/data/results.csv")
    assert len(frame.groupby(["arm", "size"]).val_bpb.mean()) == 16
