"""The tables over all texts of a study: corpus by tokenizer, language by tokenizer, and texts left out in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.languages import ENGLISH, InLanguage, in_languages
from tokexp.analysis.texts.left_out import left_out
from tokexp.rendering import left_out as left_out_page
from tokexp.rendering.corpora import size
from tokexp.rendering.tables.columns import Column, Table, table
from tokexp.rendering.tables.forms import numbers, write_table
from tokexp.rendering.text import Code, Line, joined, listed

Comparisons = Sequence[Comparison]
WITHIN = (
    "Within a corpus, all figures are over the same bytes and may be compared. Between corpora they may not: bits per "
    "byte measure the text as much as the model."
)
PARAGRAPH = " Between parallel languages compare bits per paragraph, since a paragraph is the same text in each."


@dataclass(frozen=True)
class AcrossSection:
    """A table over all corpora, or over all texts of one."""

    name: str  # of its files in tables/
    heading: str
    note: Callable[[Comparisons], Line]
    make: Callable[[Comparisons], Table]
    finding: Callable[[Comparisons], Line]
    folded: bool = False


def corpora_table(comparisons: Comparisons) -> Table:
    """A row a corpus, a column a tokenizer; nothing for one corpus, also where its texts were left out in turn."""
    if len(comparisons) < 2 or left_out(comparisons):
        return Table()
    by_name = [{str(cell): comparison.total(cell) for cell in comparison.cells} for comparison in comparisons]
    names = sorted({name for totals in by_name for name in totals})
    seeds = [sorted({int(n) for n in comparison.means.seeds}) for comparison in comparisons]
    return table(
        Column("corpus", [corpus_name(comparison) for comparison in comparisons]),
        Column("held-out bytes", [comparison.scored_bytes for comparison in comparisons], ",.0f", "scored_bytes"),
        Column("seeds", [f"{n[0]} to {n[-1]}" if len(n) > 1 else n[0] for n in seeds]),
        *(Column(name, [totals.get(name) for totals in by_name], ".3f", f"bpb {name}") for name in names),
    )


def corpus_name(comparison: Comparison) -> str:
    return f"{comparison.corpus} {comparison.language}".strip()


def corpora_note(comparisons: Comparisons) -> Line:
    parallel = any(comparison.language for comparison in comparisons)
    figures = "A figure is the total bits per byte of the held-out text, ± half of its 95 % interval over the seeds. "
    return [f"{figures}{WITHIN}{PARAGRAPH if parallel else ''}"]


def corpora_finding(comparisons: Comparisons) -> Line:
    """Which tokenizer needs the fewest bits, of how many corpora."""
    first: dict[str, list[str]] = {}
    for comparison in comparisons:
        first.setdefault(str(comparison.cells[0]), []).append(corpus_name(comparison))
    if len(first) == 1 and len(comparisons) > 1:
        return [Code(next(iter(first))), f" needs the fewest bits on each of the {len(comparisons)} corpora."]
    each: list[Line] = [[Code(cell), f" on {' and '.join(names)}"] for cell, names in first.items()]
    return ["The fewest bits are needed by ", *listed(each), "."]


def language_table(comparisons: Comparisons) -> Table:
    """A row a language and tokenizer; premiums where English is there."""
    rows = in_languages(comparisons)
    if not rows:
        return Table()
    together = [Column("trained on", [row.together or row.language for row in rows])]
    return table(
        Column("language", [row.language for row in rows]),
        Column("run", [row.cell for row in rows]),
        *(together if any(row.together for row in rows) else []),
        Column("bits/paragraph", [row.bits_per_paragraph for row in rows], ",.1f", "bits_per_paragraph"),
        *_premiums(rows, "bits"),
        Column("tokens/paragraph", [row.tokens_per_paragraph for row in rows], ",.2f", "tokens_per_paragraph"),
        *_premiums(rows, "tokens"),
        Column("bits per byte", [row.bpb for row in rows], ".3f", "bpb"),
        Column("of which restoration", [row.restoration or None for row in rows], ".3f", "bpb_restoration"),
        Column("unknown", [row.unk_rate for row in rows], ".2%", "unk_rate"),
    )


def _premiums(rows: list[InLanguage], what: str) -> list[Column]:
    premiums = [getattr(row, f"{what}_premium") for row in rows]
    if not any(premiums):
        return []
    return [
        Column(f"{what}, times English", [one and one.value for one in premiums], ".2f", f"{what}_premium"),
        Column("95 %, over pages", [one and one.interval for one in premiums], ".2f", f"{what}_premium"),
    ]


def language_note(comparisons: Comparisons) -> Line:
    rows = in_languages(comparisons)
    note = (
        "The languages have the same pages, and a paragraph is the same text in each; a byte is not. A premium is how "
        "many times what English needs a paragraph needs, with the same tokenizer (Petrov et al. 2023). It is over "
        "the pages that both languages have, and so is its interval."
    )
    if not any(row.language == ENGLISH for row in rows):
        return [f"{note.split(' A premium')[0]} There is no English ({ENGLISH}) in this study, and so no premium."]
    return [note]


def language_finding(comparisons: Comparisons) -> Line:
    """The language that needs the most tokens for what English says, with each tokenizer."""
    rows = [row for row in in_languages(comparisons) if row.tokens_premium]
    lines: list[Line] = []
    for cell in sorted({(row.cell, row.together) for row in rows}):
        most = max(
            (row for row in rows if (row.cell, row.together) == cell),
            key=lambda row: row.tokens_premium.value if row.tokens_premium else 0.0,
        )
        assert most.tokens_premium
        of = f" of {most.together}" if most.together else ""
        times = f"{most.tokens_premium.value:.2f} times as many tokens as in English, in {most.language}"
        lines.append([Code(most.cell), f"{of} needs at most {times}"])
    if not lines:
        return ["There is no English to hold the languages against."] if in_languages(comparisons) else []
    return ["For a paragraph, ", *joined(lines, "; "), "."]


ACROSS = [
    AcrossSection(
        "left_out", "Texts left out in turn", left_out_page.note, left_out_page.totals_table, left_out_page.finding
    ),
    AcrossSection(
        "left_out_pairs", "Which differences hold on texts that nobody saw", left_out_page.pairs_note,
        left_out_page.pairs_table, left_out_page.pairs_finding, folded=True,
    ),
    AcrossSection("corpora", "Corpus by tokenizer", corpora_note, corpora_table, corpora_finding),
    AcrossSection("languages", "Language by tokenizer", language_note, language_table, language_finding),
]  # fmt: skip


def tables_across(comparisons: Comparisons) -> list[tuple[AcrossSection, Table]]:
    return [(section, made) for section in ACROSS if len(made := section.make(comparisons))]


def write_across(comparisons: Comparisons, folder: Path) -> set[Path]:
    """Write the files of each; the paths."""
    written: set[Path] = set()
    for section, made in tables_across(comparisons):
        what = f"{len(comparisons)} texts, {size(sum(one.scored_bytes for one in comparisons))} held out"
        written.update(write_table(section.name, [(what, made)], numbers(made), folder))
    return written
