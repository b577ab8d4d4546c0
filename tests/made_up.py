"""Made-up runs, and studies of them: small enough that every figure of a report can be worked out by hand."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tokexp.analysis.comparison import Comparison, comparisons
from tokexp.runs.result import added, columns
from tokexp.runs.study import Study, complete_results
from tokexp.runs.study.tables import BLOCK_COLUMNS, TABLES
from tokexp.scoring.samples.readability import MEASURES

COLUMNS = list(columns())  # of results.csv
ARMS = {"char": 1.0, "bpe": 2.0, "word": 4.0}  # bytes per token
TEXT = dict.fromkeys(("corpus", "corpus_sha256", "val_sha256"), "text")
EVIL = "</script></textarea><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
HOSTILE = ["<b>", "a|b", "*x*", "**x**", "`x`", "[x](y)", r"\&_$%#{}~^", "<!--", "{{ 7 * 7 }}"]  # as names
SAMPLE = f"\nKING:\nHow now & é {EVIL}"
PASSAGE = "KING:\nhé <b>\n\nyou"
Row = dict[str, Any]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Run:
    row: Row  # of results.csv
    curve: list[Row]  # of curves.csv


def run(
    arm: str,
    seed: int = 0,
    bpb: Iterable[float] = (2.0,),
    settings: Mapping[str, Any] | None = None,
    end: int = 100,
    **columns: Any,
) -> Run:
    """A run that is as good as `bpb` at evaluations evenly spaced up to step `end`.

    `columns`: of results.csv; those that a test does not name have any value, of the right type.
    """
    bpb, bytes_per_token = list(bpb), ARMS.get(arm, float(len(arm)))
    row: Row = dict.fromkeys(COLUMNS, 1)
    row |= dict.fromkeys(added(), np.nan) | {"language": "", "scored_on": ""}
    row |= TEXT | {"arm": arm, "seed": seed, "size": "nano", "trained_on": "train", "tuned": "", "val_bytes": 640}
    row |= {"machine": "one", "device": "cpu", "git_commit": "abc", "git_dirty": "False", "versions": "v"}
    row |= {"bytes_per_token": bytes_per_token, "chars_per_token": bytes_per_token, "bytes_seen": bytes_per_token * end}
    row |= {"budget": "steps=100", "precision": "float32", "tokenizer_sha256": arm}
    row |= {"params_body": 100, "params_total": 100 + int(bytes_per_token), "marginal_gain_bpb": np.nan}
    row |= {"unk_rate": 0.0, "val_bpb_restoration": 0.0}
    row |= {
        "val_bpb": bpb[-1],
        "val_bpb_sliding": bpb[-1],
        "best_val_bpb": min(bpb),
        "best_val_bpb_crossfit": min(bpb),
        **columns,
    }
    every = json.dumps({"train.schedule": "cosine", "budget.steps": 100, **(settings or {})}, sort_keys=True)
    name = f"{arm}-s{seed}-{every}-{row['machine']}"
    row = {"name": name, "config_hash": name, "settings": every} | {
        key: value for key, value in row.items() if key not in ("name", "config_hash", "settings") or key in columns
    }
    return Run(row, _curve(row, bpb, end))


def _curve(row: Row, bpb: Sequence[float], end: int) -> list[Row]:
    bytes_per_token = ARMS.get(row["arm"], float(len(row["arm"])))
    per_step = {"bytes_seen": bytes_per_token, "flops": bytes_per_token**2, "seconds": 9 if row["arm"] == "word" else 1}
    ranges = {f"{name}_{how}": 1.0 for name in ("loss", "grad_norm") for how in ("mean", "min", "max")}
    same = {"name": row["name"], "val_loss": 2.0, "train_loss": 1.9, "lr": 1e-3, **ranges}
    steps = [end * (i + 1) // len(bpb) for i in range(len(bpb))]
    return [
        {**same, "step": step, **{column: step * n for column, n in per_step.items()}, "val_bpb": value}
        for step, value in zip(steps, bpb, strict=True)
    ]


def falling(bpb: float) -> list[float]:
    """Four evaluations, the last at `bpb`."""
    return [bpb + 1.5, bpb + 1.0, bpb + 0.5, bpb]


def study(runs: Sequence[Run], name: str = "made-up", **tables: Any) -> Study:
    """With blocks in which every run is as good as its total, but for noise that runs share."""
    blocks = [{"name": run.row["name"], "step": 100, **blocks_of(run.row["val_bpb"])} for run in runs]
    columns = {
        "content": ["name", "partition", "class", "bytes", "bits"],
        "readability": ["name", "val_sha256", "chars", "temperature", "sample", *MEASURES],
        "baselines": ["val_sha256", "baseline", "family", "val_bpb", "val_bpb_restoration", *BLOCK_COLUMNS],
        "texts": ["name", "text", "sha256", "units", "documents", "bytes", "tokens", "lines", "bpb_naive", "bpb"],
        "units": ["name", "text", "baseline", "unit", "document", "bytes", "tokens", "lines", "nats"],
        "counts": ["tokenizer_sha256", "val_sha256", "order", "bpb", "unit", "nats"],
    }
    frames = {table: pd.DataFrame(tables.pop(table, []), columns=given) for table, given in columns.items()}
    made = Study(
        name,
        complete_results(pd.DataFrame([run.row for run in runs])),
        pd.DataFrame([point for run in runs for point in run.curve]),
        pd.DataFrame(blocks),
        **frames,
        samples=[],
        missing=[],
    )
    return dataclasses.replace(made, **tables)


def blocks_of(bpb: float, noise: float = 0.01, seed: int = 0) -> dict[str, float]:
    """Nats of 64 blocks of 10 bytes that come to `bpb`."""
    more = np.random.default_rng(seed).normal(0, noise, 64)
    return {f"b{i}": (bpb + more[i] - more.mean()) * 10 * np.log(2) for i in range(64)}


def counts_of(tokenizer: str, bpb: float, order: int = 3, text: str = "text") -> list[Row]:
    """The rows of counts of a tokenizer's own tokens."""
    nats = blocks_of(bpb)
    of = {"tokenizer_sha256": tokenizer, "val_sha256": text, "order": order, "bpb": bpb}
    return [{**of, "unit": i, "nats": nats[column]} for i, column in enumerate(BLOCK_COLUMNS)]


