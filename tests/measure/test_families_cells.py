"""NAS-Bench-201's cells as ONNX networks: their wiring, and the smallest network's published counts."""

from __future__ import annotations

import onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measure.builder import INPUT, Builder
from pipeline.measure.nets_other import cell, of_cell
from pipeline.onnx.graph import read_graph
from pipeline.spaces.cells import EDGES_201, OPS_201, cell_201


@given(st.tuples(*[st.sampled_from(OPS_201)] * 6))
@settings(max_examples=100, deadline=None)
def test_a_nasbench201_cell_has_the_paths_of_its_edges(ops):
    """The operations along every path from input to output are those along the paths of the 4 nodes, and no others."""
    expected = paths({(source, target): op for (source, target), op in zip(EDGES_201, ops, strict=True)})
    assert bool(expected) == bool(cell_201(ops).edges)
    if expected:
        b = Builder(8)
        output = cell(b, INPUT, ops)
        made = {node.output[0]: node for node in b.nodes}
        assert sorted(walk(made, output)) == sorted(expected)
        assert {tensor for node in b.nodes for tensor in node.input} | {output} >= set(made)


def paths(edges: dict[tuple[int, int], str], node: int = 3) -> list[tuple[str, ...]]:
    """Per path from node 0: the operations on its edges, without skips."""
    if node == 0:
        return [()]
    return [
        before + (() if op == "skip_connect" else (op,))
        for (source, target), op in edges.items()
        if target == node and op != "none"
        for before in paths(edges, source)
    ]


def walk(made: dict[str, onnx.NodeProto], tensor: str) -> list[tuple[str, ...]]:
    """The same of a network, in which a convolution stands behind its Relu and sums have two inputs."""
    if tensor == INPUT:
        return [()]
    node = made[tensor]
    inputs = node.input if node.op_type == "Add" else node.input[:1]
    kernel = next((a.ints[0] for a in node.attribute if a.name == "kernel_shape"), 0)
    kinds = {"Conv": (f"nor_conv_{kernel}x{kernel}",), "AveragePool": ("avg_pool_3x3",), "Add": (), "Relu": ()}
    if node.op_type == "Conv":
        assert made[node.input[0]].op_type == "Relu"
    return [before + kinds[node.op_type] for name in inputs for before in walk(made, name)]


def test_the_smallest_nasbench201_network_has_its_published_counts():
    """Skip connections alone: 7.78305 MFLOPs (with the classifier's biases) and 0.073306 million parameters."""
    b = Builder(32)
    graph = read_graph(
        b.model(of_cell(b, ("none", "none", "none", "skip_connect", "none", "none"))).SerializeToString()
    )
    assert graph.macs.sum() == 7_783_050 - 10
    scales, running = 16 + 2 * 32 + 2 * 64, 2 * 64  # of the folded normalisations; of the last one
    assert graph.params.sum() + scales - running == 73_306
