"""A report's README: what was asked, what was held equal, the tables, the pictures, the samples."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.analysis.statistics import Cell, compare
from tokexp.analysis.store import Study
from tokexp.analysis.tables import TABLES, by_corpus, cells, labels, markdown, table, varied
from tokexp.files import write_text

NOTES = {
    "bits_per_byte": (
        "Ranked by *total*, at the end of the budget: the model's bits for its tokens (naive) and, for a tokenizer "
        "that loses case, spacing or rare words, the bits that bring them back (restoration), over the UTF-8 bytes "
        "of the original text. A checkpoint chosen on this text flatters itself; the cross-fitted figure does not."
    ),
    "loss_per_token": (
        "Nats per token. **Not comparable between rows**: a token of one tokenizer is more text than one of another."
    ),
    "tokenizers": "Figures of the tokenizers alone, over the held-out text; formulas in `tokexp/intrinsic.py`.",
    "cost": "What training consumed; bytes are text read, repetitions included; FLOPs by the usual estimate.",
    "parameters": "The body is the same for all; the vocabulary decides the rest.",
}
HEADINGS = {
    "bits_per_byte": "Bits per byte on held-out text",
    "loss_per_token": "Loss per token",
    "tokenizers": "The tokenizers",
    "cost": "What it cost",
    "parameters": "Parameters",
}
# Columns that runs share where a comparison is fair, and how a report names them.
SHARED = {
    "budget": "budget {}",
    "size": "model {}",
    "n_layer": "{} layers",
    "n_embd": "width {}",
    "block_size": "context {} tokens",
    "batch_size": "batch {}",
    "precision": "{}",
    "seed": "seed {}",
}


def write_readme(study: Study, folder: Path) -> Path:
    """Write `folder`/README.md and return its path."""
    parts = [f"# {study.name}"]
    for i, (corpus, runs) in enumerate(by_corpus(study.results)):
        parts += [held_equal(runs), f"## {corpus}", ranking(study, runs)]
        for name in TABLES:
            parts += [f"### {HEADINGS[name]}", NOTES[name], markdown(table(runs, name))]
        parts += ["### Curves", f"![bits per byte against bytes read](figures/bits_per_byte_{i}.png)"]
        parts += [f"![{run.name}](figures/panel_{run.name}.png)" for run in runs.itertuples()]
        parts += ["### Samples", samples(study, runs)]
    if study.missing:
        parts += ["## Missing", "\n".join(f"- {name}: no result" for name in study.missing)]
    parts += ["## Where this comes from", provenance(study.results)]
    path = folder / "README.md"
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def held_equal(runs: pd.DataFrame) -> str:
    """What was the same for all runs, and what was not: the first line of every report."""
    same = [form.format(runs[column].iloc[0]) for column, form in SHARED.items() if runs[column].nunique() == 1]
    line = f"Held equal: {', '.join(same)}."
    rows = [json.loads(row) for row in runs.settings]
    across = {key for key in varied(rows) if not key.startswith("tokenizer.")}
    for arm in set(runs.arm):  # between arms a tokenizer's settings differ by intent
        across |= varied([row for row, own in zip(rows, runs.arm, strict=True) if own == arm])
    if across:
        line += f" Varied besides the tokenizer: {', '.join(sorted(across))}."
    if runs.seed.nunique() > 1:
        line += f" Seeds: {', '.join(map(str, sorted(set(runs.seed))))}."
    read = runs.assign(cell=cells(runs)).groupby("cell").bytes_seen.mean()
    if len(read) > 1:
        least = str(read.idxmin())
        others = [
            f"{cell} read {read[cell] / read[least]:.1f} times the text of {least}"
            for cell in read.index
            if read[cell] / read[least] >= 1.05
        ]
        equal = runs.budget.iloc[0].split("=")[0] if runs.budget.nunique() == 1 else "budgets"
        line += f" Equal {equal}: " + ("; ".join(others) if others else "all read the same amount of text") + "."
    return line


def ranking(study: Study, runs: pd.DataFrame) -> str:
    """The order of the totals, a mean over the seeds of each cell, and which differences from the best are real."""
    runs = runs.assign(cell=cells(runs))
    means = runs.groupby("cell").val_bpb.mean().sort_values()
    order = ", ".join(f"{cell} {bpb:.3f}" for cell, bpb in means.items())
    per_token = runs.groupby("cell").val_loss.mean().sort_values()
    text = f"Total bits per byte, best first: {order}."
    if list(per_token.index) != list(means.index):
        text += f" Per token the order would have been {', '.join(map(str, per_token.index))}, which means nothing."
    best, others = means.index[0], means.index[1:]
    lines = []
    for other in others:
        pair = [cell_of(study, runs[runs.cell == cell]) for cell in (best, other)]
        difference = compare(pair[0], pair[1], int(runs.val_bytes.iloc[0]), family=len(others))
        verdict = "resolved" if difference.resolved else "**not resolved**"
        seeds = "one seed is an anecdote: add seed=0,1,2"
        if difference.over_seeds:
            seeds = "over seeds {:.3f} to {:.3f}".format(*difference.over_seeds)
        over_text = "over the text {:.3f} to {:.3f}".format(*difference.over_text)
        lines.append(f"- {best} before {other} by {difference.mean:.3f} ({seeds}; {over_text}): {verdict}")
    if lines:
        text += f"\n\nDifferences, with intervals that hold together with 95 %:\n\n{chr(10).join(lines)}"
    return text


def cell_of(study: Study, runs: pd.DataFrame) -> Cell:
    """The runs of one cell, as `statistics.compare` wants them."""
    ends = study.blocks.groupby("name").last().filter(regex=r"^b\d+$")
    return Cell(runs.val_bpb.to_numpy(), ends.loc[list(runs["name"])].to_numpy())


def samples(study: Study, runs: pd.DataFrame) -> str:
    """The sample of equal tokens of every run, side by side, then one of equal characters."""
    rows = []
    for equal in ("tokens", "chars"):
        found = {row["name"]: row for row in reversed(study.samples) if row["equal"] == equal}
        drawn = [(label, found[name]) for label, name in zip(labels(runs), runs.name, strict=True) if name in found]
        if drawn:
            rows.append(f"Equal {'tokens' if equal == 'tokens' else 'characters'}, each after its prompt:")
            head = "".join(f"<th>{_html(label)}: {_html(caption(row))}</th>" for label, row in drawn)
            body = "".join(f"<td><pre>{_html(row['text'])}</pre></td>" for _, row in drawn)
            rows.append(f"<table>\n<tr>{head}</tr>\n<tr valign=top>{body}</tr>\n</table>")
    return "\n\n".join(rows)


def caption(row: dict[str, Any]) -> str:
    return f"{row['prompt']!r}, temperature {row['temperature']}, {len(row['text']):,} characters"


def _html(text: str) -> str:
    """Text as it is, inside a table of Markdown: no tag, and no empty line, which would end the table."""
    return html.escape(text).replace("\n", "&#10;")


def provenance(results: pd.DataFrame) -> str:
    commits = sorted(
        {f"{row.git_commit}{' with changes' if str(row.git_dirty) == 'True' else ''}" for row in results.itertuples()}
    )
    machines = sorted({f"{row.device}, {row.threads} threads, {row.versions}" for row in results.itertuples()})
    corpora = sorted(set(results.corpus + " SHA-256 " + results.corpus_sha256))
    return "\n".join(f"- {line}" for line in [*(f"commit {c}" for c in commits), *machines, *corpora])
