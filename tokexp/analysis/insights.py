"""Do the seed experiment's six insights hold? Each with the figures of this sweep that speak for or against it.

Computed, not written: a sweep of other tokenizers, another text or more steps may say otherwise. What a
few cells cannot tell is said to be open.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tokexp.analysis.content import content_of
from tokexp.analysis.readability import readings, temperatures, typical_distances
from tokexp.analysis.statistics import LEVEL, welch_p
from tokexp.analysis.store import Study
from tokexp.analysis.tables import by_cell, cells

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
        granularity(means),
        no_free_lunch(study, runs, means, near),
    ]
    return pd.DataFrame(found, columns=["the seed experiment said", "this sweep", "verdict"])


def distances(study: Study, runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """How far each cell's samples are from human text, of each seed, at the lowest temperature that was scored."""
    at = temperatures(study, runs)
    return typical_distances(study, runs, at[0]) if at else {}


def lower_loss_is_not_better_output(means: pd.DataFrame, near: dict[str, np.ndarray]) -> Insight:
    """For it: samples that are nearer to human text than those with the lowest loss per token, by Welch over seeds."""
    said = "A lower loss is not better output"
    if len(near) < 2:
        return said, "", OPEN
    lowest, nearest = str(means.val_loss.idxmin()), min(near, key=lambda cell: near[cell].mean())
    figures = (
        f"lowest loss per token: {lowest} ({means.val_loss[lowest]:.2f} nats, "
        f"{means.val_bpb[lowest]:.3f} bits per byte); nearest to human text: {nearest} "
        f"({near[nearest].mean():.2f} sd, {lowest} {near[lowest].mean():.2f})"
    )
    if lowest == nearest:
        return said, figures, NOT
    if min(len(near[lowest]), len(near[nearest])) < 2:
        return said, figures + "; one seed cannot tell", OPEN
    real = welch_p(near[lowest], near[nearest]) < LEVEL
    return said, figures if real else figures + ", which the seeds do not tell apart", HOLDS if real else OPEN


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
    """For it: the steadiest and the least steady cell differ by more than twice the standard error over seeds."""
    said = "Some tokenizers train more stably"
    grouped = runs.assign(cell=cells(runs)).groupby("cell").grad_norm_spikes
    shares = grouped.mean()
    figures = "steps whose gradient norm is over 3 times the median of the 50 before: " + _each(shares, ".2%")
    if len(shares) < 2 or grouped.size().min() < 2:
        return said, figures + "; one seed cannot tell", OPEN
    error = np.array(np.sqrt(grouped.var(ddof=1) / grouped.size()))
    least, most = int(shares.argmin()), int(shares.argmax())
    holds = shares.max() - shares.min() > 2 * np.hypot(error[most], error[least])
    return said, figures, HOLDS if holds else NOT


def granularity(means: pd.DataFrame) -> Insight:
    """For it: over the cells, Spearman's rank correlation of bytes per token and bits per byte is below -0.5."""
    said = "The curse of granularity: the finer the tokens, the less a context holds and the more there is to learn"
    context = means.block_size * means.chars_per_token
    figures = "characters in a full context: " + _each(context, ",.0f")
    if len(means) < 3:
        return said, figures, OPEN
    correlation = means.bytes_per_token.rank().corr(means.val_bpb.rank())
    figures += f"; rank correlation of bytes per token and bits per byte {correlation:+.2f} over {len(means)} cells"
    return said, figures, HOLDS if correlation < -0.5 else NOT


def no_free_lunch(study: Study, runs: pd.DataFrame, means: pd.DataFrame, near: dict[str, np.ndarray]) -> Insight:
    """Against it: one cell is best by every criterion."""
    said = "There is no free lunch: no tokenizer is best at everything"
    best = {
        "bits per byte": means.val_bpb.idxmin(),
        "fewest parameters": means.params_total.idxmin(),
        "shortest training": means.train_seconds.idxmin(),
        "fewest unknown tokens": means.unk_rate.idxmin(),
    }
    if near:
        best["samples nearest to human text"] = min(near, key=lambda cell: near[cell].mean())
    unseen = content_of(study, runs, "word").get("unseen")
    if unseen is not None and len(unseen.dropna()):
        best["words never seen in training"] = unseen.idxmin()
    figures = "best at " + "; ".join(f"{criterion}: {cell}" for criterion, cell in best.items())
    if len(means) < 2:
        return said, figures, OPEN
    return said, figures, NOT if len(set(best.values())) == 1 else HOLDS


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
