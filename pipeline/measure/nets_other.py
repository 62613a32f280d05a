"""NAS-Bench-201: its 15,625 cells in the paper's skeleton; and a detector."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from pipeline.measure.builder import INPUT, Builder, Settings
from pipeline.measure.nets_plain import residual_stages
from pipeline.spaces.cells import EDGES_201, OPS_201, cell_201

LARGEST = ("nor_conv_3x3",) * 6  # the cell of most parameters and FLOPs stands for the paper's own


def nasbench201(b: Builder, s: Settings) -> str:
    """Dong and Yang, ICLR 2020, for 10 classes. Varied: the cell, uniformly over those whose output hangs on the input.

    Operations that don't reach the output are left out.
    """
    ops = LARGEST
    while s.rng is not None:
        ops = tuple(s.rng.choice(OPS_201) for _ in EDGES_201)
        if cell_201(ops).edges:
            break
    return of_cell(b, ops)


def of_cell(b: Builder, ops: Sequence[str]) -> str:
    """The skeleton: 3 stages of 5 equal cells at 16, 32 and 64 channels, residual blocks between them."""
    x = b.conv(INPUT, 16, 3)
    for stage in range(3):
        if stage:
            channels = 16 << stage
            y = b.conv(b.relu(b.conv(b.relu(x), channels, 3, 2)), channels, 3)
            x = b.add(b.conv(b.pool(x, 2, kind="AveragePool"), channels, bias=False), y)
        for _ in range(5):
            x = cell(b, x, ops)
    return b.linear(b.flatten(b.mean(b.relu(b.norm(x)))), 10)


def cell(b: Builder, x: str, ops: Sequence[str]) -> str:
    """One cell: every node is the sum of what its edges make of earlier nodes, if anything arrives there."""
    reaches = {3}
    for (source, target), op in sorted(zip(EDGES_201, ops, strict=True), reverse=True):
        if op != "none" and target in reaches:
            reaches.add(source)
    nodes = {0: x}
    for (source, target), op in zip(EDGES_201, ops, strict=True):
        if op == "none" or source not in nodes or target not in reaches:
            continue
        y = nodes[source]
        if op == "avg_pool_3x3":
            y = b.pool(y, 3, 1, 1, kind="AveragePool")
        elif op != "skip_connect":
            y = b.conv(b.relu(y), b.channels(y), 3 if op == "nor_conv_3x3" else 1)
        nodes[target] = b.add(nodes[target], y) if target in nodes else y
    return nodes[3]


def detector(b: Builder, s: Settings) -> str:
    """Lin et al., CVPR 2017: a feature pyramid on ResNet-18's last three stages. Its heads are YOLOv3's (Redmon and
    Farhadi 2018, arXiv:1804.02767): one a level, three boxes a position with four places, a score and 80 classes each.
    Varied: the image's edge, ResNet-18's settings, the pyramid's width, convolutions of a head, boxes, classes.
    """
    edge, width, depth = s.pick(320, range(160, 417, 32)), s.width(256), s.pick(1, (0, 1, 2))
    boxes, entries = s.pick(3, (1, 3, 6)), 5 + s.pick(80, (1, 20, 80))
    b.reads(1, 3, edge, edge)
    above, found = None, []
    for x in residual_stages(b, s)[:0:-1]:
        y = b.conv(x, width)
        above = b.add(y, _twice(b, above)) if above else y
        x = b.conv(above, width, 3)
        for _ in range(depth):
            x = b.relu(b.conv(x, width, 3))
        size = b.shapes[x][2]
        x = b.reshape(b.conv(x, boxes * entries), 1, boxes, entries, size, size)
        found.append(b.reshape(b.transpose(x, 0, 1, 3, 4, 2), 1, boxes * size * size, entries))
    return b.op("Sigmoid", b.op("Concat", *found, axis=1, shape=(1, sum(b.shapes[x][1] for x in found), entries)))


def _twice(b: Builder, x: str) -> str:
    """An image of twice the edge."""
    _, channels, *edges = b.shapes[x]
    factors = b.constant([1.0, 1.0, 2.0, 2.0], TensorProto.FLOAT)
    about = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return b.op("Resize", x, "", factors, shape=(1, channels, *(2 * edge for edge in edges)), **about)
