"""`index.html`: a report as one page, to be opened from a file, without a network.

The tables and sentences are those of the README; the curves, which plotly draws, and the samples cut
into pieces are for eyes that want to look closer. Without JavaScript, and on paper, the tables, the
pictures of `figures.py` and the first samples are there.

What comes from texts, models and settings is escaped: by Jinja in HTML, as \\u003c in JSON, in `page.js` by
`textContent` alone. Scripts other than those of the page are refused by its Content-Security-Policy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from tokexp.analysis.figures import FIGURES
from tokexp.analysis.page import MOST_PANELS, absent, caption, held_equal, provenance, question, ranking
from tokexp.analysis.panels import panel_names
from tokexp.analysis.sections import Made, Section, make_sections
from tokexp.analysis.store import Study
from tokexp.analysis.style import Look, looks
from tokexp.analysis.tables import baselines_of, cells, labels, records, tokenizer_names
from tokexp.analysis.views import AXES
from tokexp.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
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
# Pictures that the curves show too, and so are for paper and for no JavaScript alone.
DRAWN_AGAIN = ("bits_per_byte", "flops", "sweep_panel")
# What style.py calls lines and markers, as plotly does.
DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross", "X": "x",
    "*": "star",
}  # fmt: skip
MOST_SAMPLED = 24  # runs whose samples are all shown; of more, those of each cell's first seed
DIGITS = 6
SHORT = 28  # characters that are kept in one line
LIGHT_ENOUGH = 0.2  # relative luminance of what is seen on the dark page

Hues = dict[str, str]  # the colour of what names a cell, as #rrggbb


@dataclass(frozen=True)
class Field:
    """A cell of a table. `colour`: that of the run which it names, or ""; `kind`: the CSS class of its column."""

    text: Markup
    colour: str
    kind: str


@dataclass(frozen=True)
class Grid:
    head: list[Field]
    rows: list[list[Field]]


@dataclass(frozen=True)
class Card:
    """A sample as plain text."""

    label: str
    colour: str
    caption: str
    text: str


@dataclass(frozen=True)
class Cut:
    """A line of the held-out passage under one tokenizer."""

    label: str
    colour: str
    begin: int  # pieces that begin in the line
    pieces: list[tuple[str, str]]  # CSS class and text


@dataclass(frozen=True)
class Image:
    caption: str
    source: str  # data URI
    drawn_again: bool


@dataclass(frozen=True)
class Part:
    """What the page says of the runs that were scored on the same bytes."""

    title: str
    answer: list[Markup]
    held_equal: Markup
    sections: list[tuple[Section, Markup, Grid]]
    images: list[Image]
    panels: list[Image]
    colours: set[str]
    cards: list[tuple[str, list[Card]]]
    lines: list[list[Cut]]
    data: dict[str, Any]  # what page.js draws


def write_html(study: Study, folder: Path, made: Made | None = None) -> Path:
    """Write `folder`/index.html and return its path.

    The pictures are those of `folder`/figures, drawn before. `made`: the tables, where they have been made.
    """
    path = folder / "index.html"
    write_text(path, render(study, make_sections(study) if made is None else made, folder / "figures"))
    return path


def render(study: Study, made: Made, figures: Path) -> str:
    """The page; the same bytes for the same study and pictures."""
    parts = [_part(study, runs, corpus, sections, figures, i) for i, (corpus, runs, sections) in enumerate(made)]
    scripts = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in ("theme.js", "page.js")}
    scripts["plotly"] = get_plotlyjs()
    colours = sorted(set().union(*(part.colours for part in parts)))
    return fill(
        "page.html.j2",
        name=study.name,
        question=question(study.name),
        parts=parts,
        missing=[absent(run).removeprefix("- ") for run in study.missing],
        provenance=[line.removeprefix("- ") for line in provenance(study.results).splitlines()],
        axes=AXIS_TITLES,
        measures=MEASURES,
        colours={colour: (name_of(colour), on_dark(colour)) for colour in colours},
        island=island({"axes": AXIS_TITLES, "measures": MEASURES, "parts": [part.data for part in parts]}),
        scripts={name: Markup(script) for name, script in scripts.items()},
        digests=[_digest(script) for script in scripts.values()],
    )


def fill(template: str, **values: Any) -> str:
    """A page: a template of `templates/` with `values`, which are escaped unless they are Markup, and the one style."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **values)


