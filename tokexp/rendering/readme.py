"""A report's README: what was asked, what was held equal, the tables, the pictures, the samples."""

from __future__ import annotations

import html
import json
import math
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd

from tokexp.analysis.against_baselines import END, leads
from tokexp.analysis.differences import differences, verdict
from tokexp.analysis.tables import by_cell, by_size, cells, markdown, tokenizer_names, varied
from tokexp.analysis.views import Agreement, agreement, under
from tokexp.rendering.figures import FIGURES
from tokexp.rendering.panels import panel_names
from tokexp.rendering.sections import Made
from tokexp.runs.study import Study
from tokexp.system.files import write_json, write_text
from tokexp.system.places import ROOT

SUMMARY = "summary.json"
ABREAST = 4  # samples side by side
CONTROLS = {i: 0x2400 + i for i in range(32) if chr(i) not in "\n\t"} | {127: 0x2421}
SHOWN = 70  # bytes of the passage that is shown in pieces
MOST_NAMED = 4  # cells that come after the best one
MOST_ROWS = 100  # of a table; the others are in tables/
MOST_PANELS = 6  # pictures of the training of single cells; the others' stay in figures/
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


def write_readme(study: Study, made: Made, folder: Path) -> Path:
    """Write `folder`/README.md and return its path."""
    asked = question(study.name)
    parts = [f"# {study.name}{': ' if asked else ''}{asked}"]
    if study.missing:
        parts.append(
            f"**{len(study.missing)} runs are missing**, of {len(study.results) + len(study.missing)}: see the end."
        )
    for i, (corpus, runs, sections) in enumerate(made):
        parts += [held_equal(runs), f"## {corpus}", ranking(study, runs)]
        for section, table in sections:
            parts += [f"### {section.heading}", section.note, markdown(table[:MOST_ROWS])]
            if len(table) > MOST_ROWS:
                parts.append(f"The first {MOST_ROWS} of {len(table):,}; all are in `tables/{section.name}.csv`.")
        parts.append("### Pictures")
        for picture in FIGURES:
            if (folder / "figures" / f"{picture.name}_{i}.png").exists():
                parts += [f"{picture.caption} ([SVG](figures/{picture.name}_{i}.svg))"]
                parts += [f"![{picture.caption}](figures/{picture.name}_{i}.png)"]
        parts.append("### Training")
        names = panel_names(runs)
        drawn = [cell for cell in by_cell(runs).cell if (folder / "figures" / f"{names[cell]}.png").exists()]
        if len(drawn) > MOST_PANELS:
            parts.append(f"Of the {MOST_PANELS} best; those of the others are in `figures/`.")
        parts += [f"![training of {cell}](figures/{names[cell]}.png)" for cell in drawn[:MOST_PANELS]]
        if cut := segmentations(study, runs):
            parts += ["### The same text in every tokenizer's pieces", cut]
        parts += ["### Samples", samples(study, runs)]
    if study.missing:
        parts += ["## Missing", "\n".join(map(absent, study.missing))]
    parts += ["## Where this comes from", provenance(study.results)]
    path = folder / "README.md"
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def write_summary(study: Study, made: Made, folder: Path) -> None:
    """Write `folder`/summary.json: what was asked and answered, for the list of reports and for other programs."""
    parts = [{"corpus": corpus, "answer": " ".join(answer(study, runs))} for corpus, runs, _ in made]
    write_json(folder / SUMMARY, {"question": question(study.name), "runs": len(study.results), "parts": parts})


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
        line += " So not equal, within a size: " + "; ".join(_unequal(runs)) + "."
    return line


