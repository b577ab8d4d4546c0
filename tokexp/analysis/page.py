"""A report's README: what was asked, what was held equal, the tables, the pictures, the samples."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.analysis.differences import differences, verdict
from tokexp.analysis.sections import sections
from tokexp.analysis.store import Study
from tokexp.analysis.tables import baselines_of, by_cell, by_corpus, cells, labels, markdown, varied
from tokexp.analysis.views import flips, under, views
from tokexp.files import write_text

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
        for section, made in sections(study, runs):
            parts += [f"### {section.heading}", section.note, markdown(made)]
        parts += ["### Curves", f"![bits per byte against bytes read](figures/bits_per_byte_{i}.png)"]
        parts += [f"![{run.name}](figures/panel_{run.name}.png)" for run in runs.itertuples()]
        parts += ["### Samples", samples(study, runs)]
    if study.missing:
        parts += ["## Missing", "\n".join(map(absent, study.missing))]
    parts += ["## Where this comes from", provenance(study.results)]
    path = folder / "README.md"
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def absent(run: dict[str, str]) -> str:
    """Why a cell of the sweep has no figures."""
    return f"- {run['name']}: {run['state']}{': ' if run['reason'] else ''}{run['reason']}"


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
    """The order of the totals, what the best one's lead is worth, where the order turns round, what was tuned."""
    means = by_cell(runs)
    order = ", ".join(f"{cell} {bpb:.3f}" for cell, bpb in zip(means.cell, means.val_bpb, strict=True))
    lines = [f"Total bits per byte, best first: {order}."]
    per_token = list(means.sort_values("val_loss", kind="stable").cell)
    if per_token != list(means.cell):
        lines[0] += f" Per token the order would have been {', '.join(per_token)}, which means nothing."
    against = [
        f"- {better} before {worse} by {difference.mean:.3f}: {verdict(difference)}"
        for (better, worse), difference in differences(study, runs).items()
        if better == means.cell.iloc[0]
    ]
    if against:
        lines += ["The best one's lead:", "\n".join(against)]
    found = views(study, runs)
    ranked = [view.name for view in found if view.ranking]
    turned = list(flips(found))
    if turned:
        lines += ["The ranking turns round: " + "; ".join(turned) + "."]
    elif len(ranked) > 1:
        lines += [f"The ranking is the same {under(ranked)}; under other terms there is none."]
    lines.append(beaten(means, baselines_of(study, runs)))
    if tuned := sorted({name for names in runs.tuned for name in names.split("; ") if name}):
        lines.append(f"Chosen by looking at held-out text, so flattering: {'; '.join(tuned)}.")
    return "\n\n".join(line for line in lines if line)


def beaten(means: pd.DataFrame, baselines: pd.DataFrame) -> str:
    """What the best cell does and does not leave behind."""
    best = means.iloc[0]
    better = baselines[baselines.val_bpb < best.val_bpb].sort_values("val_bpb")
    if not len(baselines):
        return ""
    if not len(better):
        return f"{best.cell} is better than every baseline."
    named = ", ".join(f"{row.baseline} ({row.family}) {row.val_bpb:.3f}" for row in better.itertuples())
    return f"Baselines that {best.cell} does not reach: {named}."


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
