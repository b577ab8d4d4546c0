"""A report's README: what was asked, what was held equal, the tables, the pictures, the samples."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd

from tokexp.analysis.store import Study
from tokexp.analysis.tables import TABLES, by_corpus, labels, markdown, table
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
    "cost": "What training consumed; bytes are text read, repetitions included; FLOPs by the usual estimate.",
    "parameters": "The body is the same for all; the vocabulary decides the rest.",
}
HEADINGS = {
    "bits_per_byte": "Bits per byte on held-out text",
    "loss_per_token": "Loss per token",
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
        parts += [held_equal(runs), f"## {corpus}", ranking(runs)]
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
    varied = [column for column in SHARED if runs[column].nunique() > 1]
    line = f"Held equal: {', '.join(same)}."
    if varied:
        line += f" Varied: {', '.join(varied)}."
    read = runs.groupby("arm").bytes_seen.mean()
    if len(read) > 1:
        least = str(read.idxmin())
        others = [
            f"{arm} read {read[arm] / read[least]:.1f} times the text of {least}"
            for arm in read.index
            if read[arm] / read[least] >= 1.05
        ]
        equal = runs.budget.iloc[0].split("=")[0] if runs.budget.nunique() == 1 else "budgets"
        line += f" Equal {equal}: " + ("; ".join(others) if others else "all read the same amount of text") + "."
    return line


def ranking(runs: pd.DataFrame) -> str:
    """The order of the totals, and whether it can be believed."""
    means = runs.groupby("arm").val_bpb.mean().sort_values()
    seeds = runs.groupby("arm").seed.nunique().min()
    order = ", ".join(f"{arm} {bpb:.3f}" for arm, bpb in means.items())
    naive = runs.groupby("arm").val_loss.mean().sort_values()
    text = f"Total bits per byte, best first: {order}."
    if list(naive.index) != list(means.index):
        text += f" Per token the order would have been {', '.join(map(str, naive.index))}, which means nothing."
    if len(means) > 1 and seeds == 1:
        text += " **Not resolved**: one seed is an anecdote; add seed=0,1,2."
    return text


def samples(study: Study, runs: pd.DataFrame) -> str:
    """The sample of equal tokens of every run, side by side, then one of equal characters."""
    rows = []
    for equal in ("tokens", "chars"):
        found = {row["name"]: row for row in reversed(study.samples) if row["equal"] == equal}
        cells = [(label, found[name]) for label, name in zip(labels(runs), runs.name, strict=True) if name in found]
        if cells:
            prompt, temperature = cells[0][1]["prompt"], cells[0][1]["temperature"]
            heading = f"Equal {'tokens' if equal == 'tokens' else 'characters'}, prompt {prompt!r}, "
            rows.append(f"{heading}temperature {temperature}:")
            head = "".join(f"<th>{_html(label)}, {len(row['text']):,} characters</th>" for label, row in cells)
            body = "".join(f"<td><pre>{_html(row['text'])}</pre></td>" for _, row in cells)
            rows.append(f"<table>\n<tr>{head}</tr>\n<tr valign=top>{body}</tr>\n</table>")
    return "\n\n".join(rows)


def _html(text: str) -> str:
    """Text as it is, inside a table of Markdown: no tag, and no empty line, which would end the table."""
    return html.escape(text).replace("\n", "&#10;")


def provenance(results: pd.DataFrame) -> str:
    commits = sorted(
        {f"{row.git_commit}{' with changes' if row.git_dirty is True else ''}" for row in results.itertuples()}
    )
    machines = sorted({f"{row.device}, {row.threads} threads, {row.versions}" for row in results.itertuples()})
    corpora = sorted(set(results.corpus + " SHA-256 " + results.corpus_sha256))
    return "\n".join(f"- {line}" for line in [*(f"commit {c}" for c in commits), *machines, *corpora])
