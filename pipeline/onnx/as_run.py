"""A network as runtimes run it, from one as frameworks export it for training or opsets used to write it.

Three rewritings that every inference runtime makes: Dropout and Identity go; a batch normalisation straight after a
convolution is folded into it, where nothing else reads the convolution; a Sum of two is an Add. The costs are those of
the network that is left.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pipeline.onnx.graph import OnnxGraph

DROPPED = frozenset({"Dropout", "Identity"})
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
NORM = "BatchNormalization"
BIAS_BYTES = 4  # of an element


def as_run(graph: OnnxGraph) -> OnnxGraph:
    """`graph` without Dropout, Identity, foldable batch normalisations and Sums of two."""
    n = len(graph.ops)
    parents: list[list[int]] = [[] for _ in range(n)]
    for i, j in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        parents[j].append(i)
    readers = np.bincount(graph.src, minlength=n)
    stands_for = list(range(n))  # the node whose output a node's output is
    ops, attributes = list(graph.ops), list(graph.attributes)
    flops, params, memory = graph.flops.copy(), graph.params.copy(), graph.memory_bytes.copy()
    for node, before in enumerate(parents):
        if len(before) == 1 and ops[node] in DROPPED:
            stands_for[node] = stands_for[before[0]]
            readers[stands_for[node]] += readers[node] - 1
        elif len(before) == 1 and ops[node] == NORM:
            source = stands_for[before[0]]
            if ops[source] not in CONVOLUTIONS or readers[source] != 1:
                continue
            stands_for[node], readers[source] = source, readers[node]
            if attributes[source]["has_bias"] == (0,):
                shape = graph.out_shapes[source][0]
                attributes[source] = {**attributes[source], "has_bias": (1,)}
                flops[source] += math.prod(shape)
                params[source] += shape[1]
                memory[source] += BIAS_BYTES * shape[1]
        elif len(before) == 2 and ops[node] == "Sum":
            ops[node], attributes[node] = "Add", {}
    kept = [node for node in range(n) if stands_for[node] == node]
    number = {node: index for index, node in enumerate(kept)}
    edges = {
        (number[stands_for[i]], number[j])
        for i, j in zip(graph.src.tolist(), graph.dst.tolist(), strict=True)
        if stands_for[j] == j
    }
    src, dst = np.array(sorted(edges), dtype=np.int64).reshape(-1, 2).T
    return replace(
        graph,
        ops=tuple(ops[node] for node in kept),
        src=src,
        dst=dst,
        attributes=tuple(attributes[node] for node in kept),
        out_shapes=tuple(graph.out_shapes[node] for node in kept),
        in_channels=graph.in_channels[kept],
        flops=flops[kept],
        macs=graph.macs[kept],
        params=params[kept],
        memory_bytes=memory[kept],
    )
