"""The picture of parallel languages: what a paragraph costs in each, a mark a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.languages import ENGLISH, in_languages
from tokexp.rendering.figures.style import MARKERS, arm_colours

FIGURES = {"tokens per paragraph": "tokens_per_paragraph", "bits per paragraph": "bits_per_paragraph"}


def languages(comparisons: Sequence[Comparison]) -> Figure | None:
    """Tokens and bits per paragraph, a row a language; None where there are fewer than two."""
    rows = in_languages(comparisons)
    names = sorted({row.language for row in rows}, key=lambda name: (name != ENGLISH, name))
    if len(names) < 2:
        return None
    series = sorted({(row.cell, row.together) for row in rows})
    colours = arm_colours(name for name, _ in series)
    labels = {one: f"{one[0]}, of {one[1]}" if one[1] else one[0] for one in series}
    figure = Figure(figsize=(8, 1.4 + 0.3 * len(names) + 0.2 * ((len(series) + 3) // 4)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (label, column) in zip(panels, FIGURES.items(), strict=True):
        for i, one in enumerate(series):
            some = [row for row in rows if (row.cell, row.together) == one]
            axes.plot([getattr(row, column) for row in some], [names.index(row.language) for row in some],
                      MARKERS[i % len(MARKERS)], color=colours[one[0]], ms=7, label=labels[one],
                      mfc="white" if one[1] else colours[one[0]], mew=1.6)  # fmt: skip
        axes.set(xlabel=label)
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=min(4, len(series)), frameon=False, fontsize=9)
    return figure
