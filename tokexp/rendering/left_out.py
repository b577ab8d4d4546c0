"""What a report says of texts that were left out one after another: the answer, its tables, each text in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, Size
from tokexp.analysis.statements.chosen import choices
from tokexp.analysis.statements.doubts import doubts
from tokexp.analysis.statements.held_equal import held_equal
from tokexp.analysis.texts.left_out import LeadOverTexts, LeftOut, left_out
from tokexp.rendering.first_screen import MOST_NAMED, main_table, name_of, warning_lines
from tokexp.rendering.sentences import chosen_name, held_equal_line
from tokexp.rendering.tables.columns import Column, Table, table
from tokexp.rendering.text import Code, Line, Strong, capitalized, listed, plain, sentence

Comparisons = Sequence[Comparison]


@dataclass(frozen=True)
class ShortSection:
    """What a report says of one of the texts, folded."""

    name: str
    finding: Line
    note: Line
    table: Table


def finding(comparisons: Comparisons) -> Line:
    """Who leads on texts that nobody saw, of each size; no leader where most of the texts cannot say."""
    facts = left_out(comparisons)
    if facts is None:
        return []
    doubted = [text for text, one in facts.every.items() if doubts(one)]
    if 2 * len(doubted) > len(facts.every):
        where: Line = [f"So it is on {len(doubted)} of the {len(facts.every)} texts."]
        return sentence(*warning_lines(doubts(facts.every[doubted[0]])), where)
    lines = [*(_answer(facts, size) for size in facts.sizes), _holds(facts)]
    if doubted:
        lines.append([f"The best on {_named(doubted)} has a flaw, of which the section of that text says more."])
    if facts.lacking:
        lines.append([f"Texts that lack runs do not count: {_named(facts.lacking)}."])
    return sentence(*(line for line in lines if line))


def _named(texts: list[str]) -> str:
    """Texts by name, or of many their number."""
    return plain(listed([[text] for text in texts])) if len(texts) <= MOST_NAMED else f"{len(texts)} texts"


def _answer(facts: LeftOut, size: Size) -> Line:
    """Who leads at one size."""
    where = f"at size {size.name} " if len(facts.sizes) > 1 else ""
    best, *others = size.cells
    if not others:
        mean = f" needs {facts.mean(best):.3f} bits per byte on average."
        return [*capitalized([where]), Code(name_of(best)), mean]
    lead = _lead_of(facts, best, others[0])
    by = (
        f" by {lead.mean:.3f} bits per byte on average over {len(facts.texts)} texts that were left out "
        f"(95 %: {lead.interval.low:.3f} to {lead.interval.high:.3f}), {_where(facts, lead)}; "
    )
    first, second = Code(name_of(best)), Code(name_of(others[0]))
    if lead.resolved:
        return [*capitalized([where]), first, " leads ", second, f"{by}resolved."]
    begin = capitalized([f"{where}no tokenizer leads: "])
    one_seed = "." if lead.seeds > 1 else ": one seed is an anecdote."
    return [*begin, first, " is ahead of ", second, by, Strong("not resolved"), one_seed]


def _where(facts: LeftOut, lead: LeadOverTexts) -> str:
    """On which texts a lead holds."""
    if not lead.turns:
        return "and on each of them"
    return f"and on {len(facts.texts) - len(lead.turns)} of them, behind on {_named(lead.turns)}"


def _lead_of(facts: LeftOut, better: Cell, worse: Cell) -> LeadOverTexts:
    return next(lead for lead in facts.leads if (lead.better, lead.worse) == (better, worse))


def _holds(facts: LeftOut) -> Line:
    """How many of several orders are real, and how many are the same on every text."""
    if len(facts.leads) < 2:
        return []
    resolved, same = sum(lead.resolved for lead in facts.leads), sum(not lead.turns for lead in facts.leads)
    are, have = "is" if resolved == 1 else "are", "has" if same == 1 else "have"
    return [f"Of {len(facts.leads)} pairs {resolved} {are} resolved, and {same} {have} the same order on every text."]


def totals_table(comparisons: Comparisons) -> Table:
    """A row a cell, a column a text; then the mean, and how far the cell is behind the best of its size."""
    facts = left_out(comparisons)
    if facts is None:
        return Table()
    rows = [(size, cell) for size in facts.sizes for cell in size.cells]
    behind = [None if cell == size.cells[0] else _lead_of(facts, size.cells[0], cell) for size, cell in rows]
    return table(
        Column("run", [cell for _, cell in rows]),
        Column("mean", [facts.mean(cell) for _, cell in rows], ".3f", "bpb_mean"),
        Column("behind the best", [lead and lead.mean for lead in behind], ".3f", "behind"),
        Column("95 %, corrected", [lead and lead.interval for lead in behind], ".3f", "behind"),
        Column("verdict", [_verdict(lead) if lead else "" for lead in behind]),
        Column("lowest on", [facts.first_on(size, cell) for size, cell in rows], "", "lowest_on"),
        *(
            Column(text.replace("_", " "), [facts.bpb[cell][text] for _, cell in rows], ".3f", f"bpb {text}")
            for text in facts.texts
        ),
    )


def note(comparisons: Comparisons) -> Line:
    """How the table of totals is read, and what was chosen by looking at some of these texts."""
    names = sorted({chosen_name(choice) for comparison in comparisons for choice in choices(comparison)})
    chosen = f" Chosen by looking at held-out text, which may be of these: {', '.join(names)}." if names else ""
    return [
        "A column that is headed by a text has the total bits per byte on it, of tokenizers and models that learned "
        "from the others alone, a mean over the seeds. In the mean over the texts each counts once. The interval is by "
        "t over the texts, with one degree of freedom less than texts. It is not exact, since any two trainings "
        f"share most of their text.{chosen}"
    ]


def pairs_table(comparisons: Comparisons) -> Table:
    """A row a pair of cells of a size."""
    facts = left_out(comparisons)
    leads = facts.leads if facts else []
    return table(
        Column("better", [lead.better for lead in leads]),
        Column("worse", [lead.worse for lead in leads]),
        Column("bits per byte", [lead.mean for lead in leads], ".3f", "difference"),
        Column("95 %, corrected", [lead.interval for lead in leads], ".3f", "over_texts"),
        Column("p", [lead.p for lead in leads], ".2g"),
        Column("ahead on", [len(lead.by_text) - len(lead.turns) for lead in leads], "", "ahead_on"),
        Column("behind on", [", ".join(lead.turns) for lead in leads], "", "behind_on"),
        Column("verdict", [_verdict(lead) for lead in leads]),
    )


def _verdict(lead: LeadOverTexts) -> str:
    return "resolved" if lead.resolved else f"not resolved{'' if lead.seeds > 1 else ', of one seed'}"


def pairs_note(comparisons: Comparisons) -> Line:
    facts = left_out(comparisons)
    pairs = len(facts.leads) if facts else 0
    return [
        "The better one, by the mean over the texts, stands first. Interval and p are corrected by Holm's method for "
        f"the number of pairs, which is {pairs}. A difference is resolved where p is below 0.05 and every cell has two "
        "seeds or more on every text."
    ]


def pairs_finding(comparisons: Comparisons) -> Line:
    facts = left_out(comparisons)
    return _holds(facts) if facts else []


def short_sections(comparisons: Comparisons) -> list[ShortSection]:
    """A section a text; none where texts were not left out one after another."""
    facts = left_out(comparisons)
    if facts is None:
        return []
    return [
        ShortSection(
            text,
            _lowest(one),
            sentence(*warning_lines(doubts(one)), held_equal_line(held_equal(one))),
            main_table(one),
        )
        for text, one in facts.every.items()
    ]


def _lowest(comparison: Comparison) -> Line:
    """The best of each size, without a word on whether it leads."""
    several = len(comparison.sizes) > 1
    best = [(size.cells[0], f" at size {size.name}" if several else "") for size in comparison.sizes]
    lowest: list[Line] = [
        [Code(name_of(cell)), f" needs {comparison.total(cell).value:.3f} bits per byte{where}"] for cell, where in best
    ]
    return [*listed(lowest), "."]
