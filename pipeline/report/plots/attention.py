"""NN-Former's picture of one network: its graph with the pairs of siblings, and what each of its heads looks at."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.report.plots.style import SYNTHETIC, Drawn

CHILD, PARENT = "#0072B2", "#CC79A7"
NAMES = {
    "adj": "where a node's edges lead",
    "adj_t": "where its edges come from",
    "share_child": "siblings with a child in common",
    "share_parent": "siblings with a parent in common",
    "global": "all nodes",
}
SHORT = {"nor_conv_": "conv ", "avg_pool_": "pool ", "skip_connect": "skip", "maxpool": "max ", "-bn-relu": ""}
COLUMNS = {"block", "head", "mask", "node", "other", "weight", "allowed"}


def picture(path: Path, synthetic: Collection[str] = ()) -> tuple[Drawn, str]:
    """The figure of a table of `pipeline.train.attention`, and what it was made with.

    `synthetic`: data sets of made-up labels. Raises BenchError when the file is not such a table.
    """
    frame, about = io.read_parquet(path), io.read_meta(path)
    if about.get("kind") != "attention" or not set(frame.columns) >= COLUMNS:
        raise BenchError(f"{path}: not a table of attention; delete it and run its step again")
    ops = [_short(op) for op in about["ops"]]
    keys = ["head", "mask", "node", "other"]
    heads = frame.group_by(keys).agg(pl.mean("weight"), pl.first("allowed")).sort("head", "node", "other")
    figure = plt.figure(figsize=(12.6, 6.6))
    cells = figure.add_gridspec(
        2, 3, width_ratios=[1.5, 1, 1], left=0.01, right=0.99, bottom=0.06, top=0.84, wspace=0.32, hspace=0.42
    )
    _graph(figure.add_subplot(cells[:, 0]), ops, [tuple(edge) for edge in about["edges"]])
    for head in range(min(frame["head"].n_unique(), 4)):
        part = heads.filter(pl.col("head") == head)
        _map(figure.add_subplot(cells[head // 2, 1 + head % 2]), ops, part, head)
    made_up = SYNTHETIC if about["dataset"] in synthetic else ""
    title = f"{made_up}{about['dataset']}: NN-Former on one held-out network, {about['n_train']:,} labels"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11.5)
    text = (
        f"{about['network']}, {about['target']} {about['true']:.2f}, predicted {about['predicted']:.2f}\n"
        f"Maps: attention of each head (hard masks and labels alone, as published), mean of "
        f"{frame['block'].n_unique()} blocks; row: the node that looks, at tokens too; blank: masked. A weight "
        "shows where a head looks, not why a network is good."
    )
    figure.text(0.01, 0.945, text, fontsize=8.5, color="#666666", va="top", linespacing=1.5)
    made_with = (
        f"data {about['dataset']} version {about['dataset_version']} · seed {about['seed']} · "
        f"code {about['code_rev']} · PyTorch {about['torch_version']} · {about['host_cpu']}"
    )
    return Drawn(figure, heads), made_with


def _short(op: str) -> str:
    for long, short in SHORT.items():
        op = op.replace(long, short)
    return op


def siblings(n: int, edges: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs (i < j) of nodes that share a child (A A^T) and of those that share a parent (A^T A)."""
    a = np.zeros((n, n), dtype=int)
    for i, j in edges:
        a[i, j] = 1
    shared = (np.triu(a @ a.T, 1), np.triu(a.T @ a, 1))
    return tuple([(int(i), int(j)) for i, j in np.argwhere(pairs)] for pairs in shared)


def layout(n: int, edges: list[tuple[int, int]]) -> np.ndarray:
    """Places of the nodes, (n, 2): depth downwards by the longest path from the input, breadth centred.

    Nodes are in topological order. In a layer they stand in the order of their parents' places.
    """
    depth = np.zeros(n, dtype=int)
    for i, j in sorted(edges):
        depth[j] = max(depth[j], depth[i] + 1)
    places = np.zeros((n, 2))
    for level in range(depth.max() + 1):
        nodes = np.flatnonzero(depth == level)
        parents = {j: [places[i, 0] for i, k in edges if k == j] for j in nodes}
        nodes = sorted(nodes, key=lambda j: (np.mean(parents[j]) if parents[j] else 0.0, j))
        for rank, j in enumerate(nodes):
            places[j] = (rank - (len(nodes) - 1) / 2, -level)
    return places


def _graph(ax: Axes, ops: list[str], edges: list[tuple[int, int]]) -> None:
    """The graph, input on top, with dashed arcs between siblings."""
    places = layout(len(ops), edges)
    boxes = []
    for node, (x, y) in enumerate(places):
        box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": "#444444", "lw": 1.0}
        text = ax.text(x, y, f"{node} {ops[node]}", ha="center", va="center", fontsize=9, bbox=box, zorder=2)
        boxes.append(text.get_bbox_patch())

    def line(i: int, j: int, bend: float, **style) -> None:
        arrow = FancyArrowPatch(
            places[i], places[j], connectionstyle=f"arc3,rad={bend}", patchA=boxes[i], patchB=boxes[j], shrinkA=1,
            shrinkB=1, lw=1.5, mutation_scale=12, zorder=3, **style,
        )  # fmt: skip
        ax.add_patch(arrow)

    for i, j in edges:
        jump = places[i, 1] - places[j, 1] > 1  # past other nodes: bent outwards
        side = -1.0 if places[i, 0] > places[j, 0] else 1.0
        line(i, j, 0.3 * side if jump else 0.0, arrowstyle="-|>", color="#555555")
    for pairs, colour, bend in zip(siblings(len(ops), edges), (CHILD, PARENT), (0.32, -0.32), strict=True):
        for i, j in pairs:
            line(i, j, bend, arrowstyle="-", color=colour, ls=(0, (3, 2)))
    wide = max(np.abs(places[:, 0]).max(), 0.8) + 0.6
    ax.set(xlim=(-wide, wide), ylim=(places[:, 1].min() - 0.9, 0.4))
    ax.axis("off")
    for k, (colour, text) in enumerate(((CHILD, "share a child"), (PARENT, "share a parent"))):
        x = 0.08 + 0.46 * k
        ax.plot([x, x + 0.09], [0.02, 0.02], color=colour, ls=(0, (3, 2)), lw=1.6, transform=ax.transAxes)
        ax.text(x + 0.11, 0.02, text, transform=ax.transAxes, fontsize=9, color=colour, va="center")


def _map(ax: Axes, ops: list[str], part: pl.DataFrame, head: int) -> None:
    """One head: row = the node that looks, column = the node looked at; blank where its mask forbids it."""
    n = len(ops)
    weights = part["weight"].to_numpy().reshape(n, n)
    allowed = part["allowed"].to_numpy().reshape(n, n)
    ax.imshow(np.ma.masked_where(~allowed, weights), cmap="YlGnBu", vmin=0.0, vmax=1.0)
    for i, j in np.argwhere(allowed):
        colour = "white" if weights[i, j] > 0.55 else "#222222"
        text = f"{weights[i, j]:.2f}".lstrip("0") if weights[i, j] < 0.995 else "1"
        ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
    ax.set_xticks(range(n), range(n), fontsize=8)
    ax.set_yticks(range(n), [f"{i} {op}" for i, op in enumerate(ops)], fontsize=8)
    ax.set_xlabel("looked at", fontsize=8.5)
    ax.grid(False)
    ax.tick_params(length=0)
    mask = part["mask"][0]
    ax.set_title(f"Head {head + 1}: {NAMES.get(mask, mask)}", fontsize=9, fontweight="normal")
