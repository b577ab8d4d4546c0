"""What a report says before its tables, as sentences: the facts of `analysis/statements/` in words."""

from __future__ import annotations

from collections.abc import Sequence

from tokexp.analysis.chance.statistics import Estimate
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.differences import Lead
from tokexp.analysis.statements.answer import Leader, Ranking, SizeLead
from tokexp.analysis.statements.chosen import Choice, Where
from tokexp.analysis.statements.doubts import Charge, Confound
from tokexp.analysis.statements.held_equal import HeldEqual
from tokexp.analysis.texts.left_out import held_out_documents
from tokexp.analysis.views import Agreement, Turn, View
from tokexp.rendering.tables.columns import line_of, verdict_line
from tokexp.rendering.text import Bullets, Code, Line, Paragraph, listed, plain, sentence
from tokexp.runs.identity import CHANGES, RESULTS_VERSION
from tokexp.system.places import ROOT

MOST_NAMED = 4  # cells in a list or a sentence
FEW_DOCUMENTS = 2  # of a held-out text, that its title names
BASELINES = {"static": "the best static baseline", "adaptive": "the best adaptive baseline"}
# How columns that all runs share are named.
SHARED = {
    "budget": "a budget of {}",
    "size": "the model {}",
    "n_layer": "{} layers",
    "n_embd": "a width of {}",
    "block_size": "a context of {} tokens",
    "batch_size": "batches of {}",
    "warmup_share": "a warm-up of {:.0%} of the steps",
    "warmup_steps": "a warm-up of {} steps, at most a tenth",
    "precision": "precision {}",
    "seed": "seed {}",
}
UNEQUAL = {
    "parameters": ",.0f", "FLOPs": ".3g", "steps": ",.0f", "bytes of text in a step": ",.0f",
    "characters in a full context": ",.0f",
}  # fmt: skip
BUT = {
    Where.RANKS: "and so flattering these figures",
    Where.VALIDATION: "though not at the test part",
}
CHARGES = {
    Charge.WINDOWS: "With half a window of context for every token, the lead of ",
    Charge.SEGMENTATIONS: "If every segmentation of the text counted, the lead of ",
}
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
    digest = comparison.scored_sha256[:8]
    language = f" {comparison.language}" if comparison.language else ""
    documents = held_out_documents(comparison)
    named = f": {' and '.join(documents)}" if 0 < len(documents) <= FEW_DOCUMENTS else ""
    return f"{comparison.corpus}{language}{named} ({comparison.scored_bytes:,} held-out bytes, SHA-256 {digest})"


def lossless_line(leader: Leader) -> Line:
    """What a leader's restoration is, and who leads of those that lose nothing; nothing where it is lossless."""
    if not leader.restoration > 0:
        return []
    line: Line = [
        Code(str(leader.cell)),
        f" loses text: {leader.restoration:.3f} of its {_total(leader.total)} restore it.",
    ]
    if leader.lossless:
        cell, total = leader.lossless
        line += [" Of the tokenizers that lose nothing, ", Code(str(cell)), f" needs the fewest, {_total(total)}."]
    return line


def _total(total: Estimate) -> str:
    return plain(line_of(total, ".3f"))


def lead_line(lead: Lead) -> Line:
    """Whether a cell is ahead of a baseline."""
    difference = lead.difference
    return [
        *(Code(str(lead.cell)), f" is {'ahead of' if difference.mean > 0 else 'behind'} {lead.baseline.name}, "),
        f"{BASELINES[lead.baseline.family]}, by {abs(difference.mean):.3f}; ",
        *verdict_line(difference.verdict),
        ".",
    ]


def terms_line(agreement: Agreement) -> Line:
    """Whether the order depends on what is held equal, as far as the runs can tell."""
    if agreement.turns:
        more = len(agreement.turns) - 1
        others = [f" So it is with {more} more pair{'' if more == 1 else 's'}."] if more else []
        return ["The order depends on what is held equal: ", *turn_line(agreement.turns[0]), ".", *others]
    if len(agreement.telling) < 2:
        return []
    silent = f" Most of the runs cannot be ranked {under(agreement.silent)}." if agreement.silent else ""
    return [f"No change of order is resolved {under(agreement.telling)}.{silent}"]


def turn_line(turn: Turn) -> Line:
    return [
        *(Code(str(turn.one)), " is ahead of ", Code(str(turn.other))),
        f" {under(turn.ahead)}, and behind it {under(turn.behind)}",
        " (one seed)" if turn.one_seed else "",
    ]


def view_name(view: View) -> str:
    return f"equal {view.axis}" if view.axis else "each at its best checkpoint"


def view_heading(view: View) -> str:
    """The view with its terms."""
    if view.axis is None or view.at is None:
        how = "chosen on validation, scored on test" if view.on_test else "cross-fitted"
        return f"{view_name(view)} ({how})"
    place = f", only those with {view.place}" if view.place else ""
    return f"{view_name(view)} ({TERMS[view.axis].format(view.at)}{place})"


def under(views: Sequence[View]) -> str:
    """The views in a sentence."""
    *most, last = [f"at {view_name(view)}" if view.axis else view_name(view) for view in views]
    return f"{', '.join(most)} and {last}" if most else last


