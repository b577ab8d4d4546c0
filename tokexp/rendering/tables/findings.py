"""What each table of a report found, in a line computed from it: for who looks at its heading alone."""

from __future__ import annotations

from collections import Counter

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.correlation import correlations
from tokexp.analysis.differences import END, differences, leads
from tokexp.analysis.readability import lowest_temperature_distances
from tokexp.analysis.seed_experiment.insights import HOLDS, NOT, OPEN, insights
from tokexp.analysis.seed_experiment.published import reproductions
from tokexp.analysis.statements.chosen import Where, choices
from tokexp.analysis.texts.counts import own_counts
from tokexp.analysis.views import agreement
from tokexp.analysis.vocabulary import Optimum, Says, optima
from tokexp.rendering.sentences import BASELINES, terms_line
from tokexp.rendering.tables.columns import Column, Table
from tokexp.rendering.tables.insights import by_construction
from tokexp.rendering.tables.models import unsaid
from tokexp.rendering.text import Code, Line, listed, sentence


def of_bits(comparison: Comparison, _: Table) -> Line:
    best, worst = comparison.cells[0], comparison.cells[-1]
    if best == worst:
        return [Code(str(best)), f" needs {comparison.total(best).value:.3f}."]
    return [
        *(Code(str(best)), f" needs the fewest, {comparison.total(best).value:.3f}; "),
        *(Code(str(worst)), f" the most, {comparison.total(worst).value:.3f}."),
    ]


def of_differences(comparison: Comparison, _: Table) -> Line:
    resolved = [difference.resolved for difference in differences(comparison).values()]
    return [f"{sum(resolved)} of {_count(len(resolved), 'pair')} {_be(sum(resolved))} resolved."]


def of_baselines(comparison: Comparison, _: Table) -> Line:
    """How many cells are ahead of the best baseline of each family at their end, and of how many that is resolved."""
    ends = [lead for lead in leads(comparison) if lead.at == END]
    parts: list[Line] = []
    for baseline in dict.fromkeys(lead.baseline for lead in ends):
        against = [lead.difference for lead in ends if lead.baseline == baseline]
        ahead = [difference for difference in against if difference.mean > 0]
        resolved = sum(difference.resolved for difference in ahead)
        parts.append([
            f"{len(ahead)} of {len(against)} {_be(len(ahead))} ahead of {baseline.name}, {BASELINES[baseline.family]}",
            f" (resolved for {resolved})" if ahead else "",
        ])  # fmt: skip
    return [*listed(parts), "."]


def of_counts(comparison: Comparison, _: Table) -> Line:
    rows = own_counts(comparison).values()
    ahead, resolved = (sum(one.lead.mean > 0 for one in rows), sum(one.beaten for one in rows))
    return [f"{ahead} of {len(rows)} {_be(ahead)} ahead of them", f" (resolved for {resolved})." if ahead else "."]


def along_the_text(comparison: Comparison, table: Table) -> Line:
    eighths = [column.values for column in table.columns[1:]]
    rows: Counter[int] = Counter(values.index(min(values)) for values in eighths)
    row, n = rows.most_common(1)[0]
    return [Code(str(table.columns[0].values[row])), f" needs the fewest bits in {n} of the {len(eighths)} eighths."]


def of_views(comparison: Comparison, _: Table) -> Line:
    return terms_line(agreement(comparison))


def of_content(comparison: Comparison, table: Table) -> Line:
    """Which kind of bytes costs the first cell of the table the most, and which the least."""
    cell, *kinds = table.columns
    known = [column for column in kinds if column.values[0] is not None]
    if len(known) < 2:
        return []
    most, least = (choose(known, key=lambda column: column.values[0]) for choose in (max, min))
    return [*("For ", Code(str(cell.values[0])), f", {_kind(most)} costs the most and {_kind(least)} the least.")]


def _kind(column: Column) -> str:
    return f"{column.machine_name} ({column.values[0]:.2f})"


def of_readability(comparison: Comparison, _: Table) -> Line:
    distances = lowest_temperature_distances(comparison)
    if not distances:
        return []
    nearest = min(distances, key=lambda cell: distances[cell].mean())
    far = distances[nearest].mean()
    return ["The samples of ", Code(str(nearest)), f" are nearest to human text, {far:.2f} standard deviations away."]


def of_published(comparison: Comparison, _: Table) -> Line:
    held = [bool(row.reproduced) for row in reproductions(comparison) if row.off is not None]
    return [f"{sum(held)} of {_count(len(held), 'figure')} {_be(sum(held))} reproduced."]


def of_insights(comparison: Comparison, _: Table) -> Line:
    rows = insights(comparison)
    counted = Counter(insight.judgement for insight in rows)
    given = sum(map(by_construction, rows))
    return [
        f"{counted[HOLDS] - given} of {len(rows)} hold here, {given} more do by construction, {counted[NOT]} do not, "
        f"{counted[OPEN]} are open."
    ]


def of_losses(comparison: Comparison, _: Table) -> Line:
    losses = comparison.mean("val_loss")
    lowest = min(losses, key=lambda cell: losses[cell])
    each = comparison.mean("bytes_per_token")[lowest]
    return [Code(str(lowest)), f" has the lowest, but its tokens have only {each:.2f} bytes."]


def of_tokenizers(comparison: Comparison, _: Table) -> Line:
    each = comparison.mean("bytes_per_token")
    fewest, most = min(each, key=lambda cell: each[cell]), max(each, key=lambda cell: each[cell])
    if each[fewest] == each[most]:
        return [f"A token has {each[most]:.2f} bytes."]
    return [
        *("A token has from ", f"{each[fewest]:.2f} bytes (", Code(str(fewest)), ") "),
        *(f"to {each[most]:.2f} (", Code(str(most)), ")."),
    ]


def of_optimum(comparison: Comparison, _: Table) -> Line:
    return sentence(*([*_said(row), "."] for row in optima(comparison)))


def _said(row: Optimum) -> Line:
    """The optimum with its interval, or why it is not given."""
    who: Line = ["For ", Code(f"{row.arm} {row.size}"), " "]
    if row.says is not Says.OPTIMUM or row.drawn is None:
        return [*who, unsaid(row)]
    low, high = row.drawn.interval
    return [*who, f"it has about {row.lowest:,.0f} tokens ({low:,.0f} to {high:,.0f})"]


def of_prediction(comparison: Comparison, _: Table) -> Line:
    rows = correlations(comparison)
    telling = sum(not row.interval.has_zero for row in rows)
    return [f"The interval excludes zero for {telling} of {_count(len(rows), 'correlation')}."]


def of_choices(comparison: Comparison, _: Table) -> Line:
    made = choices(comparison)
    here = sum(choice.where is Where.RANKS for choice in made)
    return [f"{here} of {_count(len(made), 'choice')} {'was' if here == 1 else 'were'} made on the text that ranks."]


def of_cost(comparison: Comparison, _: Table) -> Line:
    seconds, flops = comparison.means.train_seconds, comparison.means.flops
    low, high = f"{seconds.min():,.0f}", f"{seconds.max():,.0f}"
    took = f"A run trained for {low if low == high else f'{low} to {high}'} s"
    return [took, f" and took {_range(flops.min(), flops.max(), '.2g')} FLOPs."]


def of_parameters(comparison: Comparison, _: Table) -> Line:
    totals = comparison.means.params_total
    return [f"A model has {_range(totals.min(), totals.max(), ',.0f')}."]


def _range(low: float, high: float, form: str) -> str:
    return f"{low:{form}}" if low == high else f"{low:{form}} to {high:{form}}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _be(n: int) -> str:
    return "is" if n == 1 else "are"
