"""Measure of a trained model what its scores do not say: where its loss lies, its samples and how they read."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tokexp.config import SampleConfig
from tokexp.data.corpus import SCORED_BYTES, Corpus
from tokexp.model.generate import sample_chars, sample_tokens
from tokexp.model.gpt import GPT
from tokexp.runs.files import CONTENT, COUNTS, HELD_OUT, READABILITY, SAMPLES, SEGMENTS, TEXTS, write_lines
from tokexp.runs.progress import Phases
from tokexp.scoring.baselines import baselines
from tokexp.scoring.content import byte_bits, content
from tokexp.scoring.counts import TokenCounts, token_counts
from tokexp.scoring.restoration import Restoration
from tokexp.scoring.samples.readability import Reader
from tokexp.scoring.samples.segments import SAMPLES_SHOWN, run_segments
from tokexp.scoring.segmentations.marginal import Marginal, marginal
from tokexp.scoring.target import Target
from tokexp.stages.prepare import PreparedRun
from tokexp.system.files import write_json
from tokexp.tokenizer import Tokenizer
from tokexp.training.record import TextScore


@dataclass(frozen=True)
class Measured:
    """Rows as the files of a run's folder have them, and what all segmentations would save."""

    content: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    readability: list[dict[str, Any]]
    held_out_facts: dict[str, Any]  # about the text alone, the same for every run on it
    segmentations: Marginal | None  # None without a choice
    texts: list[TextScore]  # the scores of the held-out texts, what is ranked first
    counts: TokenCounts

    def write(self, folder: Path) -> None:
        """Write the rows and facts to their files in a run's folder."""
        rows = {CONTENT: self.content, SAMPLES: self.samples, SEGMENTS: self.segments, READABILITY: self.readability}
        for name, lines in rows.items():
            write_lines(folder / name, lines)
        write_json(folder / HELD_OUT, self.held_out_facts)
        write_json(folder / COUNTS, dataclasses.asdict(self.counts))
        write_lines(folder / TEXTS, [dataclasses.asdict(text) for text in self.texts])


def measure_run(
    run: PreparedRun,
    targets: dict[str, Target],
    texts: list[TextScore],
    best_weights: dict[str, torch.Tensor],
    phases: Phases,
) -> Measured:
    """Measure the model as it is at the end of its training; its samples are drawn with its best weights.

    What is measured byte by byte is the beginning of the text that ranks, or all of it (`corpus.SCORED_BYTES`).
    The model has `best_weights` afterwards.
    """
    model, tokenizer = run.model, run.tokenizer
    corpus = run.corpus.measured  # the text that ranks, as `val`
    looked_at = targets[run.corpus.scored_on].head(SCORED_BYTES)
    beginning = dataclasses.replace(corpus, val=looked_at.text)
    data = dataclasses.replace(run.data, val=looked_at.stream, test=None)
    with phases("measuring"):
        raw = looked_at.text.text.encode()
        bits = byte_bits(model, tokenizer, data, raw, Restoration(looked_at.restoration))
        of_content = content(bits, data, beginning, model.config.block_size)
        segmentations = marginal(model, tokenizer, data, raw)
    with phases("sampling"):
        model.load_state_dict(best_weights)
        samples = draw_samples(model, tokenizer, run.sample, run.cfg.arm, run.cfg.seed)
        reader = Reader(corpus, run.cfg.sample.chars)
        readability = read_samples(reader, samples)
    with phases("baselines"):
        facts = held_out_facts(run.corpus, reader)
        counts = token_counts(run.encoded, run.corpus, targets)
    return Measured(
        content=of_content,
        samples=samples,
        segments=run_segments(tokenizer, [row for row in samples if row["sample"] < SAMPLES_SHOWN], beginning, bits),
        readability=readability,
        held_out_facts=facts,
        segmentations=segmentations,
        texts=texts,
        counts=counts,
    )


def draw_samples(model: GPT, tokenizer: Tokenizer, cfg: SampleConfig, arm: str, seed: int) -> list[dict[str, Any]]:
    """Draw the seed experiment's sample of equal tokens first, then at each temperature those of equal characters."""
    common = {"arm": arm, "seed": seed, "prompt": cfg.prompt}
    by_tokens = sample_tokens(model, tokenizer, cfg, seed=seed)
    rows = [{"equal": "tokens", **common, "temperature": cfg.temperature, "sample": 0, "text": by_tokens}]
    for temperature in cfg.temperatures:
        at = dataclasses.replace(cfg, temperature=temperature)
        for i, text in enumerate(sample_chars(model, tokenizer, at, seed=seed)):
            rows.append({"equal": "chars", **common, "temperature": temperature, "sample": i, "text": text})
    return rows


def read_samples(reader: Reader, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Score the readability of each sample of equal characters."""
    read = [row for row in samples if row["equal"] == "chars"]
    figures = reader.read([row["text"] for row in read])
    return [
        {**{key: row[key] for key in ("temperature", "sample")}, **without_nan(figure)}
        for row, figure in zip(read, figures, strict=True)
    ]


def held_out_facts(corpus: Corpus, reader: Reader) -> dict[str, Any]:
    """The scores of baselines on the held-out text, and how passages of it read, which people wrote."""
    rows = [dataclasses.asdict(baseline) for baseline in baselines(corpus)]
    return {
        "baselines": [{"baseline": row.pop("name"), **row} for row in rows],
        "chars": reader.chars,
        "human": [without_nan(row) for row in reader.human()],
    }


def without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """Figures for JSON: null where one could not be measured."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
