"""The first screen of a report, on the README and on the page: the question, the answer, what would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tokexp.analysis.cells import Cell
from tokexp.analysis.chance.statistics import Estimate
from tokexp.analysis.chance.verdicts import Difference
from tokexp.analysis.comparison import Comparison, Size, baseline_of
from tokexp.analysis.content import sources
from tokexp.analysis.statements.answer import Leader, answer
from tokexp.analysis.statements.doubts import Doubt, Flaw, doubts
from tokexp.analysis.statements.held_equal import held_equal
from tokexp.analysis.statements.settling import Settling, settling
from tokexp.analysis.texts.counts import OwnCounts, own_counts
from tokexp.rendering.corpora import corpus_line, ranked_line
from tokexp.rendering.sentences import held_equal_line, question
from tokexp.rendering.tables.columns import Column, Table, table
from tokexp.rendering.text import Code, Line, Strong, capitalized, joined, listed, sentence
from tokexp.runs.study import Study

MOST_NAMED = 4  # cells in a sentence
PICTURE = "ranking"  # its files are figures/ranking_I.png and .svg, I the number of the comparison in its report


@dataclass(frozen=True)
class FirstScreen:
    """What a report says first of the runs that were scored on the same bytes."""

    warnings: list[Line]  # why the runs cannot say which tokenizer is better: before the answer; mostly none
    answer: Line  # who leads, and where the lead lies; it names no leader where there are warnings
    settle: list[Line]  # what would settle the leads that are not resolved; none where all are
    command: str | None  # to copy, where a command would settle it
    table: Table  # the main one, of few columns; a cell is its tokenizer, and where models have several sizes those
    held_equal: Line
    ranked_on: Line  # on which text runs are ranked; nothing of older runs
    corpus: Line  # how it is made up; nothing of older runs


CLASSES = {"heading": "headings"}  # of bytes, as they are named in a sentence


def first_screen(comparison: Comparison) -> FirstScreen:
    reasons, needed = doubts(comparison), settling(comparison)
    return FirstScreen(
        warnings=warning_lines(reasons, alone=len(comparison.cells) == 1),
        answer=order_line(comparison) if reasons else whole_answer(comparison),
        settle=doubt_settling(reasons) if reasons else settling_lines(needed, comparison.study.name),
        command=None if reasons else command(comparison.study.name, needed),
        table=main_table(comparison),
        held_equal=held_equal_line(held_equal(comparison)),
        ranked_on=ranked_line(comparison),
        corpus=corpus_line(comparison),
    )


def report_title(study: Study) -> str:
    """The question of a named sweep; of others, the one that any comparison asks."""
    asked = question(study.name)
    if asked:
        return asked
    arms, corpora = sorted(set(study.results.arm)), sorted(set(study.results.corpus))
    few = f"{', '.join(arms[:-1])} and {arms[-1]}" if 1 < len(arms) <= MOST_NAMED else f"{len(arms)} tokenizers"
    if len(arms) == 1 and study.results.settings.nunique() > 1:
        return f"With which settings does {arms[0]} need the fewest bits per byte on {' and '.join(corpora)}?"
    if len(arms) == 1:
        return f"How many bits per byte does {arms[0]} need on {' and '.join(corpora)}?"
    return f"Which of {few} needs the fewest bits per byte on {' and '.join(corpora)}?"


def whole_answer(comparison: Comparison) -> Line:
    """Who leads, where the lead lies, and whether the models are ahead of counting."""
    lines = [answer_line(comparison), *source_lines(comparison), counts_line(comparison)]
    return sentence(*filter(None, lines))


FITS = {frozenset([False]): "underfit models", frozenset([True]): "overfit models"}  # by whether those behind are


def counts_line(comparison: Comparison) -> Line:
    """How many models are not ahead of counts of their own tokens; nothing where all are."""
    counts = own_counts(comparison).values()
    behind = [one.overfit for one in counts if one.lead.mean <= 0]
    unsure = sum(one.lead.mean > 0 and not one.beaten for one in counts)
    if not behind:
        return []
    if len(counts) == 1:
        return ["The model needs more bits than counts of its own tokens."]
    more = f"; for {unsure} more it is not resolved" if unsure else ""
    return [
        f"{len(behind)} of {len(counts)} models need more bits than counts of their own tokens{more}. So this is a "
        f"ranking of {FITS.get(frozenset(behind), 'models that counting beats')}."
    ]


def answer_line(comparison: Comparison) -> Line:
    """Who leads at each size, by how much, and whether that is resolved."""
    leaders = answer(comparison).leaders
    if all(leader.second is None for leader in leaders):
        return capitalized([*listed([_alone(leader) for leader in leaders]), "."])
    clauses: list[Line] = []
    for resolved, some in groupby(leaders, key=lambda one: one.second is not None and one.second[1].resolved):
        say = _leads if resolved else _no_leads
        clauses.append(say(list(some), "" if clauses else " bits per byte"))
    return [*capitalized(joined(clauses, "; ")), "."]


def source_lines(comparison: Comparison) -> list[Line]:
    """Where most of each lead lies that is resolved, a sentence each."""
    lines: list[Line] = []
    for one in answer(comparison).leaders:
        if one.second and one.second[1].resolved and (found := sources(comparison, one.cell, one.second[0])):
            size = f" at size {one.size}" if one.size else ""
            where: list[Line] = [
                [f"{CLASSES.get(each.name, each.name)} ({each.bits:.3f}, on {each.share:.0%} of the bytes)"]
                for each in found
            ]
            lines.append([f"Most of the lead{size} lies in ", *listed(where), "."])
    return lines


def _leads(leaders: list[Leader], unit: str) -> Line:
    """Of leaders whose lead is resolved."""
    leads = [[*_at(one), *_lead(one, "leads", unit if i == 0 else "")] for i, one in enumerate(leaders)]
    here = "" if leaders[0].such_texts else " on this text"
    return [*listed(leads), f"{',' if leaders[0].size else ';'} resolved{here}"]


def _no_leads(leaders: list[Leader], unit: str) -> Line:
    """Of those whose lead is not; the unit of a lead is said once."""
    if not leaders[0].size:
        return ["no tokenizer leads: ", *_lead(leaders[0], "is ahead of", unit), "; ", Strong("not resolved")]
    leads = [
        [f"at size {one.size}, where ", *_lead(one, "is ahead of", unit if i == 0 else "")]
        for i, one in enumerate(leaders)
    ]
    return ["no tokenizer leads ", *joined(leads, ", nor "), ", ", Strong("not resolved")]


def _at(leader: Leader) -> Line:
    return [f"at size {leader.size} "] if leader.size else []


def _alone(leader: Leader) -> Line:
    return [*_at(leader), Code(name_of(leader.cell)), f" needs {leader.total.value:.3f} bits per byte"]


def _lead(leader: Leader, verb: str, unit: str) -> Line:
    if leader.second is None:
        return [Code(name_of(leader.cell)), " stands alone"]
    second, difference = leader.second
    by = f" by {difference.mean:.3f}{unit} ({_interval(difference, leader.pairs)})"
    return [Code(name_of(leader.cell)), f" {verb} ", Code(name_of(second)), by]


def _interval(difference: Difference, pairs: int) -> str:
    if difference.interval is None:
        return "one seed each"
    low, high = difference.interval
    return f"95 %{f' over {pairs} pairs' if pairs > 1 else ''}: {low:.3f} to {high:.3f}"


def name_of(cell: Cell) -> str:
    """The cell where its size is said beside it."""
    return str(cell.without_size())


def order_line(comparison: Comparison) -> Line:
    """The totals in their order, without a word on who leads."""
    sizes = comparison.sizes
    orders = [_order(comparison, size, several=len(sizes) > 1) for size in sizes]
    return ["For the record, the totals in bits per byte are ", *listed(orders), "."]


def _order(comparison: Comparison, size: Size, *, several: bool) -> Line:
    named: list[Line] = [
        [f"{comparison.total(cell).value:.3f} for ", Code(name_of(cell))] for cell in size.cells[:MOST_NAMED]
    ]
    more = len(size.cells) - MOST_NAMED
    where = f" at size {size.name}" if several else ""
    return [*listed([*named, [f"more for {more} others"]] if more > 0 else named), where]


def warning_lines(reasons: list[Doubt], *, alone: bool = False) -> list[Line]:
    """That there is no answer, and each reason with its figures. `alone`: of a study of one cell."""
    if not reasons:
        return []
    verdict = "These runs cannot answer the question." if alone else "These runs cannot say which tokenizer is better."
    return [[Strong(verdict)], *map(_warning, reasons)]


WARNINGS = {
    Flaw.UNKNOWN: ("Too many tokens are unknown: ", "{:.0%} of those of "),
    Flaw.RESTORATION: ("Too much of the total is restoration: ", "{:.0%} of that of "),
    Flaw.WARM_UP: ("The learning rate was still rising late in the training: ", "after {:.0%} of the steps of "),
    Flaw.LESS_THAN_A_PASS: ("The models have not read the whole training text once: ", "{:.0%} for "),
}


def _warning(doubt: Doubt) -> Line:
    if doubt.flaw is Flaw.WORSE_THAN_GZIP:
        cell, total = doubt.cells[0]
        return ["Every model is worse than gzip; the best, ", Code(str(cell)), f", needs {total:.3f} bits per byte."]
    begin, each = WARNINGS[doubt.flaw]
    named: list[Line] = [[each.format(figure), Code(str(cell))] for cell, figure in doubt.cells[:MOST_NAMED]]
    more = len(doubt.cells) - MOST_NAMED
    return [begin, *listed([*named, [f"the like of {more} others"]] if more > 0 else named), "."]


def doubt_settling(reasons: list[Doubt]) -> list[Line]:
    """What would make an answer possible."""
    flaws = {doubt.flaw for doubt in reasons}
    lines: list[Line] = []
    if flaws & {Flaw.UNKNOWN, Flaw.RESTORATION}:
        lines.append(
            ["Compare tokenizers that lose less of this text, such as ", Code("bpe"), " or ", Code("byte"), "."]
        )
    if flaws - {Flaw.UNKNOWN, Flaw.RESTORATION}:
        lines.append(["Train for longer, with a larger ", Code("budget"), "."])
    return lines


def settling_lines(needed: Settling, sweep: str) -> list[Line]:
    """What would settle the leads that are not resolved, a sentence each; in words where no command is known."""
    lines: list[Line] = []
    if needed.one_seed:
        lines.append(["One seed is an anecdote; three seeds a cell are a beginning."])
    elif needed.seeds:
        lines.append([f"About {len(needed.seeds)} seeds a cell would settle it, as far as these few can tell."])
    if needed.seeds and command(sweep, needed) is None:
        seeds = Code(f"seed={','.join(map(str, needed.seeds))}")
        lines.append(["Repeat the command of this study with ", seeds, "; what is done is not trained again."])
    if needed.too_many:
        lines.append([f"Some {needed.too_many} seeds a cell would be needed: the difference is small beside chance."])
    if needed.never:
        lines.append(["Not even a thousand seeds a cell would settle it."])
    if needed.more_text:
        sizes = [size for size in needed.more_text if size]
        where = f" at size{'s' if len(sizes) > 1 else ''} {' and '.join(sizes)}" if sizes else ""
        text = "more held-out documents" if needed.by_documents else "a longer held-out text"
        lines.append([f"Only {text} would settle the lead{where}; more seeds would not."])
    return lines


def command(sweep: str, needed: Settling) -> str | None:
    """The command that trains the seeds that are lacking; None where they are not known or would not do."""
    if not needed.seeds or not question(sweep):
        return None
    return f"python -m tokexp.run -m sweeps={sweep} seed={','.join(map(str, needed.seeds))}"


def main_table(comparison: Comparison) -> Table:
    """A row a cell and a row each of the few best baselines, the best total first."""
    cells: Sequence[Cell] = comparison.cells
    baselines = comparison.few_baselines
    totals = [*comparison.means.bpb, *baselines.val_bpb]
    order = sorted(range(len(totals)), key=lambda i: totals[i])
    nothing = [None] * len(baselines)

    def column(heading: str, of_cells: Sequence[object], of_baselines: Sequence[object], form: str = "") -> Column:
        values = [*of_cells, *of_baselines]
        return Column(heading, [values[i] for i in order], form)

    means, names = comparison.means, [baseline_of(row) for row in baselines.itertuples()]
    sizes = [column("size", [cell.size for cell in cells], nothing)] if len(comparison.sizes) > 1 else []
    each = (means.bpb_restoration, baselines.val_bpb_restoration)
    restores, restored = [[loss or None for loss in losses] for losses in each]
    own = own_counts(comparison)
    counts = [own.get(cell) for cell in cells]
    counted = [
        column("counts of its tokens", [one and one.bpb for one in counts], nothing, ".3f"),
        column("ahead of counts by", [one and _ahead(one) for one in counts], nothing, ".3f"),
    ]
    return table(
        column("tokenizer", [cell.without_size() for cell in cells], names),
        *sizes,
        column("bytes/token", means.bytes_per_token.tolist(), nothing, ".2f"),
        column("bits per byte", [comparison.total(cell) for cell in cells], baselines.val_bpb.tolist(), ".3f"),
        column("of which restoration", restores, restored, ".3f"),
        *(counted if own else []),
        column("parameters", means.params_total.tolist(), nothing, ",.0f"),
    )


def _ahead(one: OwnCounts) -> Estimate:
    """How far a cell is ahead of the counts of its tokens, with half of the corrected interval."""
    interval = one.lead.interval
    return Estimate(one.lead.mean, (interval.high - interval.low) / 2 if interval else None)


def answer_lines(comparison: Comparison) -> list[Line]:
    """The warnings and the answer, for the list of reports and for other programs."""
    screen = first_screen(comparison)
    return [*screen.warnings, screen.answer]
