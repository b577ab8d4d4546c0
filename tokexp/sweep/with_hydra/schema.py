"""Make `RunConfig` of Hydra's settings: the schema of `conf/`, and the resolvers of its yaml."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, DictConfig, OmegaConf

from tokexp.config import GROUP_TYPES, BudgetConfig, RunConfig, TokenizerConfig, from_dict
from tokexp.runs.identity import SINGLE
from tokexp.stages.prepare import RunSpec, identify
from tokexp.sweep.options import arm_of
from tokexp.system.device import cores, resolve_device
from tokexp.tokenizer import check_settings


@dataclass(frozen=True)
class Schema(RunConfig):
    """`RunConfig` as Hydra checks it, with the settings of the command itself."""

    # Its settings are those that its yaml lists, and this one, which every kind has.
    tokenizer: Any = field(default_factory=lambda: {"train_bytes": TokenizerConfig().train_bytes})
    budget: BudgetConfig = MISSING
    dry: bool = False  # say what would be trained, and what it would cost, and train nothing


def register_schema() -> None:
    """Tell Hydra of the schema and the resolvers. Harmless when done twice."""
    schema = OmegaConf.structured(Schema)
    OmegaConf.set_readonly(schema, None)  # frozen dataclasses would refuse every override
    for group in GROUP_TYPES:
        if isinstance(schema._get_node(group), DictConfig):
            OmegaConf.set_readonly(schema._get_node(group), None)
    ConfigStore.instance().store(name="schema", node=schema)
    OmegaConf.register_new_resolver("sweep_name", _sweep_name, replace=True)
    OmegaConf.register_new_resolver("run_name", _run_name, replace=True)
    OmegaConf.register_new_resolver("cores", cores, replace=True)


def _sweep_name() -> str:
    """The name of a named sweep; another multirun is given its name by the sweeper."""
    named: str | None = HydraConfig.get().runtime.choices.get("sweeps")
    return named or SINGLE


def _run_name(*, _root_: DictConfig) -> str:
    return check_run(to_config(_root_)).name


def to_config(composed: DictConfig) -> RunConfig:
    """Make of what Hydra composed plain dataclasses. Raises InputError for a value that cannot be."""
    tree = {str(key): _plain(composed[key]) for key in composed if key not in ("hydra", "dry")}
    typed = any(word.startswith("tracking.mode=") for word in HydraConfig.get().overrides.task)
    if os.environ.get("WANDB_MODE") and not typed:
        tree["tracking"]["mode"] = "auto"  # the environment goes before a yaml, and the command line before both
    cfg = from_dict(tree)
    return dataclasses.replace(cfg, arm=arm_of(cfg.arm, cfg.tokenizer))


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def check_run(cfg: RunConfig, folder: Path | None = None) -> RunSpec:
    """Identify the run that `cfg` describes. Raises InputError for all that can be known before it starts."""
    check_settings(cfg.tokenizer.kind, cfg.tokenizer.train_settings())
    return identify(cfg, folder, resolve_device(cfg.device))


def make_current(composed: DictConfig) -> DictConfig:
    """Make `composed` the settings that ${hydra:...} speaks of."""
    HydraConfig.instance().set_config(composed)
    return composed
