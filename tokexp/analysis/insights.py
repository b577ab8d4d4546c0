"""Do the seed experiment's six insights hold? Each with the figures of this sweep that speak for or against it.

Computed, not written: a sweep of other tokenizers, another text or more steps may say otherwise. What a
few cells cannot tell is said to be open.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from tokexp.analysis.content import content_of
from tokexp.analysis.correlation import FEWEST, interval, spearman
from tokexp.analysis.readability import readings, temperatures, typical_distances
from tokexp.analysis.statistics import LEVEL, holm, welch_p
from tokexp.analysis.tables import by_cell, by_size, cells
from tokexp.runs.study import Study

MOST_NAMED = 2  # that are equally good
HOLDS, NOT, OPEN = "holds here", "does not hold here", "open"
Insight = tuple[str, str, str]  # what the seed said, the figures, the verdict


def insights(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    means = by_cell(runs).set_index("cell")
    near = distances(study, runs)
    found = [
        lower_loss_is_not_better_output(means, near),
        same_architecture_other_size(means),
        same_tokens_other_text(means),
        stability(runs),
        granularity(runs),
        no_free_lunch(study, runs, near),
    ]
    return pd.DataFrame(found, columns=["the seed experiment said", "this sweep", "verdict"])


def distances(study: Study, runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """How far each cell's samples are from human text, of each seed, at the lowest temperature that was scored."""
    at = temperatures(study, runs)
    return typical_distances(study, runs, at[0]) if at else {}


def lower_loss_is_not_better_output(means: pd.DataFrame, near: dict[str, np.ndarray]) -> Insight:
    """For it: samples that are nearer to human text than those with the lowest loss per token, by Welch over seeds.

    Against it: these are the nearest, by the same test beside the next ones.
    """
    said = "A lower loss is not better output"
    if len(near) < 2:
        return said, "", OPEN
    lowest, nearest = str(means.val_loss.idxmin()), min(near, key=lambda cell: near[cell].mean())
    figures = (
        f"lowest loss per token: {lowest} ({means.val_loss[lowest]:.2f} nats, "
        f"{means.val_bpb[lowest]:.3f} bits per byte); nearest to human text: {nearest} "
        f"({near[nearest].mean():.2f} sd, {lowest} {near[lowest].mean():.2f})"
    )
    if min(map(len, near.values())) < 2:
        return said, figures + "; one seed cannot tell", OPEN
    other = min(near.keys() - {nearest}, key=lambda cell: near[cell].mean()) if lowest == nearest else lowest
    if welch_p(near[other], near[nearest]) >= LEVEL:
        return said, f"{figures}; the seeds do not tell {nearest} from {other}", OPEN
    return said, figures, NOT if lowest == nearest else HOLDS


def same_architecture_other_size(means: pd.DataFrame) -> Insight:
    said = "The same architecture has another number of parameters"
    related = 1 - means.params_body / means.params_total
    figures = f"bodies of {_range(means.params_body, ',.0f')}, totals of {_range(means.params_total, ',.0f')}; "
    figures += f"embedding-related {_range(related, '.1%')}"
    same = means.groupby("params_body").params_total.agg(["size", "nunique"]).query("size > 1")
    if not len(same):
        return said, figures, OPEN
    return said, figures, HOLDS if same["nunique"].max() > 1 else NOT


def same_tokens_other_text(means: pd.DataFrame) -> Insight:
    chars = means.sample_chars_500
    figures = "characters in the sample of equal tokens: " + _each(chars, ",.0f")
    if len(means) < 2:
        return "The same number of tokens is another amount of text", figures, OPEN
    holds = chars.max() > 1.1 * chars.min()
    return "The same number of tokens is another amount of text", figures, HOLDS if holds else NOT


def stability(runs: pd.DataFrame) -> Insight:
    """For it: two cells of one size of model that Welch's t tells apart, all pairs taken together (Holm)."""
    said = "Some tokenizers train more stably"
    named = runs.assign(cell=cells(runs))
    shares = named.groupby("cell").grad_norm_spikes.mean()
    figures = "steps whose gradient norm is over 3 times the median of the 50 before: " + _each(shares, ".2%")
    if len(shares) < 2 or named.groupby("cell").size().min() < 2:
        return said, figures + "; one seed cannot tell", OPEN
    if shares.nunique() == 1:
        return said, figures, NOT
    found = []
    for _, own in named.groupby("size"):
        spikes = [cell.to_numpy() for _, cell in own.groupby("cell").grad_norm_spikes]
        found += [welch_p(one, other) for one, other in itertools.combinations(spikes, 2)]
    holds = min(holm(found), default=1.0) < LEVEL
    return said, figures if holds else figures + "; the seeds do not tell them apart", HOLDS if holds else OPEN


