"""The pictures of a report in their order, each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.analysis.texts.left_out import left_out
from tokexp.rendering.figures import dots, languages, leads, progress, ranking, sizes
from tokexp.rendering.figures import left_out as left_out_picture
from tokexp.rendering.figures.layout import headed
from tokexp.rendering.figures.panels import panels, sweep_panel
from tokexp.rendering.figures.style import STYLE
from tokexp.system.files import keep_only, replacing

T = TypeVar("T")


@dataclass(frozen=True)
class Picture(Generic[T]):
    name: str
    caption: str  # what it shows
    reading: str  # how to read it
    plot: Callable[[T], Figure | None]  # None where there is nothing to see

    def draw(self, what: T) -> Figure | None:
        """The picture below its heading; None where there is nothing to see."""
        figure = self.plot(what)
        return None if figure is None else headed(figure, self.caption, self.reading)


HOLLOW = "A filled mark is the end of a run's schedule; a hollow one comes before it and ranks nothing."
PICTURES: list[Picture[Comparison]] = [
    Picture(
        "ranking",
        "Bits per byte of each tokenizer",
        "Fewer are better. A dot is the mean over the seeds, and the line is its 95 % interval. A hollow dot loses "
        "text, and the pale bar is what restores it. A cross is counts of its own tokens; dashed lines are baselines.",
        ranking.ranking,
    ),
    Picture(
        "forest",
        "How far the best is ahead of the others",
        "A line is the 95 % interval, corrected for all pairs; its thick part is what the seeds do. A dot is resolved, "
        "a dash is not.",
        leads.forest,
    ),
    Picture(
        "sweep_panel",
        "The training of all runs",
        "A line is the mean over the seeds, its band their range. Total bits per byte can be compared; so can steps.",
        sweep_panel,
    ),
    Picture(
        "bits_per_byte",
        "Bits per byte along the text read",
        f"A line is the mean over the seeds, its band their range. {HOLLOW}",
        progress.against_bytes,
    ),
    Picture(
        "with_baselines",
        "Every run beside every baseline",
        "Shorter is better. Coloured bars are models, grey ones baselines.",
        leads.with_baselines,
    ),
    Picture(
        "flops",
        "Bits per byte along the compute spent",
        f"A line is the mean over the seeds, its band their range. {HOLLOW}",
        progress.against_flops,
    ),
    Picture(
        "by_parameters",
        "Bits per byte by the size of the model",
        "A mark is a run's end, with its 95 % interval; a line joins what differs in the size of the model alone.",
        sizes.by_parameters,
    ),
    Picture(
        "by_vocabulary",
        "Bits per byte by the size of the vocabulary",
        "A mark is a run's end, with its 95 % interval over the seeds. The lowest is the best size that was tried.",
        sizes.by_vocabulary,
    ),
    Picture(
        "parameters",
        "Where the parameters are",
        "A bar is a model. Its body is the same for all of one size; the vocabulary decides the rest.",
        sizes.parameters,
    ),
    Picture(
        "compression",
        "Does a tokenizer that compresses more predict better?",
        "A mark is a run's end: to the right its tokens are longer, below it predicts better.",
        sizes.compression,
    ),
    Picture(
        "content",
        "Where the loss lies",
        "A panel is a kind of bytes, a row a tokenizer, the best total on top. Further left, these bytes cost less.",
        dots.loss_by_content,
    ),
    Picture(
        "human_band",
        "The samples beside human text",
        "A panel is a measure, a row a tokenizer. Zero is what people write; within the dark band lie most of them. "
        "To the right is more, not better. Marks at the edge lie beyond it.",
        dots.human_band,
    ),
]


ACROSS = {  # the pictures over all texts of a study, by the table that each stands below
    "left_out": Picture[Sequence[Comparison]](
        "left_out",
        "How far the others are behind the best, on each text left out",
        "A row is a tokenizer. A pale dot above is a text; to the left of zero the order there is the other way round. "
        "The line below is the mean over the texts, with its 95 % interval. A full dot is resolved, a dash is not.",
        left_out_picture.behind_on_texts,
    ),
    "languages": Picture[Sequence[Comparison]](
        "languages",
        "What a paragraph costs in each language",
        "A row is a language, a mark a tokenizer. The pages are the same in each language, and further left they need "
        "less. A hollow mark is a model of several languages.",
        languages.languages,
    ),
}


def draw_figures(comparisons: list[Comparison], folder: Path) -> None:
    """Draw every figure that the comparisons have something for, as NAME.png and NAME.svg; old ones go.

    Texts that were left out in turn have none of their own.
    """
    written: set[Path] = set()
    with mpl.rc_context(STYLE):
        for over_all in ACROSS.values():
            figure = over_all.draw(comparisons)
            if figure is not None:
                written |= _save(figure, folder, over_all.name, svg=True)
        for i, comparison in enumerate([] if left_out(comparisons) else comparisons):
            for picture in PICTURES:
                figure = picture.draw(comparison)
                if figure is not None:
                    written |= _save(figure, folder, f"{picture.name}_{i}", svg=True)
            for name, figure in panels(comparison, i):
                written |= _save(figure, folder, name, svg=False)
    keep_only(folder, written)


def _save(figure: Figure, folder: Path, name: str, *, svg: bool) -> set[Path]:
    """Write the figure; the paths. Nothing in the files depends on when or where that is."""
    FigureCanvasAgg(figure)
    paths = {folder / f"{name}.png": {"Software": None}} | ({folder / f"{name}.svg": {"Date": None}} if svg else {})
    for path, metadata in paths.items():
        with replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
        figure.set_layout_engine(None)  # the places that it has found stay: the next file would look for them again
    return set(paths)
