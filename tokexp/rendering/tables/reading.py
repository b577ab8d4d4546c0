"""The tables of what models find hard, and of how their samples read."""

from __future__ import annotations

import pandas as pd

from tokexp.analysis.cells import Cell
from tokexp.analysis.comparison import Comparison
from tokexp.analysis.content import bits_by_content, shares_of_bytes, with_words_and_spacing
from tokexp.analysis.readability import (
    distance_by_chance,
    human_band,
    mean_distance,
    measures,
    readings,
    samples_of_a_run,
    temperatures,
    typical_distances,
)
from tokexp.rendering.tables.columns import Column, Distance, HumanBand, Number, Table, Value, table


def content_table(comparison: Comparison, partition: str) -> Table:
    """A row a cell, a column a class of bytes, headed by its share of them."""
    bits, shares = bits_by_content(comparison, partition), shares_of_bytes(comparison, partition)
    if not len(bits):
        return Table()
    bits, shares = with_words_and_spacing(bits, shares)
    columns = []
    for name in bits.columns:
        heading = f"{name} ({shares[name]:.1%})" if name in shares else str(name)
        values = [None if pd.isna(value) else float(value) for value in bits[name]]
        columns.append(Column(heading, values, ".3f", str(name)))
    return table(Column("run", list(bits.index)), *columns)


def readability_table(comparison: Comparison) -> Table:
    """At each temperature a row a measure, and one for the typical distance; a column a cell."""
    rows = [row for at in temperatures(comparison) for row in _at_temperature(comparison, at)]
    if not rows:
        return Table()
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    names = {"human text": "human"}
    return table(
        *(Column(heading, [row.get(heading) for row in rows], name=names.get(str(heading), "")) for heading in headings)
    )


def readability_rows(comparison: Comparison) -> Table:
    """A row a temperature, cell and measure."""
    rows = [
        (at, cell, measure, reading, HumanBand(*human_band(comparison)[measure]))
        for at in temperatures(comparison)
        for cell, read in readings(comparison, at).items()
        for measure, reading in read.items()
    ]
    names = ("temperature", "run", "measure", "mean", "human")
    return Table([Column(name, [row[i] for row in rows]) for i, name in enumerate(names)])


Row = dict[str | Cell, Value]


def _at_temperature(comparison: Comparison, temperature: float) -> list[Row]:
    human, by_cell = human_band(comparison), readings(comparison, temperature)
    distances = typical_distances(comparison, temperature)
    rows: list[Row] = [
        {
            "temperature": f"{temperature:g}",
            "measure": measure.replace("_", " "),
            "human text": HumanBand(*human[measure]),
            **{cell: read[measure] for cell, read in by_cell.items()},
        }
        for measure in measures(comparison)
    ]
    chance = distance_by_chance(comparison, samples_of_a_run(comparison, temperature))
    last: Row = {
        "temperature": f"{temperature:g}",
        "measure": "median distance from human text, of a run",
        "human text": Number(chance, ".2f", " sd, by chance"),
        **{cell: Distance(mean_distance(distances[cell])) for cell in by_cell if cell in distances},
    }
    return [*rows, last]
