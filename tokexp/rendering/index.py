"""The list of reports: `reports/README.md`, of those that are committed, and `reports/index.html`, of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokexp.rendering.figures.gallery import PICTURES
from tokexp.rendering.first_screen import PICTURE
from tokexp.rendering.page.page import fill
from tokexp.rendering.text import Line, from_json, html, markdown, sentence
from tokexp.runs.identity import is_unnamed
from tokexp.system.files import write_text
from tokexp.system.reading import Kinds, check, read_json

SUMMARY = "summary.json"  # of each report
SUMMARY_KINDS: Kinds = {"question": str, "runs": int, "parts": [{"corpus": str, "answer": [[dict[str, str]]]}]}
TRIALS = {"smoke"}  # sweeps that answer nothing: whether all works
CAPTION = next(picture.caption for picture in PICTURES if picture.name == PICTURE)


@dataclass(frozen=True)
class Summary:
    """What a report asked and answered."""

    folder: str
    question: str
    runs: int
    answers: list[tuple[str, Line]]  # by corpus
    page: str  # the file to open, below its folder: the page is not built in a fresh clone
    has_picture: bool


def write_index(reports: Path) -> None:
    """List the reports that lie in `reports`, by name."""
    summaries = [summary for path in sorted(reports.glob(f"*/{SUMMARY}")) if (summary := _read(path))]
    write_text(
        reports / "README.md",
        _readme([one for one in summaries if not is_unnamed(one.folder) and one.folder not in TRIALS]),
    )
    page = fill("index.html.j2", reports=summaries, picture=PICTURE, caption=CAPTION, html=html)
    write_text(reports / "index.html", page)


def _read(path: Path) -> Summary | None:
    """None where it is damaged, so that the others are still listed."""
    try:
        summary = read_json(path)
        check(summary, SUMMARY_KINDS, path.name)
        answers = [(part["corpus"], sentence(*map(from_json, part["answer"]))) for part in summary["parts"]]
        folder = path.parent
        page = "index.html" if (folder / "index.html").is_file() else "README.md"
        picture = (folder / f"figures/{PICTURE}_0.png").is_file()
        return Summary(folder.name, summary["question"], summary["runs"], answers, page, picture)
    except (OSError, ValueError, KeyError):
        return None


def _readme(reports: list[Summary]) -> str:
    parts = [
        "# Reports",
        "These are the questions of the sweeps, and the answers. Each folder has its data, from which "
        "`python -m tokexp.report NAME` writes the rest, also `index.html`: the page to look at, which is not "
        "committed. `make reports` writes them all. [LOG.md](LOG.md) says what was run where, and what did not work.",
    ]
    for report in reports:
        parts.append(f"## [{report.question or report.folder}]({report.folder}/README.md)")
        parts.append(f"`{report.folder}`, {report.runs} runs.")
        several = len(report.answers) > 1
        parts += [markdown([f"{corpus}: ", *line]) if several else markdown(line) for corpus, line in report.answers]
        if report.has_picture:
            parts.append(f"![{CAPTION}]({report.folder}/figures/{PICTURE}_0.png)")
    return "\n\n".join(parts) + "\n"
