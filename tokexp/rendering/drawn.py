"""What `page.js` draws, as plain values: the curves of every cell, and the samples cut into pieces."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from tokexp.analysis.tables import baselines_of, records
from tokexp.analysis.views import AXES
from tokexp.rendering.readme import caption
from tokexp.rendering.style import Look
from tokexp.runs.study import Study

AXIS_TITLES = {
    "steps": "optimizer steps",
    "bytes": "training text read, repetitions included (bytes)",
    "FLOPs": "FLOPs of training",
    "seconds": "seconds of training",
}
# Columns of curves.csv that may be drawn, and the title of their axis.
MEASURES = {
    "val_bpb": "bits per byte held out, restoration included",
    "val_loss": "held-out loss, nats per token, not to be compared",
    "train_loss": "training loss, nats per token, not to be compared",
    "grad_norm_mean": "gradient norm before clipping",
    "lr": "learning rate",
}
PANEL = ("loss_mean", "loss_min", "loss_max", "grad_norm_min", "grad_norm_max")  # of one run, besides MEASURES
# What style.py calls lines and markers, as plotly does.
DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross", "X": "x",
    "*": "star",
}  # fmt: skip
DIGITS = 6

Hues = dict[str, str]  # the colour of what names a cell, as #rrggbb


def island(value: Any) -> Markup:
    """JSON that may stand in a script element: no tag, no comment, no line separator in it can end or change it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def curves_of(study: Study, runs: pd.DataFrame, look: dict[str, Look]) -> list[dict[str, Any]]:
    """A cell each, best total first: its runs' evaluations, and where it has several seeds their mean and range.

    `runs` have their `cell` and `label`.
    """
    by_run = dict(list(study.curves.groupby("name")))
    found: list[dict[str, Any]] = []
    for name, its in look.items():
        own = runs[runs.cell == name]
        curves = [by_run[run] for run in own["name"]]
        cell: dict[str, Any] = {"name": name, "arm": own.arm.iloc[0], "seeds": len(own)}
        cell |= {"colour": its.colour.lower(), "dash": DASHES[its.line], "symbol": SYMBOLS[its.marker]}
        cell["runs"] = [{"label": label, **_points(curve)} for label, curve in zip(own.label, curves, strict=True)]
        if len(own) > 1:
            cell["mean"] = _mean(curves)
        found.append(cell)
    return found


def _points(curve: pd.DataFrame) -> dict[str, Any]:
    own = [name for name in (*MEASURES, *PANEL) if name in curve]
    return {
        "x": {axis: _short(curve[column]) for axis, (column, _) in AXES.items()},
        "y": {name: _short(curve[name]) for name in own},
    }


def _mean(curves: list[pd.DataFrame]) -> dict[str, Any]:
    """Over the seeds, at the steps at which all of them were evaluated: mean, least and most."""
    together = pd.concat(curves).groupby("step")
    everywhere = together.size() == len(curves)
    drawn = [name for name in MEASURES if name in curves[0]]
    mean, low, high = (
        getattr(together, how)(numeric_only=True)[everywhere].reset_index() for how in ("mean", "min", "max")
    )
    return {
        "x": {axis: _short(mean[column]) for axis, (column, _) in AXES.items()},
        "y": {name: _short(mean[name]) for name in drawn},
        "low": {name: _short(low[name]) for name in drawn},
        "high": {name: _short(high[name]) for name in drawn},
    }


def _short(values: pd.Series) -> list[float | int | None]:
    """As many digits as a screen has room for; null for what is no number."""
    rounded = [float(f"{value:.{DIGITS}g}") for value in values]
    return [(int(v) if v == int(v) else v) if math.isfinite(v) else None for v in rounded]


def baselines_drawn(study: Study, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """The best one of each family."""
    best = baselines_of(study, runs).sort_values("val_bpb").drop_duplicates("family")
    return [{"name": f"{row['baseline']} ({row['family']})", "bpb": round(row["val_bpb"], 4)} for row in records(best)]


def samples_of(study: Study, runs: pd.DataFrame, hues: Hues) -> dict[str, Any]:
    """What the runs wrote: `draws`, each under the same terms for all, and for each run its text in each draw.

    `runs` have their `cell` and `label`.
    """
    names = set(runs["name"])
    texts = {(row["name"], *_draw(row)): row for row in study.samples if row["name"] in names}
    cut = {(row["name"], *_draw(row)): row for row in study.segments if row["of"] == "sample" and row["name"] in names}
    draws = sorted({key[1:] for key in texts}, key=lambda draw: (draw[0] != "tokens", *draw))
    found = []
    for run, cell, label in zip(runs["name"], runs.cell, runs.label, strict=True):
        own = [_written(texts.get((run, *draw)), cut.get((run, *draw))) for draw in draws]
        if any(own):
            found.append({"label": label, "cell": cell, "colour": hues[label], "texts": own})
    return {"draws": [_described(*draw) for draw in draws], "runs": found}


def _draw(row: dict[str, Any]) -> tuple[str, float, int]:
    return row["equal"], row["temperature"], row["sample"]


def _described(equal: str, temperature: float, sample: int) -> str:
    what = "equal tokens" if equal == "tokens" else "equal characters"
    return f"{what}, temperature {temperature:g}, sample {sample + 1}"


def _written(row: dict[str, Any] | None, cut: dict[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    marks = {key: (cut or {}).get(key, []) for key in ("bytes", "unknown", "copied", "new_words")}
    if sum(marks["bytes"]) != len(row["text"].encode()):  # left by another run: no pieces rather than wrong ones
        marks = {key: [] for key in marks}
    return {"text": row["text"], "caption": caption(row), **marks}
