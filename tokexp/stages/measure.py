"""What of a trained model is written down beside its scores: where its loss lies, its samples and how they read."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch

from tokexp.config import RunConfig
from tokexp.data.corpus import Corpus
from tokexp.model.generate import sample_chars, sample_tokens
from tokexp.model.gpt import GPT
from tokexp.scoring.baselines import baselines
from tokexp.scoring.content import content
from tokexp.scoring.restoration import Restoration
from tokexp.scoring.samples.readability import Reader
from tokexp.scoring.samples.segments import SAMPLES_SHOWN, run_segments
from tokexp.scoring.segmentations.marginal import Marginal, marginal
from tokexp.stages.prepare import PreparedRun
from tokexp.tokenizer import Tokenizer


@dataclass(frozen=True)
class Measured:
    """Rows as the files of a run's folder have them, and what all segmentations would save."""

    content: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    readability: list[dict[str, Any]]
    text: dict[str, Any]  # what belongs to the held-out text
    segmentations: Marginal | None  # None without a choice


def measure_run(run: PreparedRun, restoration: Restoration, best_weights: dict[str, torch.Tensor]) -> Measured:
    """Measure the model as it is at the end of its training; its samples are drawn with its best weights.

    The model has `best_weights` afterwards.
    """
    model, tokenizer, corpus = run.model, run.tokenizer, run.corpus
    of_content = content(model, tokenizer, run.data, corpus, restoration)
    segmentations = marginal(model, tokenizer, run.data, corpus.val.encode())
    model.load_state_dict(best_weights)
    samples = draw_samples(model, tokenizer, run.cfg)
    reader = Reader(corpus, run.cfg.sample.chars)
    return Measured(
        content=of_content,
        samples=samples,
        segments=run_segments(tokenizer, [row for row in samples if row["sample"] < SAMPLES_SHOWN], corpus),
        readability=read_samples(reader, samples),
        text=facts_of_text(corpus, reader),
        segmentations=segmentations,
    )


def draw_samples(model: GPT, tokenizer: Tokenizer, cfg: RunConfig) -> list[dict[str, Any]]:
    """The seed experiment's sample of equal tokens first, then at each temperature those of equal characters."""
    common = {"arm": cfg.arm, "seed": cfg.seed, "prompt": cfg.sample.prompt}
    by_tokens = sample_tokens(model, tokenizer, cfg.sample, seed=cfg.seed)
    rows = [{"equal": "tokens", **common, "temperature": cfg.sample.temperature, "sample": 0, "text": by_tokens}]
    for temperature in cfg.sample.temperatures:
        at = dataclasses.replace(cfg.sample, temperature=temperature)
        for i, text in enumerate(sample_chars(model, tokenizer, at, seed=cfg.seed)):
            rows.append({"equal": "chars", **common, "temperature": temperature, "sample": i, "text": text})
    return rows


def read_samples(reader: Reader, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The readability of each sample of equal characters."""
    read = [row for row in samples if row["equal"] == "chars"]
    figures = reader.read([row["text"] for row in read])
    return [
        {**{key: row[key] for key in ("temperature", "sample")}, **without_nan(figure)}
        for row, figure in zip(read, figures, strict=True)
    ]


def facts_of_text(corpus: Corpus, reader: Reader) -> dict[str, Any]:
    """What belongs to the held-out text rather than to a run on it: baselines, and how people's passages read."""
    rows = [dataclasses.asdict(baseline) for baseline in baselines(corpus)]
    return {
        "baselines": [{"baseline": row.pop("name"), **row} for row in rows],
        "chars": reader.chars,
        "human": [without_nan(row) for row in reader.human()],
    }


def without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """As JSON has them: what could not be measured is null."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
