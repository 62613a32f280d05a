"""What the graph predictors see of nodes and graphs: published features of ONNX graphs, or a cell's operations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core import node_features
from pipeline.core.graphs import Graphs


def is_network(graphs: Graphs) -> bool:
    """Whether nodes have attributes and shapes (ONNX graphs), or operations alone (cells)."""
    return bool(graphs.attrs.shape[1] and graphs.out_shape.shape[1])


def memory_accesses(graphs: Graphs) -> Tensor:
    """Elements of all outputs and parameters, (n,) float64."""
    params = graphs.attrs[:, graphs.attr_names.index("params")].numpy()
    return torch.from_numpy(node_features.memory_accesses(params, graphs.out_shape.numpy(), graphs.node_ptr.numpy()))


@dataclass(frozen=True)
class Features:
    """``kind``: nnlp (44 a node, 4 a graph), nn_former (192 and 40) or cell (operation one-hot, nothing a graph)."""

    kind: str

    @classmethod
    def for_graphs(cls, graphs: Graphs, kind: str) -> Features:
        """``kind`` where the nodes have attributes, else cell."""
        return cls(kind if is_network(graphs) else "cell")

    def sizes(self, graphs: Graphs) -> tuple[int, int]:
        """Features a node, features a graph."""
        nodes = {"nnlp": node_features.NNLP_DIM, "nn_former": node_features.NN_FORMER_DIM, "cell": len(graphs.vocab)}[
            self.kind
        ]
        return nodes, {"nnlp": 4, "nn_former": node_features.STATIC_DIM, "cell": 0}[self.kind]

    def nodes(self, graphs: Graphs, index: Tensor) -> Tensor:
        """Features of the nodes ``index``, (len(index), F) float32."""
        if self.kind == "cell":
            return F.one_hot(graphs.op[index], len(graphs.vocab)).float()
        compute = {"nnlp": node_features.nnlp, "nn_former": node_features.nn_former}[self.kind]
        attrs, shapes = graphs.attrs[index].numpy(), graphs.out_shape[index].numpy()
        return torch.from_numpy(compute(graphs.op[index].numpy(), graphs.vocab, attrs, graphs.attr_names, shapes))

    def static(self, graphs: Graphs, index: Tensor) -> Tensor:
        """Features of the graphs ``index``, (len(index), S) float32: batch size, FLOPs, parameters, memory accesses."""
        if self.kind == "cell":
            return torch.zeros(len(index), 0)
        picked = graphs[index]
        batch_size = picked.out_shape[picked.node_ptr[:-1], 0].numpy()  # the first node is the input
        compute = {"nnlp": node_features.static, "nn_former": node_features.nn_former_static}[self.kind]
        memory = memory_accesses(picked).numpy()
        return torch.from_numpy(compute(batch_size, picked.flops.numpy(), picked.params.numpy(), memory))

    def colours(self, graphs: Graphs) -> np.ndarray:
        """A 64-bit hash of what a node's features are made from, (nodes,) uint64."""
        rng = np.random.Generator(np.random.PCG64(0))
        colour = np.zeros(len(graphs.op), dtype=np.uint64)

        def add(column: np.ndarray) -> None:
            odd = rng.integers(2**64, dtype=np.uint64) | np.uint64(1)
            np.add(colour, column.view(np.uint32).astype(np.uint64) * odd, out=colour)

        codes = np.arange(len(graphs.vocab)) if self.kind == "cell" else node_features.op_codes(graphs.vocab)
        add(codes.astype(np.int32)[graphs.op.numpy()])
        if self.kind != "cell":
            names = sorted({name for row in node_features.SLOT_COLUMNS.values() for name in row})
            for name in names:
                add(graphs.attrs[:, graphs.attr_names.index(name)].contiguous().numpy())
            for dimension in range(min(node_features.DIMS, graphs.out_shape.shape[1])):
                add(graphs.out_shape[:, dimension].contiguous().numpy())
        return colour
