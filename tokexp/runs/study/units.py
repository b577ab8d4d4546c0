"""The scores of a run on its held-out texts, as the rows that a study keeps: by text, and by document or block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokexp.runs.files import COUNTS, TEXTS, load_json, load_lines
from tokexp.runs.result import RunResult
from tokexp.runs.study.tables import BLOCK_COLUMNS, COUNTED, TEXT_SCORE
from tokexp.scoring.blocks import BLOCKS
from tokexp.scoring.units import DOCUMENTS

Row = dict[str, Any]


def texts_and_units(folder: Path, result: RunResult, baselines: list[Row]) -> dict[str, list[Row]]:
    """The rows of `texts` and `units` of a run; none of a run from before they were left."""
    texts = load_lines(folder / TEXTS, TEXT_SCORE) if (folder / TEXTS).exists() else []
    units = [_units({"name": result.name, "text": text["name"]}, text) for text in texts]
    for row in baselines if texts and texts[0]["units"] == DOCUMENTS else []:
        if row.get("unit_nats"):
            of = {"name": "", "text": texts[0]["sha256"], "baseline": row["baseline"]}
            units.append(_units(of, {**texts[0], "nats": row["unit_nats"], "tokens": [0] * len(row["unit_nats"])}))
    sums = [
        {
            "name": result.name, "text": text["name"], "sha256": text["sha256"], "units": text["units"],
            "documents": len(text["nats"]), **{what: sum(text[what]) for what in ("bytes", "tokens", "lines")},
            "bpb_naive": text["bpb_naive"], "bpb": text["bpb"],
        }
        for text in texts
    ]  # fmt: skip
    return {"texts": sums, "units": [row for rows in units for row in rows]}


def _units(of: Row, text: Row) -> list[Row]:
    names = text["names"] or [""] * len(text["nats"])
    columns = zip(names, text["bytes"], text["tokens"], text["lines"], text["nats"], strict=True)
    return [
        {**of, "baseline": of.get("baseline", ""), "unit": i, "document": document, "bytes": size, "tokens": tokens,
         "lines": lines, "nats": nats}
        for i, (document, size, tokens, lines, nats) in enumerate(columns)
    ]  # fmt: skip


def counts_by_unit(folder: Path, result: RunResult) -> list[Row]:
    """The rows of `counts` that a run brings; none of a run from before they were left."""
    if not (folder / COUNTS).exists():
        return []
    counts = load_json(folder / COUNTS, COUNTED)
    of = {
        "tokenizer_sha256": result.tokenizer.tokenizer_sha256, "val_sha256": result.corpus.scored_sha256,
        "order": counts["order"], "bpb": counts["bpb"],
    }  # fmt: skip
    return [{**of, "unit": unit, "nats": nats} for unit, nats in enumerate(counts["nats"])]


def by_column(block_nats: list[float]) -> dict[str, float]:
    return dict(zip(BLOCK_COLUMNS, block_nats, strict=True))


def with_blocks(row: dict[str, Any]) -> dict[str, Any]:
    """A baseline with a column a block, empty where it was measured as a whole."""
    nats = row.get("block_nats") or [None] * BLOCKS
    kept = {name: value for name, value in row.items() if name not in ("block_nats", "unit_nats")}
    return {**kept, **by_column(nats)}
