"""`conf/`: every option composes, and what it says is what `config.py` says."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from tokexp.config import GROUP_TYPES, RunConfig, from_dict, to_dict
from tokexp.config.chosen import Chosen
from tokexp.data.shakespeare import PLAYS
from tokexp.runs import identity
from tokexp.runs.identity import config_hash
from tokexp.sweep.with_hydra import schema
from tokexp.sweep.with_hydra.naming import run_labels
from tokexp.sweep.with_hydra.planning import list_jobs
from tokexp.sweep.with_hydra.sweeper import register
from tokexp.system.places import ROOT
from tokexp.tokenizer import KINDS, check_settings
from tokexp.tokenizer.bpe import BPETokenizer

CONF = ROOT / "conf"
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.glob("*/*.yaml"))


@pytest.fixture(autouse=True)
def hydra_started() -> Iterator[None]:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


def composed(*overrides: str) -> RunConfig:
    cfg = compose("config", [*overrides, "hydra.mode=RUN"], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return schema.to_config(cfg)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option: str) -> None:
    group, name = option.split("/")
    cfg = composed(f"{group}={name}")
    assert cfg.sweep == (name if group == "sweeps" else "single")
    check_settings(cfg.tokenizer.kind, cfg.tokenizer.train_settings())


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_says_what_it_is_for(option: str) -> None:
    lines = (CONF / f"{option}.yaml").read_text().splitlines()
    assert next(line for line in lines if line != "# @package _global_").startswith("# ")


def test_defaults_are_those_of_the_dataclasses() -> None:
    cfg, plain = composed(), RunConfig()
    assert cfg.tuned, "conf's own choices, which were made on TinyShakespeare"
    ours = dataclasses.replace(cfg, tokenizer=plain.tokenizer, arm=plain.arm, size=plain.size, tuned=[])
    assert ours == plain
    assert cfg.arm == cfg.tokenizer.kind == plain.tokenizer.kind
    learned = inspect.signature(BPETokenizer.train).parameters
    assert cfg.tokenizer.train_settings() == {"vocab_size": learned["vocab_size"].default, "pattern": "gpt2"}
    assert cfg.size == "micro"


TUNED = [path.stem for path in sorted(ROOT.glob("sweeps/*.yaml")) if "\ntuned:" in path.read_text()]


@pytest.mark.parametrize("overrides", [(), *((f"sweeps={name}",) for name in TUNED)])
def test_what_was_chosen_is_said_in_a_form_and_holds(overrides: tuple[str, ...]) -> None:
    """A report lists what is still as chosen: a value that is not would be lost."""
    cfg = composed(*overrides)
    settings = {"model": cfg.size, "train.lr": cfg.train.lr, "tokenizer.vocab_size": cfg.tokenizer.vocab_size,
                "model.dropout": cfg.model.dropout, "budget.steps": cfg.budget.steps}  # fmt: skip
    assert cfg.tuned
    for line in cfg.tuned:
        chosen = Chosen.of(line)
        assert chosen is not None, line
        assert chosen.is_at(settings[chosen.setting]), line


def test_dry_is_a_matter_of_the_command_and_of_no_run() -> None:
    assert composed("dry=true") == composed()
    older = {**to_dict(RunConfig()), "dry": False}
    assert from_dict(older) == RunConfig(), "a folder from before can be read"


def test_every_kind_has_an_option() -> None:
    assert {composed(f"tokenizer={path.stem}").tokenizer.kind for path in CONF.glob("tokenizer/*.yaml")} == set(KINDS)


def test_groups_are_the_dataclasses() -> None:
    groups = {path.parent.name for path in CONF.glob("*/*.yaml")}
    assert groups - {"experiment", "launcher", "sweeps"} == set(GROUP_TYPES)
    stems = {kind.__name__.removesuffix("Config").lower() for kind in GROUP_TYPES.values()}
    assert stems == set(GROUP_TYPES) == {f.name for f in dataclasses.fields(RunConfig)} & set(GROUP_TYPES)


def test_seed_experiment_is_the_original() -> None:
    cfg = composed("experiment=seed", "tokenizer=word")
    assert (cfg.model.n_layer, cfg.model.n_head, cfg.model.n_embd, cfg.model.block_size) == (4, 4, 256, 128)
    assert (cfg.model.dropout, cfg.model.tie_weights) == (0.0, False)
    train = cfg.train
    assert (train.batch_size, train.lr, train.min_lr, train.warmup_steps) == (16, 3e-4, 3e-5, 800)
    assert (train.grad_clip, train.eval_every, train.schedule) == (1.0, 200, "cosine")
    assert (cfg.budget.steps, cfg.tokenizer.vocab_size) == (8000, 6551)
    assert (cfg.sample.prompt, cfg.sample.tokens, cfg.sample.temperature) == ("KING", 500, 0.8)


TRAIN_SHA256 = "a9e24e23a1ec77744dad26844bfd5a09b6e041954e1eef0000e7f24cba6db735"  # of TinyShakespeare
STUDIES = sorted(path.parent.name for path in ROOT.glob("reports/*/data"))
COMMITTED = [name for name in STUDIES if (ROOT / f"sweeps/{name}.yaml").is_file() and name != "smoke"]  # demo is not


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_sweeps_have_the_settings_that_they_had(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes of their results: else what is committed would count as not done, and be trained again."""
    rows = pd.read_csv(ROOT / f"reports/{name}/data/results.csv", dtype=str).set_index("config_hash")
    (val_sha256,) = set(rows.val_sha256)
    (version,) = set(rows.get("results_version", pd.Series(["2"])).fillna("2"))  # older ones do not say it
    monkeypatch.setattr(identity, "RESULTS_VERSION", int(float(version)))
    parts = {"train": SimpleNamespace(n_bytes=1_003_854), "val": SimpleNamespace(n_bytes=111_540)}
    corpus: Any = SimpleNamespace(hashes={"train_sha256": TRAIN_SHA256, "val_sha256": val_sha256}, **parts)
    loader = GlobalHydra.instance().config_loader()
    params = compose("config", [f"sweeps={name}", "hydra.mode=RUN"], return_hydra_config=True).hydra.sweeper.params
    jobs = list_jobs(loader, [f"{key}={value}" for key, value in params.items()])
    for job in (jobs[0], jobs[-1]) if len(rows) >= len(jobs) else jobs[:1]:  # of some not all is done
        cfg = composed(f"sweeps={name}", *job)
        assert {config_hash(cfg, corpus, precision) for precision in set(rows.precision)} & set(rows.index), job