def compared(made: Study) -> Comparison:
    """Of a study of one held-out text."""
    (comparison,) = comparisons(made)
    return comparison


def named(by_cell: Mapping[K, V]) -> dict[str, V]:
    return {str(cell): value for cell, value in by_cell.items()}


def equal_steps() -> Study:
    """Characters are best at equal steps, of which each has another amount of text."""
    bpb = {"char": [4, 3, 2.5, 2.0], "bpe": [5, 3, 2.8, 2.4], "word": [3, 2.6, 2.5, 2.2]}
    return study([run(arm, bpb=bpb[arm]) for arm in ARMS])


def seeds(gap: float) -> Study:
    """Two arms of three seeds each, `gap` apart, among baselines, of which one was scored on another text."""
    runs = [run(arm, seed, bpb=[2 + gap * (arm == "bpe") + seed / 100]) for arm in ("char", "bpe") for seed in range(3)]
    baselines = [
        baseline("PPMd", "adaptive", 2.005) | blocks_of(2.005),
        baseline("Kneser-Ney", "static", 2.3) | blocks_of(2.3, 0.5, seed=1),
        baseline("gzip", "adaptive", 3.1),
        baseline("xz", "adaptive", 1.0) | {"val_sha256": "another text"},
    ]
    return study(runs, baselines=baselines)


def baseline(name: str, family: str, bpb: float) -> Row:
    return {**TEXT, "baseline": name, "family": family, "val_bpb": bpb, "val_bpb_restoration": 0.0}


def two_sizes() -> Study:
    """Words win at both sizes, but lose text; of the others characters are best when small, and BPE when large."""
    bpb = {"nano": {"char": 2.5, "bpe": 2.6, "word": 2.4}, "micro": {"char": 2.2, "bpe": 2.1, "word": 2.0}}
    return study(
        [
            run(arm, seed, [bpb[size][arm] + seed / 1000], {"model.n_embd": body}, size=size, params_body=body,
                val_bpb_restoration=0.4 * (arm == "word"))
            for arm in ARMS for size, body in (("micro", 200), ("nano", 100)) for seed in range(3)
        ]
    )  # fmt: skip


