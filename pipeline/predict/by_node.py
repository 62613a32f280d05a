"""Where the time of a network goes: what each kind of operation, and each block, takes of a predicted latency.

A predictor of this kind multiplies a table of costs (`predictors.kit.cost_table`): a cost for every call, FLOP and
byte of each kind of operation, none below zero, fitted to whole networks. Here each node has its entry of that table,
scaled so that all of them make the prediction. That is an attribution, not a measurement: no node was ever timed by
itself. What stands at Input is what a call takes whatever is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.errors import BenchError, one_line
from pipeline.onnx.graph import INPUT, OnnxGraph

MOST_OPS = 3  # kinds of operation that the name of a block lists


@dataclass(frozen=True)
class Part:
    """Some nodes of a network: how many, what they take, and its share of the whole in percent."""

    name: str
    nodes: int
    latency_ms: float
    percent: float


@dataclass(frozen=True)
class Breakdown:
    """A latency in parts, each of which makes the whole: operations, most time first, and blocks in order."""

    model: str
    device: str
    latency_ms: float
    operations: tuple[Part, ...]
    blocks: tuple[Part, ...]


def breakdown(model: str, device: str, form: OnnxGraph, times: np.ndarray, kinds: Sequence[str]) -> Breakdown:
    """Of a network in the form that was predicted, the milliseconds of its nodes (n,) and their kinds of operation."""
    total = float(times.sum())
    by_kind = {kind: [i for i, name in enumerate(kinds) if name == kind] for kind in dict.fromkeys(kinds)}
    order = sorted(by_kind, key=lambda kind: -times[by_kind[kind]].sum())
    groups = blocks(form)
    names = [_name_of_block(number, form, group) for number, group in enumerate(groups)]
    return Breakdown(
        model,
        device,
        total,
        _parts(order, [by_kind[kind] for kind in order], times),
        _parts(names, groups, times),
    )


def _parts(names: Sequence[str], groups: Sequence[list[int]], times: np.ndarray) -> tuple[Part, ...]:
    sums = [float(times[group].sum()) for group in groups]
    rows = zip(names, groups, sums, hundred(np.array(sums)), strict=True)
    return tuple(Part(name, len(group), ms, percent) for name, group, ms, percent in rows)


def hundred(values: np.ndarray) -> list[float]:
    """Shares of values in percent, with one decimal, that make 100.0: the largest remainders are rounded up."""
    exact = 1000 * values / values.sum()
    whole = np.floor(exact)
    left = int(round(1000 - whole.sum()))
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return [float(tenths) / 10 for tenths in whole]


def blocks(form: OnnxGraph) -> list[list[int]]:
    """The nodes of a network in order, cut where all data flow through one tensor.

    A block is what lies between two such places, such as a residual block; where one node does, a node with parameters
    begins a block, and others belong to the block before them.
    """
    n = len(form.ops)
    reach = np.arange(n)  # the last reader of each node
    np.maximum.at(reach, form.src, form.dst)
    pieces, start, open_until = [], 0, 0
    for i in range(n):
        if open_until <= i:  # nothing older is read behind this node
            pieces.append(list(range(start, i + 1)))
            start = i + 1
        open_until = max(open_until, int(reach[i]))
    if start < n:
        pieces.append(list(range(start, n)))
    made: list[list[int]] = []
    for piece in pieces:
        alone = len(piece) == 1 and not form.params[piece[0]]
        if made and alone and form.ops[made[-1][-1]] != INPUT:
            made[-1] += piece
        else:
            made.append(piece)
    return made


def _name_of_block(number: int, form: OnnxGraph, group: list[int]) -> str:
    counts = Counter(form.ops[i] for i in group).most_common()
    listed = ", ".join(f"{op} x{k}" if k > 1 else op for op, k in counts[:MOST_OPS])
    more = ", ..." if len(counts) > MOST_OPS else ""
    shape = "x".join(map(str, form.out_shapes[group[-1]][0]))
    return f"{number}: {listed}{more} -> {shape}"


def report(found: Breakdown) -> str:
    """Both tables in words."""
    lines = [
        f"{found.model} on {found.device}: {found.latency_ms:.4g} ms, shared out by the predictor's table of costs"
    ]
    for title, parts in (("operation", found.operations), ("block", found.blocks)):
        width = max(len(title), *(len(part.name) for part in parts))
        lines += ["", f"{title:{width}}  nodes         ms       %"]
        lines += [f"{p.name:{width}}  {p.nodes:5}  {p.latency_ms:9.4g}  {p.percent:6.1f}" for p in parts]
        nodes = sum(part.nodes for part in parts)
        lines.append(f"{'all':{width}}  {nodes:5}  {found.latency_ms:9.4g}  {100:6.1f}")
    return "\n".join(lines)


def draw(found: Sequence[Breakdown], path: Path) -> None:
    """A picture of both tables, a row a network: bars of operations, and of blocks in order.

    The ending of the name says which kind of file. Raises BenchError when it can't be written."""
    from matplotlib.figure import Figure

    longest = max(len(parts) for one in found for parts in (one.operations, one.blocks))
    figure = Figure(figsize=(13, (1.2 + 0.2 * longest) * len(found)), layout="constrained")
    grid = figure.subplots(len(found), 2, squeeze=False)
    for row, one in zip(grid, found, strict=True):
        for axes, parts in zip(row, (one.operations, one.blocks), strict=True):
            axes.barh([part.name for part in parts], [part.latency_ms for part in parts])
            axes.invert_yaxis()
            axes.set_xlabel("ms")
            axes.set_title(f"{Path(one.model).name}: {one.latency_ms:.4g} ms on {one.device}", fontsize=9)
            axes.tick_params(labelsize=7)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{path}: no picture ({one_line(error)}); give a file that ends in .svg, .png or .pdf"
        ) from error