def _unequal(runs: pd.DataFrame) -> list[str]:
    """What comes with the choice of a tokenizer, from the least to the most in any one size of model."""
    figures = {
        "parameters": (runs.params_total, ",.0f"),
        "FLOPs": (runs.flops, ".2g"),
        "steps": (runs.steps, ",.0f"),
        "characters in a full context": (runs.block_size * runs.chars_per_token, ",.0f"),
    }
    found = []
    for name, (values, form) in figures.items():
        ends = [(float(own.min()), float(own.max())) for _, own in values.groupby(runs["size"])]
        low, high = max(ends, key=lambda end: end[1] / end[0])
        if high > 1.02 * low:
            found.append(f"{name} ({low:{form}} to {high:{form}})")
    return found or ["nothing that is measured"]


def question(name: str) -> str:
    """What a named sweep asks: the first line of its file, empty for other sweeps."""
    try:
        lines = (ROOT / "sweeps" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ") and "@package" not in line), "")


def answer(study: Study, runs: pd.DataFrame) -> list[str]:
    """Three statements, from the data: who is best and whether that is real; beside what; under which terms.

    The first is one for each size of model, since the largest is best in any case.
    """
    sizes = by_size(runs)
    sentences = [lead(study, runs, means, f" of size {size}" if len(sizes) > 1 else "") for size, means in sizes]
    sentences += [beside_baselines(study, runs, row.cell) for row in leaders(sizes[-1][1])]
    return [sentence for sentence in [*sentences, terms(agreement(study, runs))] if sentence]


def leaders(means: pd.DataFrame) -> list[Any]:
    """The best of the cells `means`, and where it loses text the best that does not."""
    faithful = means[means.val_bpb_restoration == 0]
    own = means.iloc[0]
    return [own, faithful.iloc[0]] if own.val_bpb_restoration > 0 and len(faithful) else [own]


def terms(found: Agreement) -> str:
    """Whether the order depends on what is held equal, as far as the runs can tell."""
    if found.turned:
        more = f"; and {len(found.turned) - 1} more pairs" if len(found.turned) > 1 else ""
        return f"The ranking depends on the terms: {found.turned[0]}{more}."
    if len(found.telling) < 2:
        return ""
    rest = [name for name in found.ranked if name not in found.telling]
    left = f"; {under(rest)} most of the cells cannot be ranked" if rest else ""
    return f"The ranking is the same {under(found.telling)}{left}."


def lead(study: Study, runs: pd.DataFrame, means: pd.DataFrame, where: str) -> str:
    """Which of the cells `means` is best, and whether that is real; where it loses text, which of the others do not."""
    best = means.iloc[0]
    said = f"Best{where} is {best.cell}, with {_total(best)} bits per byte of text that it never saw"
    if len(means) > 1:
        second = means.iloc[1]
        difference = differences(study, runs)[best.cell, second.cell]
        said += f", before {second.cell} by {difference.mean:.3f}: {verdict(difference)}"
    said += "."
    for other in leaders(means)[1:]:
        said += (
            f" Of that, {best.val_bpb_restoration:.3f} bring back what it loses; of those that lose nothing "
            f"{other.cell} is best, with {_total(other)}."
        )
    return said


def _total(row: Any) -> str:
    return f"{row.val_bpb:.3f}" + ("" if math.isnan(row.val_bpb_half) else f" ± {row.val_bpb_half:.3f}")


def ranking(study: Study, runs: pd.DataFrame) -> str:
    """The answer, what the leads of the best are worth, where the order turns round, what was tuned."""
    lines = ["\n".join(f"- {statement}" for statement in answer(study, runs))]
    means = by_cell(runs)
    per_token = str(means.set_index("cell").val_loss.idxmin())
    if per_token != means.cell.iloc[0]:
        lines.append(f"By its loss per token {per_token} would be the best, which means nothing.")
    found = differences(study, runs)
    for size, own in by_size(runs):
        best, *others = own.cell
        nearest = [f"- before {cell} by {found[best, cell].mean:.3f}: {verdict(found[best, cell])}" for cell in others]
        if nearest:
            more = [f"- before {len(nearest) - MOST_NAMED} others by more"] if len(nearest) > MOST_NAMED else []
            lines += [f"The lead of {best}, the best of size {size}:", "\n".join([*nearest[:MOST_NAMED], *more])]
    found_turned = agreement(study, runs).turned
    if len(found_turned) > 1:
        lines += ["Where the ranking turns round:", "\n".join(f"- {line}" for line in found_turned)]
    if tuned := sorted({name for names in runs.tuned for name in names.split("; ") if name}):
        lines.append(f"Chosen by looking at held-out text, so flattering: {'; '.join(tuned)}.")
    return "\n\n".join(lines)


def beside_baselines(study: Study, runs: pd.DataFrame, cell: str) -> str:
    """Whether a cell is before the best baseline of each family at the end of its budget, and whether that is real."""
    return " ".join(lead.said for lead in leads(study, runs) if (lead.cell, lead.at) == (cell, END))


def samples(study: Study, runs: pd.DataFrame) -> str:
    """A sample of equal tokens of each cell's first seed, side by side, then one of equal characters."""
    firsts = runs.assign(cell=cells(runs)).sort_values("seed", kind="stable").drop_duplicates("cell")
    of = dict(zip(firsts["name"], firsts.cell, strict=True))
    order = [name for name in runs["name"] if name in of]
    rows = []
    for equal in ("tokens", "chars"):
        found = {row["name"]: row for row in reversed(study.samples) if row["equal"] == equal}
        drawn = [(of[name], found[name]) for name in order if name in found]
        if drawn:
            rows.append(f"Equal {'tokens' if equal == 'tokens' else 'characters'}, each after its prompt:")
        for start in range(0, len(drawn), ABREAST):
            some = drawn[start : start + ABREAST]
            head = "".join(f"<th>{_html(label)}: {_html(caption(row))}</th>" for label, row in some)
            body = "".join(f"<td><pre>{_html(row['text'])}</pre></td>" for _, row in some)
            rows.append(f"<table>\n<tr>{head}</tr>\n<tr valign=top>{body}</tr>\n</table>")
    return "\n\n".join(rows)


def segmentations(study: Study, runs: pd.DataFrame) -> str:
    """The beginning of the held-out passage in each tokenizer's pieces, with how many the whole of it has."""
    tokenizers = runs.drop_duplicates("tokenizer_sha256").sort_values("bytes_per_token", kind="stable")
    names = tokenizer_names(tokenizers)
    rows = {row["name"]: row for row in study.segments if row["of"] == "held out"}
    lines = []
    for name, label in zip(tokenizers["name"], names, strict=True):
        if row := rows.get(name):
            raw, ends = row["text"].encode(), list(accumulate(row["bytes"]))
            pieces = [raw[end - n : end] for n, end in zip(row["bytes"], ends, strict=True) if end <= SHOWN]
            shown = "│".join(piece.decode(errors="replace") for piece in pieces).replace("\n", "⏎").replace("`", "'")
            lines.append(f"- {label}, {len(row['bytes'])} pieces: `{shown}`")
    return "\n".join(lines)


def caption(row: dict[str, Any]) -> str:
    return f"{row['prompt']!r}, temperature {row['temperature']}, {len(row['text']):,} characters"


def _html(text: str) -> str:
    """Text as it is, inside a table of Markdown: no tag, and no empty line, which would end the table."""
    return html.escape(printable(text)).replace("\n", "&#10;")


def printable(text: str) -> str:
    """`text` with signs for control characters, which a model of bytes may write; newlines and tabs stay."""
    return text.translate(CONTROLS)


def provenance(results: pd.DataFrame) -> str:
    commits = sorted(
        {f"{row.git_commit}{' with changes' if str(row.git_dirty) == 'True' else ''}" for row in results.itertuples()}
    )
    machines = sorted({f"{row.device}, {row.threads} threads, {row.versions}" for row in results.itertuples()})
    corpora = sorted(set(results.corpus + " SHA-256 " + results.corpus_sha256))
    return "\n".join(f"- {line}" for line in [*(f"commit {c}" for c in commits), *machines, *corpora])