def turned_round() -> Study:
    """Words are better at equal steps, characters at equal bytes: from runs that had that budget."""
    read = {"budget.steps": None, "budget.bytes": 100}
    return study(
        [
            run("char", bpb=[4, 3, 3, 2.5]),
            run("word", bpb=[3, 2.5, 2.4, 2.2]),
            run("char", bpb=[4, 3, 3, 2.5], settings=read),
            run("word", bpb=[4, 3.5, 3, 2.9], settings=read, end=25),
        ]
    )


def vocabularies() -> Study:
    """Bits per byte of 2 + (log2 V - 10.5)^2 / 100, a parabola over six vocabularies."""
    bpb = {v: 2 + (np.log2(v) - 10.5) ** 2 / 100 for v in (256, 512, 1024, 2048, 4096, 8192)}
    return study(
        [
            run("bpe", seed, [at + seed / 1e3], {"tokenizer.vocab_size": v}, vocab_size=v)
            for v, at in bpb.items() for seed in range(3)
        ]
    )  # fmt: skip


def by_protocol() -> Study:
    """Two runs by the seed experiment's protocol, and one of a step less."""
    body, positions = 3_159_552, 128 * 256
    protocol = {"n_layer": 4, "n_head": 4, "n_embd": 256, "block_size": 128, "batch_size": 16, "steps": 8000}
    protocol |= {"corpus": "tinyshakespeare", "params_body": body, "params_position_embedding": positions}

    def vocabulary(size: int) -> dict[str, int]:
        return {"vocab_size": size, "params_token_embedding": size * 256, "params_lm_head": size * 256}

    return study(
        [
            run("char", **protocol, **vocabulary(69), train_loss=1.45, sample_chars_500=500),
            run("word", **protocol, **vocabulary(6116), train_loss=2.4),
            run("bpe", **{**protocol, "steps": 7999}, **vocabulary(6551)),
        ]
    )


def with_samples(made: Study, far: dict[str, float]) -> Study:
    """People's measures are 0 +- 1; each arm's samples lie `far` away."""
    human = [{**TEXT, "name": "", "chars": 9, "temperature": np.nan, "sample": i} for i in range(5)]
    rows = [{**row, **dict.fromkeys(MEASURES, at)} for row, at in zip(human, (-1.0, -1.0, 0.0, 1.0, 1.0), strict=True)]
    for one in made.results.itertuples():
        row = {**TEXT, "name": one.name, "chars": 9, "temperature": 0.8}
        rows += [{**row, "sample": i, **dict.fromkeys(MEASURES, far[str(one.arm)] + i - 0.5)} for i in range(2)]
    return dataclasses.replace(made, readability=pd.DataFrame(rows))


def with_content(made: Study, partition: str, bpb: dict[str, dict[str, float]], of: dict[str, int]) -> Study:
    """Bits per byte by arm and class, a tenth more with each seed; `of`: the bytes of each class."""
    rows = [
        {"name": one.name, "partition": partition, "class": kind, "bytes": n,
         "bits": n * (bpb[str(one.arm)].get(kind, 0.0) + 0.1 * int(str(one.seed)))}
        for one in made.results.itertuples() for kind, n in of.items()
    ]  # fmt: skip
    return dataclasses.replace(made, content=pd.concat([made.content, pd.DataFrame(rows)]))


def several() -> list[Run]:
    """Two seeds of each of three arms: BPE is best, then characters, then words."""
    bpb = {"bpe": 2.15, "char": 2.2, "words": 2.25}
    return [run(arm, seed, falling(bpb[arm] + seed / 10)) for arm in ("char", "bpe", "words") for seed in (0, 1)]


# What the arms of `several` have learned: tokenizer_sha256 is the arm.
VOCABULARIES: dict[str, tuple[str, Row]] = {
    "char": ("char", {"alphabet": "\n ABKINGé", "byte_fallback": False}),
    "bpe": ("bpe", {"pattern": "gpt2", "merges": ["46 44"]}),
    "words": ("hf_unigram", {"library": {}}),
}