def ranking_paragraphs(ranking: Ranking) -> list[Paragraph]:
    """What stands behind the answer: lossless leaders, baselines, other terms, what was chosen, each lead."""
    facts = ranking.answer
    lines = [
        *map(lossless_line, facts.leaders),
        *(sentence(*map(lead_line, leads)) for leads in facts.against_baselines),
        terms_line(facts.agreement),
        *map(confound_line, ranking.confounds),
        per_token_line(ranking),
        chosen_line(ranking.choices),
    ]
    blocks: list[Paragraph] = [Bullets([line for line in lines if line])]
    for lead in ranking.leads:
        head: Line = [Code(str(lead.cell)), f", the best of size {lead.size}, is in bits per byte"]
        blocks += [[*head, ":"], Bullets(_ahead_lines(lead))]
    turns = facts.agreement.turns
    if len(turns) > 1:
        blocks += [["The order of these pairs depends on what is held equal:"], Bullets([turn_line(t) for t in turns])]
    return blocks


def confound_line(confound: Confound) -> Line:
    """What the leads of a cell would be, were something charged otherwise."""
    leads: list[Line] = [
        ["over ", Code(str(cell)), f" from {lead:.3f} to {now:.3f}"] for cell, lead, now in confound.leads[:MOST_NAMED]
    ]
    more = len(confound.leads) - MOST_NAMED
    others: list[Line] = [[f"that over {more} other{'' if more == 1 else 's'} likewise"]] if more > 0 else []
    return [CHARGES[confound.charge], Code(str(confound.cell)), " changes: ", *listed([*leads, *others]), "."]


def per_token_line(ranking: Ranking) -> Line:
    if ranking.best_per_token is None:
        return []
    name = Code(str(ranking.best_per_token))
    return [name, " has the lowest loss per token; that ranks nothing, since tokens differ in length."]


def chosen_line(choices: list[Choice]) -> Line:
    """What was chosen by looking at the text that ranks, and at the validation part of its corpus."""
    lines: list[Line] = []
    for where, but in BUT.items():
        names: list[Line] = [[chosen_name(choice)] for choice in choices if choice.where is where]
        if names:
            lines.append([f"Chosen by looking at held-out text, {but}: {plain(listed(names))}."])
    return sentence(*lines)


def chosen_name(choice: Choice) -> str:
    value = choice.chosen.value
    return f"{choice.chosen.setting}={value}" if value else choice.chosen.setting


def _ahead_lines(lead: SizeLead) -> list[Line]:
    lines: list[Line] = [
        [f"{difference.mean:.3f} ahead of ", Code(str(cell)), "; ", *verdict_line(difference.verdict)]
        for cell, difference in lead.ahead_of[:MOST_NAMED]
    ]
    more = len(lead.ahead_of) - MOST_NAMED
    return [*lines, [f"further ahead of {more} other{'' if more == 1 else 's'}"]] if more > 0 else lines


def held_equal_line(held: HeldEqual) -> Line:
    """What was the same for all runs, and what was not, in one paragraph."""
    same = plain(listed([[SHARED[column].format(value)] for column, value in held.same.items()]))
    lines = [f"All runs have {same}."]
    if len(held.seeds) > 1:
        lines.append(f"The seeds are {plain(listed([[str(seed)] for seed in held.seeds]))}.")
    if held.varied:
        names: list[Line] = [[name] for name in held.varied]
        lines.append(f"Besides the tokenizer, {plain(listed(names))} {'varies' if len(names) == 1 else 'vary'}.")
    if held.read_least is not None:
        lines.append(_read_line(held))
        unequal: list[Line] = [
            [f"{one.name} ({one.least:{UNEQUAL[one.name]}} to {one.most:{UNEQUAL[one.name]}})"] for one in held.unequal
        ]
        if unequal:
            lines.append(f"Within a size the runs differ in {plain(listed(unequal))}.")
    if held.older_versions:
        lines.append(_older_line(held.older_versions))
    return [" ".join(lines)]


def _older_line(versions: list[int]) -> str:
    """That figures are of an earlier version of the code, and what it changed since."""
    since = [what for version, what in sorted(CHANGES.items()) if version > versions[0]]
    named = plain(listed([[str(version)] for version in versions]))
    return (
        f"Some of these figures, or all, are of version {named}; today's code has version {RESULTS_VERSION}. Since "
        f"then {'; '.join(since)}."
    )


def _read_line(held: HeldEqual) -> str:
    """Who read how much text."""
    if not held.read_more:
        return "All read the same amount of text."
    cause = f"At equal {held.equal}" if held.equal else "With these budgets"
    if len(held.read_more) > MOST_NAMED:
        times = sorted(times for _, times in held.read_more)
        return (
            f"{cause}, {len(times)} of them read {times[0]:.1f} to {times[-1]:.1f} times what {held.read_least} read."
        )
    more = plain(listed([[f"{cell} {times:.1f} times"] for cell, times in held.read_more]))
    return f"{cause} they read unlike amounts of text: {more} that of {held.read_least}."
