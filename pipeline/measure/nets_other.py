"""NAS-Bench-201 (its 15,625 cells in the paper's skeleton) and the vision transformer."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.measure.builder import INPUT, Builder, Settings
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


def vit(b: Builder, s: Settings) -> str:
    """Dosovitskiy et al., ICLR 2021, ViT-B/16. Varied: patch, width, size of a head, depth (3 to 12), hidden units."""
    patch, head = s.pick(16, (14, 16, 28, 32)), s.pick(64, (32, 64))
    heads = max(1, round(s.width(768) / head))
    dim, hidden = heads * head, s.width(3072)
    x = b.conv(INPUT, dim, patch, patch, pad=0)
    length = b.shapes[x][2] ** 2
    x = b.op("Reshape", x, b.constant([1, dim, length]), shape=(1, dim, length))
    x = b.op("Transpose", x, perm=[0, 2, 1], shape=(1, length, dim))
    length += 1
    x = b.op("Concat", b.weight(1, 1, dim), x, axis=1, shape=(1, length, dim))
    x = b.op("Add", x, b.weight(1, length, dim))
    for _ in range(s.pick(12, range(3, 13))):
        x = b.add(x, _attention(b, b.layer_norm(x), heads))
        y = b.dense(b.layer_norm(x), hidden)
        x = b.add(x, b.dense(_gelu(b, y), dim))
    x = b.op("Gather", b.layer_norm(x), b.constant([0]), axis=1, shape=(1, 1, dim))
    return b.linear(b.flatten(x), 1000)


def _attention(b: Builder, x: str, heads: int) -> str:
    _, length, dim = b.shapes[x]
    head = dim // heads
    parts = []
    for turn in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):  # queries, keys, values
        y = b.op("Reshape", b.dense(x, dim), b.constant([1, length, heads, head]), shape=(1, length, heads, head))
        parts.append(b.op("Transpose", y, perm=turn, shape=[(1, length, heads, head)[axis] for axis in turn]))
    query, key, value = parts
    scores = b.op("Mul", b.matmul(query, key), b.constant(head**-0.5))
    y = b.matmul(b.op("Softmax", scores, axis=-1), value)
    y = b.op("Transpose", y, perm=[0, 2, 1, 3], shape=(1, length, heads, head))
    return b.dense(b.op("Reshape", y, b.constant([1, length, dim]), shape=(1, length, dim)), dim)


def _gelu(b: Builder, x: str) -> str:
    """x (1 + erf(x / sqrt 2)) / 2."""
    y = b.op("Erf", b.op("Mul", x, b.constant(0.5**0.5)))
    return b.op("Mul", b.op("Mul", x, b.op("Add", y, b.constant(1.0))), b.constant(0.5))