def island(value: Any) -> Markup:
    """JSON that may stand in a script element: no tag, no comment, no line separator in it can end or change it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _part(
    study: Study, runs: pd.DataFrame, corpus: str, sections: list[tuple[Section, pd.DataFrame]], figures: Path, i: int
) -> Part:
    look, panel_of = looks(runs), panel_names(runs)
    named = runs.assign(cell=cells(runs), label=labels(runs))
    hues = hues_of(named, look)
    firsts = named[named["name"].isin(named.sort_values("seed").drop_duplicates("cell")["name"])]
    drawn = samples_of(study, named if len(runs) <= MOST_SAMPLED else firsts, hues)
    images = [
        Image(picture.caption, source, picture.name in DRAWN_AGAIN)
        for picture in FIGURES
        if (source := _source(figures, f"{picture.name}_{i}"))
    ]
    panels = [
        Image(f"Training of {cell}", source, True)
        for cell in list(look)[:MOST_PANELS]
        if (source := _source(figures, panel_of[cell]))
    ]
    return Part(
        title=corpus,
        answer=list(prose(ranking(study, runs))),
        held_equal=next(prose(held_equal(runs))),
        sections=[(section, inline(section.note), grid(table, hues)) for section, table in sections],
        images=images,
        panels=panels,
        colours=set(hues.values()),
        cards=cards(drawn),
        lines=lines(study, named, hues),
        data={"cells": curves_of(study, named, look), "baselines": _best_baselines(study, runs), "samples": drawn},
    )


def hues_of(runs: pd.DataFrame, look: dict[str, Look]) -> Hues:
    """By cell, with and without its budget, and by run; `runs` have their `cell` and `label`."""
    colours = [look[cell].colour.lower() for cell in runs.cell]
    names = [*runs.label, *cells(runs, but="budget."), *runs.cell]
    return dict(zip(names, colours * 3, strict=True))


def name_of(colour: str) -> str:
    """The CSS variable that has `colour`, or its like on the dark page."""
    return f"--c{colour.removeprefix('#')}"


def on_dark(colour: str) -> str:
    """`colour`, with so much white in it that it is seen on a dark page."""
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    while _luminance(channels) < LIGHT_ENOUGH:
        channels = [channel + math.ceil((255 - channel) / 16) for channel in channels]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _luminance(channels: list[int]) -> float:
    """Relative, 0 to 1. Source: WCAG 2.2."""
    shares = [channel / 255 for channel in channels]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _source(figures: Path, name: str) -> str:
    """The smaller of a picture's files as a data URI; "" where it was not drawn."""
    types = {".png": "image/png", ".svg": "image/svg+xml"}
    files = [path for ending in types if (path := figures / (name + ending)).is_file()]
    if not files:
        return ""
    best = min(files, key=lambda path: path.stat().st_size)
    return f"data:{types[best.suffix]};base64,{base64.b64encode(best.read_bytes()).decode()}"


# --- sentences and tables ---


def inline(text: str) -> Markup:
    """The Markdown of our own notes: emphasis and code."""
    html = str(escape(text))
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html))


def strong(text: str) -> Markup:
    """The same, but strong alone, for sentences that name runs: their settings may hold other marks."""
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", str(escape(text))))


def prose(text: str) -> Iterator[Markup]:
    """Paragraphs and lists of Markdown as HTML."""
    for block in text.split("\n\n"):
        if block.startswith("- "):
            items = [strong(line) for line in block.removeprefix("- ").split("\n- ")]
            yield Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(item) for item in items))
        else:
            yield Markup("<p>{}</p>").format(strong(block))


def grid(table: pd.DataFrame, hues: Hues) -> Grid:
    """A table of sections.py for HTML: what names a run gets its colour, columns of figures are told from text."""
    table = table.astype(str)
    names = [str(name) for name in table.columns]
    kinds = [kind_of(list(table[name])) for name in names]
    head = [Field(escape(name), hues.get(name, ""), kind) for name, kind in zip(names, kinds, strict=True)]
    rows = [
        [Field(_cell(text), hues.get(text, ""), kind) for text, kind in zip(row, kinds, strict=True)]
        for row in table.itertuples(index=False, name=None)
    ]
    return Grid(head, rows)


def _cell(text: str) -> Markup:
    """A baseline is written *in italics*, a verdict begins **strong**; other asterisks are somebody's setting."""
    if whole := re.fullmatch(r"\*([^*]+)\*", text):
        return Markup("<em>{}</em>").format(whole[1])
    return strong(text) if text.startswith("**") else escape(text)