def threes(text: str) -> list[int]:
    """Pieces of three bytes, and what is left, which cut some characters in two."""
    whole, rest = divmod(len(text.encode()), 3)
    return [3] * whole + [rest]


def segments(samples: int) -> list[Row]:
    """Rows of `segments.jsonl`: of so many samples, and of a held-out passage."""
    draw: Row = {"equal": "chars", "temperature": 0.8, "bytes": [1, 1], "unknown": [], "copied": [], "new_words": []}
    rows = [{"of": "sample", "sample": i, **draw} for i in range(samples)]
    return [*rows, {"of": "held out", "text": "ab", "bytes": [1, 1], "unknown": []}]


def whole_study(runs: Sequence[Run], name: str = "made-up", text: str = SAMPLE, **changes: Any) -> Study:
    """With something for every part of a report: baselines, samples, their pieces, and a passage.

    The first sample of each run is cut into its characters, the second into threes.
    """
    made = with_samples(study(runs, name), {run.row["arm"]: 1.0 for run in runs})
    marks: Row = {"of": "sample", "temperature": 0.8, "sample": 0}
    marks |= {"unknown": [2], "copied": [[1, 5]], "new_words": [[7, 10]]}
    passage = {"of": "held out", "text": PASSAGE, "bytes": [4, 2, 1, 1, 1, 4, 5], "unknown": [5]}
    cut = {"tokens": [len(char.encode()) for char in text], "chars": threes(text)}
    samples, segments = [], []
    for one in runs:
        who = {key: one.row[key] for key in ("name", "arm", "seed")}
        segments.append({"name": one.row["name"], **passage})
        for equal, lengths in cut.items():
            samples.append({**who, "prompt": "KING", "temperature": 0.8, "sample": 0, "text": text, "equal": equal})
            segments.append({"name": one.row["name"], **marks, "equal": equal, "bytes": lengths})
    made = dataclasses.replace(
        made, baselines=pd.DataFrame([baseline("Kneser-Ney", "static", 2.2)]), samples=samples, segments=segments
    )
    tokenizers = {arm: {"kind": kind, **learned} for arm, (kind, learned) in VOCABULARIES.items()}
    made = dataclasses.replace(made, tokenizers=tokenizers)
    kinds = {arm: {"heading": 1.0, "spacing": 2.0} for arm in set(made.results.arm)}
    made = with_content(made, "place", kinds, {"heading": 64, "spacing": 576})
    return dataclasses.replace(made, **changes)


# Columns of results.csv of runs that are ranked on a test part.
ON_TEST: Row = {"scored_on": "test", "test_sha256": "test text", "test_bytes": 4780, "test_documents": 40}
ON_TEST |= dict.fromkeys(("test_bpb_naive", "test_bpb_restoration"), 0.0)
# And how a corpus of documents is made up.
MADE_OF: Row = {"train_documents": 900, "val_documents": 30, "train_bytes": 5_000_000, "learned_bytes": 2_000_000}


def on_test(
    arm: str, seed: int = 0, bpb: float = 2.0, settings: Mapping[str, Any] | None = None, **columns: Any
) -> Run:
    """A run that is ranked on a test part, as good there as `bpb`, and on the validation part by one worse."""
    best = {"best_val_bpb_crossfit": np.nan, "best_test_bpb": bpb + 0.1}
    end = {"test_bpb": bpb, "test_bpb_sliding": bpb}
    made = run(arm, seed, falling(bpb + 1), settings, **{**end, **ON_TEST, **MADE_OF, **best, **columns})
    return dataclasses.replace(made, row={**made.row, "bpb": bpb})


