"""What a report says before its tables, as sentences: the statements of `analysis/statements.py` in words."""

from __future__ import annotations

from collections.abc import Sequence

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.differences import Lead
from tokexp.analysis.statements import Answer, HeldEqual, Leader, Ranking, SizeLead
from tokexp.analysis.statistics import Estimate
from tokexp.analysis.views import Agreement, Turn, View
from tokexp.rendering.tables.columns import line_of, verdict_line
from tokexp.rendering.text import Bullets, Line, Paragraph, plain, sentence
from tokexp.system.places import ROOT

MOST_NAMED = 4  # cells that come after the best one
FAMILIES = {
    "static": "the best baseline that learned from the training part alone",
    "adaptive": "the best that goes on learning as it reads",
}
# How columns that all runs share are named.
SHARED = {
    "budget": "budget {}",
    "size": "model {}",
    "n_layer": "{} layers",
    "n_embd": "width {}",
    "block_size": "context {} tokens",
    "batch_size": "batch {}",
    "warmup_share": "warm-up {:.0%} of the steps",
    "warmup_steps": "warm-up {} steps, at most a tenth",
    "precision": "{}",
    "seed": "seed {}",
}
UNEQUAL = {"parameters": ",.0f", "FLOPs": ".2g", "steps": ",.0f", "characters in a full context": ",.0f"}
TERMS = {
    "steps": "{:,.0f} steps",
    "bytes": "{:,.0f} bytes read",
    "FLOPs": "{:.3g} FLOPs",
    "seconds": "{:.3g} s of training",
}


def question(name: str) -> str:
    """What a named sweep asks: the first line of its file, empty for other sweeps."""
    try:
        lines = (ROOT / "sweeps" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ") and "@package" not in line), "")


def title(comparison: Comparison) -> str:
    """The held-out text, by which the parts of a report are told apart."""
    digest = comparison.val_sha256[:8]
    return f"{comparison.corpus} ({comparison.val_bytes:,} held-out bytes, SHA-256 {digest})"


def answer_lines(answer: Answer) -> list[Line]:
    """Who is best and whether that is real; against which baselines; under which terms."""
    lines = [
        *map(leader_line, answer.leaders),
        *(sentence(*map(lead_line, leads)) for leads in answer.against_baselines),
        terms_line(answer.agreement),
    ]
    return [line for line in lines if line]


def leader_line(leader: Leader) -> Line:
    where = "" if leader.size is None else f" of size {leader.size}"
    line: Line = [f"Best{where} is {leader.cell}, with {_total(leader.total)} bits per byte of text that it never saw"]
    if leader.second:
        cell, difference = leader.second
        line += [f", before {cell} by {difference.mean:.3f}: ", *verdict_line(difference.verdict)]
    line.append(".")
    if leader.lossless:
        cell, total = leader.lossless
        line.append(
            f" Of that, {leader.restoration:.3f} bring back what it loses; of those that lose nothing "
            f"{cell} is best, with {_total(total)}."
        )
    return line


def _total(total: Estimate) -> str:
    return plain(line_of(total, ".3f"))


def lead_line(lead: Lead) -> Line:
    place = "before" if lead.difference.mean > 0 else "behind"
    return [
        f"{lead.cell} is {place} {lead.baseline.name}, {FAMILIES[lead.baseline.family]}, "
        f"by {abs(lead.difference.mean):.3f}: ",
        *verdict_line(lead.difference.verdict),
        ".",
    ]


def terms_line(agreement: Agreement) -> Line:
    """Whether the order depends on what is held equal, as far as the runs can tell."""
    if agreement.turns:
        more = f"; and {len(agreement.turns) - 1} more pairs" if len(agreement.turns) > 1 else ""
        return [f"The ranking depends on the terms: {turn_text(agreement.turns[0])}{more}."]
    if len(agreement.telling) < 2:
        return []
    silent = f"; {under(agreement.silent)} most of the cells cannot be ranked" if agreement.silent else ""
    return [f"The ranking is the same {under(agreement.telling)}{silent}."]


def turn_text(turn: Turn) -> str:
    line = f"{turn.one} is before {turn.other} {under(turn.ahead)}, but after it {under(turn.behind)}"
    return line + (" (of one seed)" if turn.one_seed else "")


def view_name(view: View) -> str:
    return f"equal {view.axis}" if view.axis else "each at its best checkpoint"


def view_heading(view: View) -> str:
    """The view with its terms."""
    if view.axis is None or view.at is None:
        return f"{view_name(view)} (cross-fitted)"
    place = f", only those with {view.place}" if view.place else ""
    return f"{view_name(view)} ({TERMS[view.axis].format(view.at)}{place})"


def under(views: Sequence[View]) -> str:
    """The views in a sentence."""
    *most, last = [f"at {view_name(view)}" if view.axis else view_name(view) for view in views]
    return f"{', '.join(most)} and {last}" if most else last


def ranking_paragraphs(ranking: Ranking) -> list[Paragraph]:
    """The answer, what the leads of the best are worth, where the order turns round, what was tuned."""
    blocks: list[Paragraph] = [Bullets(answer_lines(ranking.answer))]
    if ranking.best_per_token is not None:
        blocks.append([f"By its loss per token {ranking.best_per_token} would be the best, which means nothing."])
    for lead in ranking.leads:
        blocks += [[f"The lead of {lead.cell}, the best of size {lead.size}:"], Bullets(_ahead_lines(lead))]
    turns = ranking.answer.agreement.turns
    if len(turns) > 1:
        blocks += [["Where the ranking turns round:"], Bullets([[turn_text(turn)] for turn in turns])]
    if ranking.tuned:
        blocks.append([f"Chosen by looking at held-out text, so flattering: {'; '.join(ranking.tuned)}."])
    return blocks


def _ahead_lines(lead: SizeLead) -> list[Line]:
    lines: list[Line] = [
        [f"before {cell} by {difference.mean:.3f}: ", *verdict_line(difference.verdict)]
        for cell, difference in lead.ahead_of[:MOST_NAMED]
    ]
    more = len(lead.ahead_of) - MOST_NAMED
    return [*lines, [f"before {more} others by more"]] if more > 0 else lines


def held_equal_line(held: HeldEqual) -> Line:
    """What was the same for all runs, and what was not: the first line of every report."""
    line = f"Held equal: {', '.join(SHARED[column].format(value) for column, value in held.same.items())}."
    if held.varied:
        line += f" Varied besides the tokenizer: {', '.join(held.varied)}."
    if len(held.seeds) > 1:
        line += f" Seeds: {', '.join(map(str, held.seeds))}."
    if held.read_least is not None:
        others = [f"{cell} read {times:.1f} times the text of {held.read_least}" for cell, times in held.read_more]
        line += f" Equal {held.equal or 'budgets'}: "
        line += ("; ".join(others) if others else "all read the same amount of text") + "."
        unequal = [
            f"{one.name} ({one.least:{UNEQUAL[one.name]}} to {one.most:{UNEQUAL[one.name]}})" for one in held.unequal
        ]
        line += f" So not equal, within a size: {'; '.join(unequal) or 'nothing that is measured'}."
    return [line]
