"""Data flows one way: a module imports only from those above it in this list."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tokexp"

ORDER = [
    "config",
    "command",
    "files",
    "provenance",
    "corpus",
    "cache",
    "tokenizer.base",
    "tokenizer.split",
    "tokenizer.merges",
    "tokenizer.byte",
    "tokenizer.char",
    "tokenizer.word",
    "tokenizer.word_cased",
    "tokenizer.bpe",
    "tokenizer.bpe_fallback",
    "tokenizer.bpe_classic",
    "tokenizer.gpt2",
    "tokenizer.hf",
    "tokenizer.sp",
    "tokenizer.file",
    "tokenizer.export",
    "tokenizer",
    "blocks",
    "ngram",
    "model",
    "architecture",
    "budget",
    "results",
    "hf",
    "state",
    "tracking",
    "tokens",
    "restoration",
    "intrinsic",
    "baselines",
    "evaluate",
    "content",
    "segmentation",
    "device",
    "distributed",
    "loss",
    "stepper",
    "train",
    "checkpoint",
    "generate",
    "readability",
    "segments",
    "runfolder",
    "interrupt",
    "progress",
    "measure",
    "analysis.store",
    "analysis.statistics",
    "analysis.tables",
    "analysis.views",
    "analysis.differences",
    "analysis.beside",
    "analysis.stretches",
    "analysis.content",
    "analysis.readability",
    "analysis.prediction",
    "analysis.insights",
    "analysis.optimum",
    "analysis.original",
    "analysis.sections",
    "analysis.style",
    "analysis.layout",
    "analysis.panels",
    "analysis.figures",
    "analysis.page",
    "analysis.drawn",
    "analysis.passage",
    "analysis.html",
    "analysis.shelf",
    "report",
    "experiment",
    "together",
    "dry",
    "status",
    "sweep",
    "run",
    "sample",
    "export",
    "show",
    "bench",
]


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name not in ("", "analysis"):
            found[name] = path
    return found


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_every_module_has_its_place() -> None:
    assert sorted(modules()) == sorted(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_imports_run_one_way(name: str) -> None:
    inside = {i.removeprefix("tokexp.") for i in imports(modules()[name]) if i.startswith("tokexp.")}
    below = {i for i in inside if i in ORDER and ORDER.index(i) >= ORDER.index(name)}
    assert not below, f"{name} imports {below}, which stand below it"


@pytest.mark.parametrize("name", [m for m in ORDER if m.startswith("analysis.")])
def test_analysis_never_names_torch(name: str) -> None:
    assert not {i for i in imports(modules()[name]) if i.split(".")[0] in ("torch", "hydra", "wandb")}


def test_only_the_command_line_knows_hydra() -> None:
    who = {name for name, path in modules().items() if any(i.split(".")[0] == "hydra" for i in imports(path))}
    assert who == {"sweep", "run"}