def with_units(
    made: Study,
    text: str = "test",
    count: int = 40,
    more: Mapping[str, float] | None = None,
    kind: str = "documents",
    noise: float = 0.01,
    sizes: float = 1.0,
) -> Study:
    """Of a held-out text of `count` documents, of 100 bytes and more, `p0`, `p1` and so on, in four lines each.

    Runs are as good as their total, and by `more` worse, by arm; beside that there is noise of each arm's own, of which
    documents differ but not the total. `sizes`: of a document, and of all that it costs, as in a longer language.
    """
    rows, texts = [], []
    n_bytes = (100 + np.arange(count)) * sizes
    for one in made.results.itertuples():
        rng = np.random.default_rng(sum(map(ord, str(one.arm))))
        nats = np.log(2) * n_bytes * (one.bpb + (more or {}).get(str(one.arm), 0.0))
        own = rng.normal(0, noise, count) * n_bytes
        nats += own - own.mean()
        tokens = n_bytes // ARMS.get(str(one.arm), 1.0) + 1
        who = {"name": one.name, "text": text}
        for i in range(count):
            figures = {"bytes": n_bytes[i], "tokens": tokens[i], "lines": 4, "nats": nats[i]}
            rows.append({**who, "baseline": "", "unit": i, "document": f"p{i}", **figures})
        bpb = nats.sum() / np.log(2) / n_bytes.sum()
        sums = {"bytes": n_bytes.sum(), "tokens": tokens.sum(), "lines": 4 * count, "bpb_naive": bpb, "bpb": bpb}
        texts.append({**who, "sha256": text, "units": kind, "documents": count, **sums})
    both = {"units": rows, "texts": texts}
    frames = {name: pd.DataFrame([*getattr(made, name).to_dict("records"), *new]) for name, new in both.items()}
    return dataclasses.replace(made, **frames)


def of_documents(gap: float = 0.5, count: int = 40, **columns: Any) -> Study:
    """Two arms of three seeds, `gap` apart on a test part of documents."""
    runs = [
        on_test(arm, seed, 2 + gap * (arm == "bpe") + seed / 1000, **columns)
        for arm in ("char", "bpe") for seed in range(3)
    ]  # fmt: skip
    return with_units(study(runs), count=count)


def language(name: str, sizes: float, arms: Sequence[str] = ("char", "bpe")) -> Study:
    """Forty pages in a language, in which a page has `sizes` times as many bytes as in English."""
    text = dict.fromkeys(("corpus_sha256", "val_sha256", "test_sha256", "language"), name)
    runs = [
        on_test(arm, 0, 2.0 + (arm == "bpe"), name=f"{arm}-{name}", config_hash=f"{arm}-{name}", **text) for arm in arms
    ]
    return with_units(study(runs), sizes=sizes)


def left_out_in_turn(
    by_text: Mapping[str, Mapping[str, float]], sizes: Sequence[str] = ("nano",), seeds: Sequence[int] = (0, 1)
) -> Study:
    """Seeds of each arm on documents of one corpus, each the test part once: bits per byte by document and arm."""
    runs, units = [], []
    for document, bpb in by_text.items():
        text = dict.fromkeys(("corpus_sha256", "val_sha256", "test_sha256"), document)
        for (arm, value), seed, size in itertools.product(bpb.items(), seeds, sizes):
            name = f"{arm}-{size}-s{seed}-{document}"
            body = {"size": size, "params_body": 100 + len(size), "documents_sha256": "all", "test_documents": 1}
            settings = {"model.n_embd": len(size)}
            who = {"name": name, "config_hash": name}
            runs.append(on_test(arm, seed, value + seed / 100, settings, **text, **body, **who))
            units.append({"name": name, "text": "test", "baseline": "", "unit": 0, "document": document, "nats": 1.0,
                          **dict.fromkeys(("bytes", "tokens", "lines"), 9)})  # fmt: skip
    return study(runs, units=units)


def together(*studies: Study) -> Study:
    """The runs of several studies as one."""
    frames = {name: pd.concat([getattr(one, name) for one in studies], ignore_index=True) for name in TABLES}
    return dataclasses.replace(studies[0], **frames)


def write_data(made: Study, folder: Path) -> None:
    """As the data of a report lie in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        getattr(made, table).to_csv(folder / f"{table}.csv", index=False)
    for name, rows in (("samples", made.samples), ("segments", made.segments)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "missing.json").write_text(json.dumps(made.missing))
