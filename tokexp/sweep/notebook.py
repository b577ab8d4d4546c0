"""Do the main job from Python: train a model under each of some tokenizers, and compare them. Needs no Hydra."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from tokexp.config import DataConfig, InputError, RunConfig, TokenizerConfig, TrackingConfig
from tokexp.experiment import run_experiment
from tokexp.rendering.notebook import StudyReport
from tokexp.runs.study import read_study
from tokexp.runs.study.gather import collect
from tokexp.stages.prepare import identify
from tokexp.sweep.options import arm_of, tokenizer_option
from tokexp.system.device import resolve_device
from tokexp.system.files import sha256, write_text

log = logging.getLogger(__name__)

Paths = str | Path | Sequence[str | Path]
NAME = "notebook"  # of the sweep that such runs belong to


def compare(
    tokenizers: Sequence[str | TokenizerConfig] = ("char", "word", "bpe"),
    *,
    text: str | None = None,
    path: Paths | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    base: RunConfig | None = None,
    folder: str | Path = Path("runs", NAME),
) -> StudyReport:
    """Train a model for every tokenizer and seed, and report on them as `python -m tokexp.run -m` does.

    `tokenizers`: names of options of conf/tokenizer/, such as "bpe_4k", or settings of one.
    `text` or `path`: what they are compared on; without either, the corpus of `base`, by default TinyShakespeare.
    `base`: all other settings; by default those of a run, with Weights & Biases disabled.
    `folder`: where the runs are kept. One that is there already is not trained again, and one that was interrupted
    goes on from its last checkpoint.
    Raises InputError, one line, for what the user can put right, and DivergedError for a run that diverges.
    """
    if not tokenizers or not seeds:
        raise InputError("compare: got no tokenizer or no seed, expected at least one of each")
    folder = Path(folder)
    base = base or RunConfig(tracking=TrackingConfig(mode="disabled"))
    data = _data(base.data, text, path, folder)
    runs = []
    for option in tokenizers:
        arm, tokenizer = _arm(option)
        for seed in seeds:
            cfg = dataclasses.replace(base, data=data, tokenizer=tokenizer, arm=arm, seed=seed, sweep=NAME)
            runs.append(folder / identify(cfg, None, resolve_device(cfg.device)).name)
            run_experiment(cfg, runs[-1])
    for problem in collect(runs, folder / "data"):
        log.warning("left out: %s", problem)
    return StudyReport(read_study(NAME, folder / "data"))


def _data(base: DataConfig, text: str | None, path: Paths | None, folder: Path) -> DataConfig:
    """Put the text to compare on in the place of that of `base`; a text is written beside the runs."""
    if text is None and path is None:
        return base
    if text is not None and path is not None:
        raise InputError("compare: got a text and a path, expected one of them")
    if text is not None:
        path = folder / f"text-{sha256(text.encode())[:8]}.txt"
        write_text(path, text)
    return dataclasses.replace(base, name="text", path=path)


def _arm(option: str | TokenizerConfig) -> tuple[str, TokenizerConfig]:
    """Find the name and the settings of an option of conf/tokenizer/, or of settings given."""
    if isinstance(option, TokenizerConfig):
        return arm_of(option.kind, option), option
    kind, settings = tokenizer_option(option, None, None)
    tokenizer = TokenizerConfig(kind, settings.pop("vocab_size", None), settings)
    return arm_of(option, tokenizer), tokenizer