def kind_of(column: list[str]) -> str:
    """ "n" for figures, which may be in brackets, "s" for short text that need not be broken, "" for text."""
    if all(re.match(r"\(?[+-]?\d|nan\b|nothing to count$|$", text) for text in column):
        return "n"
    return "s" if max(map(len, column)) <= SHORT else ""


# --- what is drawn ---


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
    mean, low, high = (getattr(together, how)(numeric_only=True)[everywhere].reset_index() for how in _SUMMARIES)
    return {
        "x": {axis: _short(mean[column]) for axis, (column, _) in AXES.items()},
        "y": {name: _short(mean[name]) for name in drawn},
        "low": {name: _short(low[name]) for name in drawn},
        "high": {name: _short(high[name]) for name in drawn},
    }


_SUMMARIES = ("mean", "min", "max")


def _short(values: pd.Series) -> list[float | int | None]:
    """As many digits as a screen has room for; null for what is no number."""
    rounded = [float(f"{value:.{DIGITS}g}") for value in values]
    return [(int(v) if v == int(v) else v) if math.isfinite(v) else None for v in rounded]


def _best_baselines(study: Study, runs: pd.DataFrame) -> list[dict[str, Any]]:
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


def cards(drawn: dict[str, Any]) -> list[tuple[str, list[Card]]]:
    """The first draw of equal tokens and the first of equal characters as plain text."""
    found = []
    for equal in ("equal tokens", "equal characters"):
        at = next((i for i, draw in enumerate(drawn["draws"]) if draw.startswith(equal)), None)
        if at is not None:
            some = [
                Card(run["label"], run["colour"], text["caption"], text["text"])
                for run in drawn["runs"]
                if (text := run["texts"][at])
            ]
            found.append((drawn["draws"][at], some))
    return found


# --- the held-out passage under every tokenizer ---


def lines(study: Study, runs: pd.DataFrame, hues: Hues) -> list[list[Cut]]:
    """The lines of the passage, each under every tokenizer, so that the same text stands in the same column.

    `runs` have their `cell`.
    """
    tokenizers = runs.drop_duplicates("tokenizer_sha256")
    names = tokenizer_names(tokenizers)
    rows = {row["name"]: row for row in study.segments if row["of"] == "held out"}
    found: list[list[Cut]] = []
    text = ""
    for name, cell, label in zip(tokenizers["name"], tokenizers.cell, names, strict=True):
        row = rows.get(name)
        if row is None or row["text"] != (text or row["text"]) or sum(row["bytes"]) != len(row["text"].encode()):
            continue
        text = row["text"]
        for i, (begin, pieces) in enumerate(cut_lines(text, row["bytes"], set(row["unknown"]))):
            found += [[]] if i == len(found) else []
            found[i].append(Cut(label, hues[cell], begin, pieces))
    return found


def cut_lines(text: str, lengths: list[int], unknown: set[int]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """For each line of `text`: how many pieces begin in it, and their CSS classes and texts.

    A line ends after its newlines, empty lines below it included. A piece that goes on in the next line
    keeps its class there. A character belongs to the piece in which it begins, so that the same text is as
    wide under every tokenizer; a piece that ends in the middle of one is "torn".
    """
    raw = text.encode()
    whole = [*accumulate((len(char.encode()) for char in text), initial=0)]
    edges = list(accumulate(lengths, initial=0))
    snapped = [whole[bisect_left(whole, edge)] for edge in edges]
    breaks = [match.end() for match in re.finditer(rb"\n+(?=[^\n])", raw)]
    for start, end in pairwise([0, *breaks, len(raw)]):
        begin, shown = 0, []
        for n, (a, b) in enumerate(pairwise(snapped)):
            begin += start <= edges[n] < end
            if a < min(b, end) and b > start:
                marks = {"unknown": n in unknown, "on": a < start, "torn": b != edges[n + 1]}
                kind = " ".join([f"p{n % 4}", *(mark for mark, is_so in marks.items() if is_so)])
                shown.append((kind, visible(raw[max(a, start) : min(b, end)].decode())))
        yield begin, shown


def visible(piece: str) -> str:
    """White space other than a blank becomes a sign."""
    return piece.translate({10: "⏎", 9: "⇥", 13: "␍"})