def granularity(runs: pd.DataFrame) -> Insight:
    """For it: bytes per token go with fewer bits per byte over the cells of each size of model, beyond chance."""
    said = "The curse of granularity: the finer the tokens, the less a context holds and the more there is to learn"
    means = by_cell(runs).set_index("cell")
    figures = "characters in a full context: " + _each(means.block_size * means.chars_per_token, ",.0f")
    found = []
    for size, own in by_size(runs):
        x, y = own.bytes_per_token.to_numpy(), own.val_bpb.to_numpy()
        if len(own) >= FEWEST and not np.isnan(spearman(x, y)):
            low, high = interval(x, y)
            found.append((low, high))
            figures += f"; size {size}: rank correlation of bytes per token and bits per byte "
            figures += f"{spearman(x, y):+.2f} ({low:+.2f} to {high:+.2f}) over {len(own)} cells"
    if not found:
        return said, figures + f"; fewer than {FEWEST} cells of a size cannot tell", OPEN
    if all(high < 0 for _, high in found):
        return said, figures, HOLDS
    return said, figures, NOT if all(low > 0 for low, _ in found) else OPEN


def no_free_lunch(study: Study, runs: pd.DataFrame, near: dict[str, np.ndarray]) -> Insight:
    """Against it: of the models of one size, one is best by every criterion, or as good as any."""
    said = "There is no free lunch: no tokenizer is best at everything"
    unseen = content_of(study, runs, "word").get("unseen", pd.Series(dtype=float)).dropna()
    lines, best_at_all = [], False
    for size, own in by_size(runs):
        means = own.set_index("cell")
        criteria = {
            "bits per byte": means.val_bpb,
            "fewest parameters": means.params_total,
            "fewest FLOPs": means.flops,
            "fewest unknown tokens": means.unk_rate,
            "samples nearest to human text": pd.Series({cell: near[cell].mean() for cell in own.cell if cell in near}),
            "words never seen in training": unseen[unseen.index.isin(means.index)],
        }
        best = {what: list(values.index[values == values.min()]) for what, values in criteria.items() if len(values)}
        best_at_all |= len(means) > 1 and bool(set.intersection(*map(set, best.values())))
        lines.append(f"size {size}: " + "; ".join(f"{what}: {_some(names)}" for what, names in best.items()))
    figures = "best, " + ". ".join(lines)
    if all(len(own) < 2 for _, own in by_size(runs)):
        return said, figures, OPEN
    return said, figures, NOT if best_at_all else HOLDS


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} of them alike"


def seed_rows(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """The rows that the seed experiment's table ticked by eye, each as a figure: a row a cell."""
    means = by_cell(runs).set_index("cell")
    near = distances(study, runs)
    unseen = content_of(study, runs, "word").get("unseen", pd.Series(dtype=float))
    at = temperatures(study, runs)
    read = readings(study, runs, at[0]) if at else {}

    def rows() -> Iterator[dict[str, str]]:
        for cell in means.index:
            measures = read.get(cell, {})

            def shown(name: str, measures: dict = measures) -> str:
                if name not in measures or np.isnan(measures[name].mean):
                    return ""
                return f"{measures[name].mean:.1%} ({measures[name].distance:+.1f} sd)"

            yield {
                "run": cell,
                "readability: real words": shown("real_words"),
                "median distance from human text": f"{near[cell].mean():.2f} sd" if cell in near else "",
                "out of vocabulary: tokens": f"{means.unk_rate[cell]:.2%}",
                "bits per byte of unseen words": f"{unseen[cell]:.2f}" if cell in unseen else "",
                "character names that exist": shown("speaker_names"),
                "natural phrases: seen trigrams": shown("seen_trigrams"),
                "of which copied: seen 8-grams": shown("copied_8grams"),
                "gradient-norm spikes": f"{means.grad_norm_spikes[cell]:.2%}",
            }

    return pd.DataFrame(list(rows()))


def _each(values: pd.Series, form: str) -> str:
    return ", ".join(f"{cell} {format(value, form)}" for cell, value in values.items())


def _range(values: pd.Series, form: str) -> str:
    low, high = format(values.min(), form), format(values.max(), form)
    return low if low == high else f"{low} to {high}"
