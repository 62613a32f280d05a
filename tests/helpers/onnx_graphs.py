"""Generated networks as `Graphs`, and made-up latencies for them: synthetic, to test that predictors learn."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from pipeline.core.graphs import Graphs, from_frame
from pipeline.onnx.columns import frame, pack
from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_networks import networks


def graphs_of(files: Sequence[tuple[str, bytes]]) -> Graphs:
    """The networks of (family, file content), in that order."""
    packed = [pack(read_graph(content, family)) for family, content in files]
    return from_frame(*frame(packed, [str(i) for i in range(len(files))], [family for family, _ in files]))


@functools.cache
def generated(count: int, seed: int = 0) -> Graphs:
    """``count`` networks of five families, 20 to 300 nodes; do not change them."""
    return graphs_of(networks(count, seed))


def made_up_latency(graphs: Graphs, speed: float = 1.0) -> torch.Tensor:
    """(n,) milliseconds: half the sum over operations, half the longest path, so that parallel branches count less.

    An operation takes 5 microseconds, and the longer of its arithmetic (1 TFLOP/s) and its traffic (50 GB/s).
    """
    column = {name: graphs.attrs[:, graphs.attr_names.index(name)].double() for name in ("flops", "memory_bytes")}
    cost = 0.005 + torch.maximum(column["flops"] / 1e9, column["memory_bytes"] / 5e7) / speed
    latencies = []
    for g in range(len(graphs)):
        own = cost[graphs.node_ptr[g] : graphs.node_ptr[g + 1]].tolist()
        edges = slice(graphs.edge_ptr[g], graphs.edge_ptr[g + 1])
        parents: list[list[int]] = [[] for _ in own]
        for i, j in zip(graphs.src[edges].tolist(), graphs.dst[edges].tolist(), strict=True):
            parents[j].append(i)
        done: list[float] = []
        for own_cost, before in zip(own, parents, strict=True):  # topological order
            done.append(own_cost + max((done[i] for i in before), default=0.0))
        latencies.append(0.5 * sum(own) + 0.5 * max(done))
    return torch.tensor(latencies, dtype=torch.float64)
