"""A table as Markdown, HTML, LaTeX and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from tabulate import tabulate

from tokexp.rendering.tables.columns import Table, line_of, numbers_of
from tokexp.rendering.text import html, latex, markdown
from tokexp.system.files import write_text


def markdown_table(table: Table, most_rows: int | None = None) -> str:
    rows = [[markdown(line) for line in row] for row in table.rows()[:most_rows]]
    headings = [markdown(line_of(column.heading)) for column in table.columns]
    text: str = tabulate(rows, headings, tablefmt="pipe", disable_numparse=True, stralign="right")
    return text


def latex_table(table: Table, corpus: str) -> str:
    """For booktabs."""
    rows = [[str(column.heading)] for column in table.columns]
    head = " & ".join(latex(heading) for heading in rows)
    body = [" & ".join(latex(line) for line in row) + r" \\" for row in table.rows()]
    return "\n".join(
        [
            f"% {corpus}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def html_table(table: Table) -> Markup:
    """A plain one, without style."""
    head = Markup("").join(Markup("<th>{}</th>").format(str(column.heading)) for column in table.columns)
    rows = [Markup("").join(Markup("<td>{}</td>").format(html(line)) for line in row) for row in table.rows()]
    body = Markup("\n").join(Markup("<tr>{}</tr>").format(row) for row in rows)
    return Markup("<table>\n<tr>{}</tr>\n{}\n</table>").format(head, body)


def numbers(table: Table) -> pd.DataFrame:
    """The table for machines: a number a column, empty where there is none."""
    columns: dict[str, list[Any]] = {}
    for column in table.columns:
        values = [{} if value is None else numbers_of(value) for value in column.values]
        for ending in dict.fromkeys(ending for value in values for ending in value) or [""]:
            columns[column.machine_name + ending] = [value.get(ending) for value in values]
    return pd.DataFrame(columns)


def write_table(name: str, tables: list[tuple[str, Table]], rows: pd.DataFrame, folder: Path) -> list[Path]:
    """Write NAME.md, NAME.tex and NAME.csv; the paths.

    `tables`: one for each held-out text, by what that is called; `rows`: the numbers of all of them.
    """
    texts = [f"### {markdown([corpus])}\n\n{markdown_table(table)}" for corpus, table in tables]
    forms = {
        ".md": "\n\n".join(texts) + "\n",
        ".tex": "\n".join(latex_table(table, corpus) for corpus, table in tables),
        ".csv": rows.to_csv(index=False, float_format="%.8g"),
    }
    for ending, text in forms.items():
        write_text(folder / f"{name}{ending}", text)
    return [folder / f"{name}{ending}" for ending in forms]
