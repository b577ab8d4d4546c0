"""What `page.js` draws, as plain values: the curves of every cell, and the samples with their pieces and marks."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison, baseline_of
from tokexp.analysis.curves import MeanCurve, curves_by_run, mean_curves
from tokexp.analysis.views import AXES
from tokexp.rendering.figures.style import Look, looks
from tokexp.rendering.page.pictures import variable_of
from tokexp.rendering.page.pieces import StyledText, cut_sample

AXIS_TITLES = {
    "steps": "optimizer steps",
    "bytes": "training text read, repetitions included (bytes)",
    "FLOPs": "FLOPs of training",
    "seconds": "seconds of training",
}
# Columns of curves.csv that may be drawn: what they are called, and what must be known besides.
MEASURES = {
    "val_bpb": ("bits per byte held out", ", restoration included"),
    "val_loss": ("held-out loss", ", nats per token, not to be compared"),
    "train_loss": ("training loss", ", nats per token, not to be compared"),
    "grad_norm_mean": ("gradient norm before clipping", ""),
    "lr": ("learning rate", ""),
}
MEASURE_TITLES = {name: what + more for name, (what, more) in MEASURES.items()}
# What style.py calls lines and markers, as plotly does.
DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross", "X": "x",
    "*": "star",
}  # fmt: skip
DIGITS = 6  # as many as a screen has room for


def island(value: Any) -> Markup:
    """JSON that may stand in a script element: no tag, no comment, no line separator in it can end or change it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def chart(comparison: Comparison, sampled: list[str]) -> dict[str, Any]:
    """All that is drawn of a comparison. `sampled`: the names of the runs whose samples are shown."""
    best = {cell.arm: cell for cell in reversed(comparison.cells)}.values()
    return {
        "cells": [_cell(comparison, cell, look, cell in best) for cell, look in looks(comparison).items()],
        "baselines": _baselines(comparison),
        "samples": _samples(comparison, sampled),
    }


def _cell(comparison: Comparison, cell: Cell, look: Look, best_of_arm: bool) -> dict[str, Any]:
    """Its runs' evaluations, and where it has several seeds their mean and range."""
    runs, curves = comparison.runs_of(cell), curves_by_run(comparison)
    entry: dict[str, Any] = {"name": str(cell), "arm": cell.arm, "seeds": len(runs), "best_of_arm": best_of_arm}
    entry |= {"colour": variable_of(look.colour)}
    entry |= {"dash": DASHES[look.line], "symbol": SYMBOLS[look.marker]}
    steps = {name: int(curves[name].step.max()) for name in runs["name"]}
    entry["runs"] = [{"label": comparison.labels[name], **_points(curves[name], steps[name])} for name in steps]
    if len(runs) > 1:
        entry["mean"] = _mean(mean_curves(comparison)[cell], max(steps.values()))
    return entry


def _points(curve: pd.DataFrame, steps: int) -> dict[str, Any]:
    """`steps`: of the whole schedule."""
    return {
        "percent": [round(100 * step / steps) for step in curve.step],  # of its schedule
        "x": {axis: _numbers(curve[column]) for axis, column in AXES.items()},
        "y": {name: _numbers(curve[name]) for name in MEASURES if name in curve},
    }


def _mean(curve: MeanCurve, steps: int) -> dict[str, Any]:
    low, high = _points(curve.low, steps), _points(curve.high, steps)
    return {**_points(curve.mean, steps), "low": low["y"], "high": high["y"]}


def _numbers(values: pd.Series) -> list[float | int | None]:
    """Rounded; null for what is no number."""
    rounded = [float(f"{value:.{DIGITS}g}") for value in values]
    return [(int(v) if v == int(v) else v) if math.isfinite(v) else None for v in rounded]


def _baselines(comparison: Comparison) -> list[dict[str, Any]]:
    """The best one of each family; none where the curves are of another text than what they were scored on."""
    if not comparison.evaluates_all:
        return []
    best = comparison.best_baselines
    named = zip(best.itertuples(), best.val_bpb.tolist(), strict=True)
    return [{"name": str(baseline_of(row)), "bpb": round(bpb, 4)} for row, bpb in named]


Draw = tuple[str, float, int]  # what was equal, at which temperature, the how manieth


def _samples(comparison: Comparison, sampled: list[str]) -> dict[str, Any]:
    """What the runs wrote: `draws`, each under the same terms for all, and for each run its text in each draw.

    `classes`: by number, the classes of CSS that a bit of text may have, those of its piece and those of its marks.
    """
    texts = {(row["name"], *_draw(row)): row for row in comparison.study.samples if row["name"] in sampled}
    cut = {
        (row["name"], *_draw(row)): row
        for row in comparison.study.segments
        if row["of"] == "sample" and row["name"] in sampled
    }
    draws: list[Draw] = sorted({key[1:] for key in texts}, key=lambda draw: (draw[0] != "tokens", *draw))
    classes: dict[tuple[str, str], int] = {}
    runs = []
    for name, cell in comparison.cell_of.items():
        keys = [(name, *draw) for draw in draws]
        if name in sampled and any(key in texts for key in keys):
            written = [_text(texts[key], cut.get(key), classes) if key in texts else None for key in keys]
            colour = variable_of(looks(comparison)[cell].colour)
            runs.append({"label": comparison.labels[name], "cell": str(cell), "colour": colour, "texts": written})
    return {"draws": [_title(*draw) for draw in draws], "runs": runs, "classes": list(classes)}


def _draw(row: dict[str, Any]) -> Draw:
    return row["equal"], row["temperature"], row["sample"]


def _title(equal: str, temperature: float, sample: int) -> str:
    what = "equal tokens" if equal == "tokens" else "equal characters"
    return f"{what}, temperature {temperature:g}, sample {sample + 1}"


def _text(row: dict[str, Any], cut: dict[str, Any] | None, classes: dict[tuple[str, str], int]) -> dict[str, Any]:
    """A text and its spans: how long each is, in JavaScript's characters, and the number of its classes."""
    spans = cut_sample(row["text"], cut) if cut else [StyledText(row["text"])]
    return {
        "text": row["text"],
        "caption": caption(row),
        "pieces": len(cut["bytes"]) if cut and any(span.piece for span in spans) else 0,
        "lengths": [len(span.text.encode("utf-16-le")) // 2 for span in spans],
        "kinds": [classes.setdefault((span.piece, span.marks), len(classes)) for span in spans],
    }


def caption(row: dict[str, Any]) -> str:
    return f"{row['prompt']!r}, temperature {row['temperature']}, {len(row['text']):,} characters"