def test_the_plays_are_left_out_one_after_another_and_the_seeds_beside_each_other() -> None:
    loader = GlobalHydra.instance().config_loader()
    made = compose("config", ["sweeps=leave_one_play_out", "hydra.mode=RUN"], return_hydra_config=True)
    jobs = list_jobs(loader, [f"{key}={value}" for key, value in made.hydra.sweeper.params.items()])
    cfgs = [composed("sweeps=leave_one_play_out", *job) for job in jobs[:: len(jobs) // len(PLAYS)]]
    assert [cfg.data.test_ids for cfg in cfgs] == [[play] for play in PLAYS]
    assert {(cfg.data.name, cfg.data.val_ids, cfg.size) for cfg in cfgs} == {("plays", None, "nano")}
    assert set(run_labels(jobs)) == {f"test_ids-{play}" for play in PLAYS}
    assert composed("sweeps=leave_one_play_out", "model=micro").size == "micro"


def test_the_environment_goes_before_a_yaml_and_the_command_line_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert composed("tracking.mode=disabled").tracking.mode == "disabled"
    assert composed().tracking.mode == "auto", "which leaves it to the environment"
    monkeypatch.setattr(schema, "_plain", lambda value, plain=schema._plain: {**plain(value), "mode": "online"}
                        if "project" in (value if hasattr(value, "keys") else {}) else plain(value))  # fmt: skip
    assert composed().tracking.mode == "auto", "though the yaml says online"
    monkeypatch.delenv("WANDB_MODE")
    assert composed().tracking.mode == "online"


def test_names_that_others_type() -> None:
    names = [
        "seed=1", "device=cpu", "sweep=mine", "rerun=true", "data.path=x", "tokenizer.vocab_size=300",
        "model.n_layer=1", "model.n_head=1", "model.n_embd=8", "model.block_size=4", "model.tie_weights=true",
        "model.dropout=0.1", "train.batch_size=2", "train.lr=0.1", "train.min_lr=0", "train.warmup_steps=0",
        "train.weight_decay=0", "train.grad_clip=2", "train.eval_every=1", "train.compile=never", "budget.steps=5",
        "sample.temperature=1", "sample.top_k=3", "sample.top_p=0.5", "tracking.mode=offline",
    ]  # fmt: skip
    assert composed(*names).sweep == "mine"
    for size in ("nano", "micro", "small", "baby", "gpt2"):
        assert composed(f"model={size}").size == size
    for budget in ("bytes", "flops", "epochs"):
        assert getattr(composed(f"budget={budget}").budget, budget) > 0
    assert composed("data=text", f"data.path=[{Path('a.txt')},b.txt]").data.path == [
        str(Path("a.txt").absolute()),
        str(Path("b.txt").absolute()),
    ]
