"""A network as runtimes run it, from one as frameworks export it for training or opsets used to write it.

Four rewritings that every inference runtime makes: Dropout and Identity go; a batch normalisation straight after a
convolution is folded into it, where nothing else reads the convolution; a Sum of two is an Add; what an optimiser fused
goes by the name of its heaviest part. The costs are those of the network that is left.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from pipeline.onnx.graph import OnnxGraph

DROPPED = frozenset({"Dropout", "Identity"})
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
NORM = "BatchNormalization"
FUSED = {  # operations of com.microsoft: what they do beside the one named is little
    "FusedConv": "Conv",
    "FusedGemm": "Gemm",
    "FusedMatMul": "MatMul",
    "TransposeMatMul": "MatMul",
    "BiasGelu": "Gelu",
    "FastGelu": "Gelu",
    "QuickGelu": "Gelu",
    "SkipLayerNormalization": "LayerNormalization",
    "SimplifiedLayerNormalization": "RMSNormalization",
    "SkipSimplifiedLayerNormalization": "RMSNormalization",
}
BIAS_BYTES = 4  # of an element


@lru_cache(maxsize=1)  # each of several predictors asks
def as_run(graph: OnnxGraph) -> OnnxGraph:
    """`graph` without Dropout, Identity, foldable batch normalisations, Sums of two and fused names."""
    n = len(graph.ops)
    parents: list[list[int]] = [[] for _ in range(n)]
    for i, j in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        parents[j].append(i)
    readers = np.bincount(graph.src, minlength=n)
    stands_for = list(range(n))  # the node whose output a node's output is
    ops, attributes = list(graph.ops), list(graph.attributes)
    flops, params, memory = graph.flops.copy(), graph.params.copy(), graph.memory_bytes.copy()
    for node, reads in enumerate(parents):
        if len(reads) == 1 and ops[node] in DROPPED:
            stands_for[node] = stands_for[reads[0]]
            readers[stands_for[node]] += readers[node] - 1
        elif len(reads) == 1 and ops[node] == NORM:
            source = stands_for[reads[0]]
            if ops[source] not in CONVOLUTIONS or readers[source] != 1:
                continue
            stands_for[node], readers[source] = source, readers[node]
            if attributes[source]["has_bias"] == (0,):
                shape = graph.out_shapes[source][0]
                attributes[source] = {**attributes[source], "has_bias": (1,)}
                flops[source] += math.prod(shape)
                params[source] += shape[1]
                memory[source] += BIAS_BYTES * shape[1]
        elif len(reads) == 2 and ops[node] == "Sum":
            ops[node], attributes[node] = "Add", {}
    ops = [FUSED.get(op, op) for op in ops]
    changed = replace(
        graph, ops=tuple(ops), attributes=tuple(attributes), flops=flops, params=params, memory_bytes=memory
    )
    return _merged(changed, stands_for)


def _merged(graph: OnnxGraph, stands_for: list[int]) -> OnnxGraph:
    """`graph` with the nodes that stand for themselves alone; the others' readers read what they stand for."""
    remaining = [node for node in range(len(stands_for)) if stands_for[node] == node]
    number = {node: index for index, node in enumerate(remaining)}
    edges = {
        (number[stands_for[i]], number[j])
        for i, j in zip(graph.src.tolist(), graph.dst.tolist(), strict=True)
        if stands_for[j] == j
    }
    src, dst = np.array(sorted(edges), dtype=np.int64).reshape(-1, 2).T
    return replace(
        graph,
        ops=tuple(graph.ops[node] for node in remaining),
        src=src,
        dst=dst,
        attributes=tuple(graph.attributes[node] for node in remaining),
        out_shapes=tuple(graph.out_shapes[node] for node in remaining),
        in_channels=graph.in_channels[remaining],
        flops=graph.flops[remaining],
        macs=graph.macs[remaining],
        params=graph.params[remaining],
        memory_bytes=graph.memory_bytes[remaining],
    )
