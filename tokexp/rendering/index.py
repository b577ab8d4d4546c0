"""The list of reports: `reports/README.md`, of those that are committed, and `reports/index.html`, of all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokexp.rendering.figures import FIGURES
from tokexp.rendering.page import fill, strong
from tokexp.rendering.readme import SUMMARY
from tokexp.system.files import write_text

NOT_COMMITTED = ("demo",)
PICTURE = next(picture for picture in FIGURES if picture.name == "with_baselines")


def write_shelf(reports: Path) -> None:
    """List the reports that lie in `reports`, by name."""
    found = [row for path in sorted(reports.glob(f"*/{SUMMARY}")) if (row := _read(path))]
    committed = [row for row in found if row["folder"] not in NOT_COMMITTED]
    write_text(reports / "README.md", _readme(committed))
    page = fill("shelf.html.j2", reports=found, picture=PICTURE.name, caption=PICTURE.caption, strong=strong)
    write_text(reports / "index.html", page)


def _read(path: Path) -> dict[str, Any] | None:
    """A report's summary and its folder; None where it is damaged, so that the others are still listed."""
    try:
        summary = json.loads(path.read_bytes())
        parts = [{"corpus": part["corpus"], "answer": part["answer"]} for part in summary["parts"]]
        return {**{key: summary[key] for key in ("question", "runs")}, "parts": parts, "folder": path.parent.name}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _readme(reports: list[dict[str, Any]]) -> str:
    parts = [
        "# Reports",
        "What the sweeps answered. Each folder has its data, from which `python -m tokexp.report NAME` rebuilds the "
        "rest, `index.html` too: the page to look at, which is not committed. `make reports` rebuilds them all. "
        "[LOG.md](LOG.md) says what was run where, and what did not work.",
    ]
    for report in reports:
        folder = report["folder"]
        parts.append(f"## [{report['question'] or folder}]({folder}/README.md)")
        parts.append(f"`{folder}`, {report['runs']} runs.")
        several = len(report["parts"]) > 1
        parts += [f"{part['corpus']}: {part['answer']}" if several else part["answer"] for part in report["parts"]]
        parts.append(f"![{PICTURE.caption}]({folder}/figures/{PICTURE.name}_0.png)")
    return "\n\n".join(parts) + "\n"
