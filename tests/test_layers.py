"""Data flows one way: a room imports only from those above it in this list. Tests stand where what they test does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tokexp"
TESTS = Path(__file__).parent
PAGES = [PACKAGE.parent / "README.md", *sorted((PACKAGE.parent / "docs").glob("*.md"))]

ROOMS = [
    "config",
    "system",
    "data",
    "tokenizer",
    "encoding",
    "model",
    "training",
    "scoring",
    "runs",
    "analysis",
    "rendering",
    "stages",
    "experiment",
    "sweep",
    "speed",
]
COMMANDS = {"run", "report", "sample", "evaluate", "export", "show", "status", "bench"}
ALL_KINDS = {"test_contract"}  # of tokenizers, which keep one contract
FILES = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_every_file_is_in_a_room_or_is_a_command() -> None:
    assert {parts[0] for parts in FILES.values()} == {*ROOMS, *COMMANDS, "__init__", "results"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    below = {*ROOMS[ROOMS.index(room) + 1 :], *COMMANDS, "results"}
    for path, parts in FILES.items():
        if parts[0] == room:
            wrong = {name for name in imports(path) if name.startswith("tokexp.") and name.split(".")[1] in below}
            assert not wrong, f"{path} imports {wrong}, which stand below {room}"


@pytest.mark.parametrize("room", ["analysis", "rendering"])
def test_reports_need_no_torch(room: str) -> None:
    for path, parts in FILES.items():
        if parts[0] == room:
            assert not {name for name in imports(path) if name.split(".")[0] in ("torch", "hydra", "wandb")}, path


def test_only_the_sweep_and_its_command_know_hydra() -> None:
    who = {parts[0] for path, parts in FILES.items() if any(i.split(".")[0] == "hydra" for i in imports(path))}
    assert who == {"sweep", "run"}


def test_a_room_can_be_seen_at_once() -> None:
    for folder in {path.parent for path in FILES}:
        assert len(list(folder.glob("*.py"))) <= 12, folder
    for path in FILES:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{path}: {node.name}"


def test_a_modules_tests_are_found_by_its_name() -> None:
    """tests/ROOM/test_x.py tests tokexp/ROOM/x.py, or ROOM/x/; what is about several rooms stands flat in tests/."""
    for path in TESTS.rglob("test_*.py"):
        folder = path.parent.relative_to(TESTS)
        if folder != Path() and path.stem not in ALL_KINDS:
            module = PACKAGE / folder / path.stem.removeprefix("test_")
            assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file(), path


def test_paths_in_docstrings_and_on_the_front_are_there() -> None:
    """A path in backticks is one from the checkout, from the package or from the folder of who names it."""
    root, made_by_the_reader = PACKAGE.parent, {"sonnets.yaml", "batches.yaml", "NAME.yaml", "vowel.py", "vowel.yaml"}
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [(root, page.read_text()) for page in PAGES]
    for path in FILES:
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, documented)]
        texts += [(path.parent, ast.get_docstring(node) or "") for node in nodes]
    for folder, text in texts:
        for name in re.findall(r"`([\w./-]+\.py|(?:tokexp|conf|tests|docs|sweeps)/[\w./-]*)`", text):
            there = any((base / name).exists() for base in (root, PACKAGE, folder))
            assert there or Path(name).name in made_by_the_reader, f"{folder}: {name}"


def test_one_module_names_the_files_of_a_run_and_of_a_study() -> None:
    from tokexp.runs import files

    names = {value for key, value in vars(files).items() if key.isupper() and isinstance(value, str)} - {"checkpoints"}
    names -= {files.TOKENIZER}  # the cache and Hugging Face's folders have one of that name
    for path, parts in FILES.items():
        if parts[0] in ("runs", "stages", "sweep", "experiment", "status", "analysis", "rendering"):
            spelled = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
            assert parts == ("runs", "files") or not spelled & names, f"{path} spells {spelled & names}"


def test_files_that_the_docs_name_are_there() -> None:
    example = "tokexp/tokenizer/vowel.py"  # which docs/tokenizers.md shows how to write
    for path in (*PAGES, *FILES):
        named = set(re.findall(r"`(tokexp/[\w/]+\.py)`", path.read_text())) - {example}
        assert all((PACKAGE.parent / name).is_file() for name in named), f"{path} names {named}"
