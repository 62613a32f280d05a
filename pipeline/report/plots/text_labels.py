"""Placing text in figures: labels at line ends that keep apart, and labels beside points that avoid each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, Bbox

HALO = [withStroke(linewidth=2.5, foreground="white")]
# Where a label may stand, in points from its marker, the best place first: dx, dy, horizontal and vertical alignment.
SIDES = [(9, 0, "left", "center"), (7, 7, "left", "bottom"), (7, -7, "left", "top"), (-9, 0, "right", "center")]
SIDES += [(-7, 7, "right", "bottom"), (-7, -7, "right", "top"), (0, 9, "center", "bottom"), (0, -9, "center", "top")]
SIDES += [(14, -18, "left", "top"), (-14, 18, "right", "bottom"), (26, 0, "left", "center")]
SIDES += [(9, 18, "left", "bottom"), (9, -18, "left", "top"), (-9, 18, "right", "bottom"), (-9, -18, "right", "top")]


class Label(NamedTuple):
    """A text at a data point."""

    text: str
    x: float
    y: float
    colour: str
    strong: bool


def spread(positions: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move `positions` as little as needed so that neighbours are `gap` apart inside [low, high].

    With too little room the gap shrinks to fit. Classic pool-adjacent-violators on positions less their rank times gap.
    """
    if not positions:
        return []
    order = np.argsort(positions, kind="stable")
    n = len(positions)
    gap = min(gap, (high - low) / max(n - 1, 1))
    blocks: list[list[float]] = []  # [sum, count] of shifted positions
    for rank, index in enumerate(order):
        blocks.append([positions[index] - rank * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    shifted = np.repeat([total / count for total, count in blocks], [int(count) for _, count in blocks])
    shifted = np.clip(shifted, low, high - (n - 1) * gap)
    placed = [0.0] * n
    for rank, index in enumerate(order):
        placed[index] = float(shifted[rank] + rank * gap)
    return placed


def label_ends(ax: Axes, ends: list[Label], points: float = 11.5) -> None:
    """Write each line's name right of its last point, tied to it by a thin line. Texts stay `points` apart."""
    if not ends:
        return
    ax.figure.draw_without_rendering()
    box, scale = ax.get_window_extent(), ax.figure.dpi / 72
    pixels = [ax.transData.transform((end.x, end.y))[1] for end in ends]
    placed = spread(pixels, points * scale, box.y0 + 4 * scale, box.y1 - 4 * scale)
    for end, place, pixel in zip(ends, placed, pixels, strict=True):
        right = (box.x1 - ax.transData.transform((end.x, end.y))[0]) / scale + 6
        ax.annotate(
            end.text, (end.x, end.y), xytext=(right, (place - pixel) / scale), textcoords="offset points",
            color=end.colour, va="center", fontsize=9, fontweight="bold" if end.strong else "normal",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": end.colour, "lw": 0.7, "alpha": 0.6, "shrinkA": 1, "shrinkB": 4},
        )  # fmt: skip


def label_points(ax: Axes, labels: list[Label], line: list[tuple[float, float]]) -> None:
    """Write each point's name beside it, where it covers the other points, names and the polyline `line` least.

    The layout must be final: `Figure.draw_without_rendering` before.
    """
    figure, renderer = ax.figure, ax.figure.canvas.get_renderer()
    scale, frame = figure.dpi / 72, ax.get_window_extent()
    dots = [ax.transData.transform((label.x, label.y)) for label in labels]
    taken = [_square(x, y, 10 * scale) for x, y in dots]
    thin = [_square(x, y, 2 * scale) for x, y in _along([ax.transData.transform(point) for point in line], 3 * scale)]
    for number, (label, (x, y)) in enumerate(zip(labels, dots, strict=True)):
        note = ax.annotate(
            label.text, (label.x, label.y), xytext=(0, 0), textcoords="offset points", color=label.colour, fontsize=9,
            fontweight="bold" if label.strong else "normal", annotation_clip=False, path_effects=HALO,
        )  # fmt: skip
        extent = note.get_window_extent(renderer)
        others = _array([box for k, box in enumerate(taken) if k != number])
        options = []
        for rank, side in enumerate(SIDES):
            box = _beside(x, y, extent.width, extent.height, side, scale)
            cost = 1e3 * (_overlaps(box, others) + _outside(box, frame)) + 3.0 * _overlaps(box, _array(thin)) / scale
            options.append((cost + rank, rank, box))
        _, rank, box = min(options, key=lambda option: option[:2])
        dx, dy, ha, va = SIDES[rank]
        note.set(position=(dx, dy), ha=ha, va=va)
        taken.append(box)


def write_cells(ax: Axes, cells: list[tuple[float, float, str, str]], size: float) -> None:
    """Centre a text on each of many data points, given as x, y, text, colour: as one collection of outlines, which is
    drawn several times faster than a text object a cell."""
    outlines = {}
    for _, _, text, _ in cells:
        if text not in outlines:
            path = TextPath((0, 0), text, size=size)
            middle = (path.vertices.min(0) + path.vertices.max(0)) / 2
            outlines[text] = Path(path.vertices - [middle[0], middle[1]], path.codes)
    drawn = PathCollection(
        [outlines[text] for _, _, text, _ in cells], offsets=[(x, y) for x, y, _, _ in cells],
        offset_transform=ax.transData, facecolors=[colour for *_, colour in cells], linewidths=0,
    )  # fmt: skip
    drawn.set_transform(Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans)
    ax.add_collection(drawn, autolim=False)


def _beside(x: float, y: float, width: float, height: float, side: tuple, scale: float) -> Bbox:
    """The box of a text of some size at one of SIDES of a point."""
    dx, dy, ha, va = side
    left = x + dx * scale - width * {"left": 0.0, "center": 0.5, "right": 1.0}[ha]
    low = y + dy * scale - height * {"bottom": 0.0, "center": 0.5, "top": 1.0}[va]
    return Bbox.from_bounds(left, low, width, height)


def _array(boxes: list[Bbox]) -> np.ndarray:
    """Boxes as x0, y0, x1, y1, shape (n, 4)."""
    return np.array([box.extents for box in boxes]).reshape(-1, 4)


def _overlaps(box: Bbox, others: np.ndarray) -> float:
    """Area that a box shares with all of `others` (n, 4)."""
    width = np.minimum(box.x1, others[:, 2]) - np.maximum(box.x0, others[:, 0])
    height = np.minimum(box.y1, others[:, 3]) - np.maximum(box.y0, others[:, 1])
    return float((np.clip(width, 0.0, None) * np.clip(height, 0.0, None)).sum())


def _square(x: float, y: float, side: float) -> Bbox:
    return Bbox.from_bounds(x - side / 2, y - side / 2, side, side)


def _along(corners: list[np.ndarray], step: float) -> list[np.ndarray]:
    """Points at most `step` apart along a polyline."""
    points = []
    for start, end in zip(corners, corners[1:], strict=False):
        parts = max(int(np.hypot(*(end - start)) / step), 1)
        points += [start + (end - start) * k / parts for k in range(parts + 1)]
    return points


def _outside(box: Bbox, frame: Bbox) -> float:
    over = max(frame.x0 - box.x0, 0) + max(box.x1 - frame.x1, 0) + max(frame.y0 - box.y0, 0) + max(box.y1 - frame.y1, 0)
    return float(over)
