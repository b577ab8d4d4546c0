"""The names of sweeps and runs: the same command has the same, whatever the order of its words."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from tokexp.runs.identity import is_unnamed
from tokexp.sweep.with_hydra.naming import keep_labels, run_labels, sweep_name


def jobs(*words: str) -> list[list[str]]:
    """Every combination of the values that the words list."""
    every: list[list[str]] = [[]]
    for word in words:
        key, _, values = word.partition("=")
        every = [[*job, f"{key}={value}"] for job in every for value in values.split(",")]
    return every


def test_the_command_of_the_readme_is_called_demo() -> None:
    assert sweep_name(jobs("tokenizer=char,word,bpe")) == "demo"
    assert sweep_name(jobs("data=pydoc", "tokenizer=bpe,word,char", "budget.steps=9")) == "demo"
    assert sweep_name(jobs("tokenizer=char,word")) != "demo"
    assert sweep_name(jobs("tokenizer=char,word,bpe", "seed=0,1")) == "demo", "more seeds add to the same report"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["tokenizer.vocab_size=512,1024"], "vocab_size"),
        (["seed=0,1", "train.lr=1e-3,1e-2", "tokenizer=char,bpe", "model=nano"], "tokenizer-lr"),
        (["tokenizer=char"], "run"),
        (["seed=0,1"], "run"),
        (["data.path='a b.txt','\u00e9'", "device=cpu,cuda"], "path"),
    ],
)
def test_a_sweep_is_called_by_what_it_varies(words: list[str], name: str) -> None:
    assert is_unnamed(sweep_name(jobs(*words)))
    assert re.fullmatch(name + "-[a-f][0-9a-f]{3}", sweep_name(jobs(*words)))
    assert not is_unnamed(f"{name}-2026"), "a year is a name that somebody gave"


def test_a_name_is_of_what_changes_figures() -> None:
    name = sweep_name(jobs("seed=0,1", "tokenizer=char,bpe"))
    assert sweep_name(jobs("tokenizer=bpe,char", "seed=1,0")) == name, "order does not matter"
    assert sweep_name(jobs("seed=0,1", "tokenizer=char,bpe", "tracking.mode=offline", "rerun=true")) == name
    assert sweep_name(jobs("seed=0,1", "tokenizer=char,bpe", "budget.steps=7")) != name
    assert sweep_name(jobs("seed=0,1,2", "tokenizer=char,bpe")) == name, "more seeds add to the same report"


def test_a_run_is_called_by_what_its_sweep_varies() -> None:
    assert run_labels(jobs("tokenizer=char,bpe", "seed=0,1", "model=nano,micro", "budget.steps=7")) == [""] * 8
    assert run_labels(jobs("tokenizer.vocab_size=512,4096")) == ["v512", "v4096"]
    varied = run_labels(jobs("train.lr=1e-3,2e-3", "seed=0", "data.block_bytes=null,64"))
    assert varied == [f"block_bytes-{size}-lr-{lr}" for lr in ("1e-3", "2e-3") for size in ("null", "64")]
    (label, _) = run_labels(jobs("sample.prompt='KING: \u00e9 speak',x", "data.path=/a/b/" + "c" * 99 + ".txt,/d"))[::2]
    assert label == f"path-{'c' * 24}-prompt-KING_speak"


def test_what_a_sweep_has_done_keeps_its_name_as_it_grows() -> None:
    def spec(label: str, digest: str) -> Any:
        return SimpleNamespace(asked=SimpleNamespace(arm="bpe", size="nano", seed=0, label=label), config_hash=digest)

    asked = [["train.lr=1e-3", "label=lr-1e-3"], ["train.lr=2e-3", "label=lr-2e-3"], ["train.lr=3e-3", "label=lr-3e-3"]]
    runs = [spec("lr-1e-3", "a" * 64), spec("lr-2e-3", "b" * 64), spec("lr-3e-3", "c" * 64)]
    names = ["bpe-nano-s0-aaaaaaaa", "bpe-nano-v300-s0-bbbbbbbb", "other-s0-cccccccc"]
    assert keep_labels(asked, runs, names) == [
        ["train.lr=1e-3", "label="], ["train.lr=2e-3", "label=v300"], ["train.lr=3e-3", "label=lr-3e-3"],
    ]  # fmt: skip
