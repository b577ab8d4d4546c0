"""What the README says can be done is done here: the commands it names, and adding a tokenizer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tokexp.analysis.comparison import comparisons
from tokexp.runs.study import read_study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(heading: str) -> list[str]:
    """The indented blocks under a heading, their indentation removed."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"(?:^    .*\n|^\n+(?=    ))+", section, flags=re.MULTILINE)
    return ["\n".join(line[4:] for line in block.strip("\n").splitlines()) for block in found]


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
    code, line, yaml = blocks("Add a tokenizer")
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
    corpus, sweep = blocks("Add a corpus, a sweep")
    (checkout / "conf/data/plays.yaml").write_text(corpus + "\n")
    (checkout / "sweeps/batches.yaml").write_text(sweep + "\n")
    (checkout / "plays.txt").write_text("To be, or not to be: that is the question.\n" * 60)
    tiny = ["model=nano", "budget.steps=3", "sample.tokens=3", "sample.count=0", "tokenizer.vocab_size=270", "seed=0"]
    ran = python("-m", "tokexp.run", "-m", "sweeps=batches", "data=plays", *tiny, cwd=checkout)
    assert "4 of 4 runs done" in ran
    report = (checkout / "reports/batches/README.md").read_text()
    assert report.startswith("# batches: Does a larger batch favour longer tokens?")


def test_the_table_on_the_front_is_that_of_the_study() -> None:
    study = read_study("tokenizer_by_size", ROOT / "reports/tokenizer_by_size/data")
    (comparison,) = comparisons(study)
    means = comparison.means.set_axis(list(map(str, comparison.cells)))
    table = [line for line in README.split("## Start")[0].splitlines() if re.match(r"\| [`*]", line)]
    rows = [line for line in table if line.startswith("| `")]
    for row, cell in zip(rows, [name for name in means.index if name.endswith(" micro")], strict=True):
        arm = cell.removesuffix(" micro")
        nano, micro = means.loc[f"{arm} nano"], means.loc[cell]
        found = [f"`{arm}`", f"{micro.vocab_size:,.0f}", f"{micro.bytes_per_token:.2f}"]
        found += [f"{size.val_bpb:.3f} ± {size.val_bpb_half:.3f}" for size in (nano, micro)]
        found += [
            f"{micro.val_bpb_restoration:.3f}" if micro.val_bpb_restoration else "",
            f"{micro.params_total / 1e6:.2f}M",
        ]
        found += [f"{1 - micro.params_body / micro.params_total:.0%}", f"{micro.flops:.1e}"]
        assert [cell.strip() for cell in row.split("|")[1:-1]] == found
    beside = {f"*{row.baseline} ({row.family})*": f"{row.val_bpb:.3f}" for row in study.baselines.itertuples()}
    others = [[cell.strip() for cell in line.split("|")[1:]] for line in table if line not in rows]
    assert len(others) == 3
    assert all(beside[name] == nano == micro for name, _, _, nano, micro, *_ in others)
    totals = [float(line.split("|")[5].split()[0]) for line in table]
    assert totals == sorted(totals)


def test_the_pieces_on_the_front_are_those_of_the_study() -> None:
    report = (ROOT / "reports/tokenizer_by_size/README.md").read_text(encoding="utf-8").replace("`", "")
    pieces = re.findall(r"^    (\w+, \d+ pieces: .*)$", README, flags=re.MULTILINE)
    assert len(pieces) == 3
    assert all(f"- {line}│" in report for line in pieces)


def test_every_command_named_is_there() -> None:
    modules = set(re.findall(r"python -m tokexp\.(\w+)", README))
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


def test_every_option_in_the_tables_is_there() -> None:
    rest = README.split("## Add a corpus")[0]
    for group, name in re.findall(r"`(data|tokenizer|model|budget|experiment|sweeps|launcher)=(\w+)", rest):
        assert (ROOT / "conf" / group / f"{name}.yaml").is_file(), f"{group}={name}"
    for path in re.findall(r"`((?:tokexp|conf|reports)/[\w./]+)`", rest):
        built = path.startswith("reports/demo") or path.endswith("index.html")  # and not committed
        assert built or (ROOT / path).exists(), path
