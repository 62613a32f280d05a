"""What all figures share: style, colours, provenance, saving as a small PNG and as SVG with their data as CSV."""

from __future__ import annotations

import io as streams
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from pipeline.core import io
from pipeline.core.names import is_focus
from pipeline.report.format import number
from pipeline.score.tables import Table

STYLE = Path(__file__).with_name("bench.mplstyle")
SYNTHETIC = "SYNTHETIC LABELS: test only\n"
VERMILION = "#D55E00"
GREY = "#9a9a9a"
MARKERS = "osD^vPX"
PNG_COLOURS = 256
MANY = 7  # more predictors than this: the best are coloured, the others grey


@dataclass(frozen=True)
class Drawn:
    """A figure and the numbers it shows."""

    figure: Figure
    data: pl.DataFrame


def style():
    """Context in which every figure is drawn and saved."""
    return plt.style.context(["default", STYLE])


def save(drawn: Drawn, made_with: str, png: Path | None, svg: Path | None) -> list[Path]:
    """Write a figure atomically, free of dates and version marks, as `png`, and as `svg` with its data as .csv beside.

    `made_with` (data version, seeds, code, machine) stands small under the figure. Returns the paths written.
    """
    drawn.figure.text(0.01, -0.35 / drawn.figure.get_figheight(), made_with, fontsize=6.5, color="#888888", va="top")
    lay_out(drawn.figure)
    box = drawn.figure.get_tightbbox().padded(0.12)
    written = []
    if png:
        stream = streams.BytesIO()
        drawn.figure.savefig(stream, format="png", bbox_inches=box)
        io.write_bytes(png, small_png(stream))
        written.append(png)
    if svg:
        with io.atomic_path(svg) as temporary:
            drawn.figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches=box)
        data = svg.with_suffix(".csv")
        io.write_bytes(data, drawn.data.write_csv(float_precision=6).encode())
        written += [svg, data]
    plt.close(drawn.figure)
    return written


def small_png(stream: streams.BytesIO) -> bytes:
    """A picture with a palette of PNG_COLOURS: a third of the size, and the eye sees no difference."""
    small = streams.BytesIO()
    picture = Image.open(stream).convert("RGB").quantize(PNG_COLOURS, dither=Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    return small.getvalue()


def lay_out(figure: Figure) -> None:
    """Fix the layout, which would be worked out anew for every file, at the price of one more drawing."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def colours_and_markers(table: Table) -> dict[str, tuple[str, str]]:
    """Colour and marker of each predictor; NN-Former has its own colour.

    Up to seven keep the colour of their place in the grid. Of more, the best six and NN-Former's variants are coloured
    and the others grey, told apart by their labels.
    """
    palette = [entry["color"] for entry in plt.rcParams["axes.prop_cycle"]]
    palette = [c if c.startswith("#") else f"#{c}" for c in palette]
    focus = [p for p in table.predictors if is_focus(p)]
    others = [p for p in table.predictors if not is_focus(p)]
    coloured = others if len(table.predictors) <= MANY else [p for p in table.ranked() if p in others][: len(palette)]
    looks = {p: (VERMILION, MARKERS[i % len(MARKERS)]) for i, p in enumerate(focus)}
    looks |= {p: (palette[i % len(palette)], MARKERS[i % len(MARKERS)]) for i, p in enumerate(coloured)}
    return looks | {p: (GREY, MARKERS[i % len(MARKERS)]) for i, p in enumerate(others) if p not in looks}


def worth_showing(values: dict[str, list[float]]) -> tuple[list[str], list[str]]:
    """Predictors to draw, and those below 40 % of the best at every size, which would squash the axis.

    Predictors without any number are in neither list.
    """
    present = {p: v for p, v in values.items() if v}
    limit = 0.4 * max((max(v) for v in present.values()), default=0.0)
    far = [p for p, v in present.items() if max(v) < limit]
    return [p for p in present if p not in far], far


def off_scale(table: Table, far: list[str], values: dict[str, list[float]]) -> str:
    """Which predictors a figure leaves out, with their last value; empty without any."""
    texts = [f"{p} {number(values[p][-1], table.metric)}" for p in far]
    return f"Off the scale: {', '.join(texts)}." if texts else ""


def note_below(ax: Axes, text: str) -> None:
    """A small grey line under the axis."""
    if text:
        ax.annotate(
            text, (0, 0), xytext=(0, -44), xycoords="axes fraction", textcoords="offset points", fontsize=8.5,
            color="#666666", annotation_clip=False,
        )  # fmt: skip


def at_least(ax: Axes, table: Table) -> None:
    """Widen the vertical axis to 0.1 of tau or ten points of accuracy, so that noise looks like no difference."""
    low, high = ax.get_ylim()
    missing = (10.0 if table.is_cost else 0.1) - (high - low)
    if missing > 0:
        ax.set_ylim(low - missing / 2, high + missing / 2)


def heading(table: Table, text: str) -> str:
    """Title of a figure; the data set comes first, and made-up labels are said to be made up."""
    return f"{SYNTHETIC if table.synthetic else ''}{table.dataset}: {text}"


def suptitle(figure: Figure, table: Table, text: str) -> None:
    """Title above several panels."""
    figure.suptitle(heading(table, text), x=0.01, ha="left", fontweight="bold", fontsize=11.5)
