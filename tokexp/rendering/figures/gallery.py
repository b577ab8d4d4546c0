"""The pictures of a report in their order, each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokexp.analysis.comparison import Comparison
from tokexp.rendering.figures import dots, progress, ranking, sizes
from tokexp.rendering.figures.panels import panels, sweep_panel
from tokexp.rendering.figures.style import STYLE
from tokexp.system.files import keep_only, replacing


@dataclass(frozen=True)
class Picture:
    name: str
    caption: str
    draw: Callable[[Comparison], Figure | None]  # None where there is nothing to see


PICTURES = [
    Picture("bits_per_byte", "Bits per byte against the text read", progress.against_bytes),
    Picture("with_baselines", "Every cell beside the baselines", ranking.with_baselines),
    Picture("forest", "The lead of the best", ranking.forest),
    Picture("sweep_panel", "The training of all cells", sweep_panel),
    Picture("flops", "Bits per byte against compute", progress.against_flops),
    Picture("by_parameters", "Bits per byte against size", sizes.by_parameters),
    Picture("by_vocabulary", "Bits per byte against the vocabulary", sizes.by_vocabulary),
    Picture("parameters", "Where the parameters are", sizes.parameters),
    Picture("compression", "Bits per byte against compression", sizes.compression),
    Picture("content", "Where the loss lies", dots.loss_by_content),
    Picture("human_band", "The samples beside human text", dots.human_band),
]


def draw_figures(comparisons: list[Comparison], folder: Path) -> None:
    """Draw every figure that the comparisons have something for, as NAME.png and NAME.svg; old ones go."""
    written = set()
    with mpl.rc_context(STYLE):
        for i, comparison in enumerate(comparisons):
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
    return set(paths)
