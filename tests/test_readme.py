"""What the README says can be done is done here: the commands it names, and adding a tokenizer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    for name in ("tokexp", "conf", "tests", "pyproject.toml", "README.md"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
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
    tests = python("-m", "pytest", "-q", "tests/test_tokenizers.py", "-k", "vowel", cwd=checkout)
    assert re.search(r"[4-9]\d passed", tests), tests
    tiny = ["model=nano", "budget.steps=3", "sample.tokens=3", "sample.count=0"]
    ran = python("-m", "tokexp.run", "tokenizer=vowel", "data=text", "data.path=text.txt", *tiny, cwd=checkout)
    assert "bits per byte held out" in ran


def test_every_command_named_is_there() -> None:
    modules = set(re.findall(r"python -m tokexp\.(\w+)", README))
    assert modules == {"run", "report", "sample", "evaluate", "show", "bench", "export", "status"}
    for module in modules:
        python("-m", f"tokexp.{module}", "--help", cwd=ROOT)


def test_every_option_in_the_tables_is_there() -> None:
    rest = README.split("## Add a tokenizer")[0]
    for group, name in re.findall(r"`(data|tokenizer|model|budget|experiment|sweeps)=(\w+)", rest):
        assert (ROOT / "conf" / group / f"{name}.yaml").is_file(), f"{group}={name}"
    for path in re.findall(r"`((?:tokexp|conf|reports)/[\w./]+)`", rest):
        assert (ROOT / path).exists() or path.startswith("reports/demo"), path
