"""Random NAS-Bench-201 cells as `Graphs`, and made-up labels for them: synthetic, to test that predictors learn."""

from __future__ import annotations

import torch

from pipeline.core.graphs import Graphs, from_frame
from pipeline.spaces import cells

# input -> conv3 -> output and input -> skip -> conv1 -> output
TWO_WAYS = cells.Cell(
    ("input", "nor_conv_3x3", "skip_connect", "nor_conv_1x1", "output"), ((0, 1), (0, 2), (1, 4), (2, 3), (3, 4))
)
EMPTY = cells.Cell(("input", "output"), ())
DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3)]


def small_space(n: int, seed: int = 0) -> Graphs:
    """``n`` random NAS-Bench-201 cells, synthetic in choice only."""
    draw = torch.Generator().manual_seed(seed)
    ops = torch.randint(5, (n, 6), generator=draw).tolist()
    graphs = [cells.cell_201([cells.OPS_201[o] for o in row]) for row in ops]
    return graphs_of(*graphs)


def synthetic_labels(graphs: Graphs, task: str) -> torch.Tensor:
    """Made-up labels that follow from operation counts."""
    counts = torch.zeros(len(graphs), len(graphs.vocab), dtype=torch.float64)
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
    counts.index_put_((graph, graphs.op), torch.ones(len(graph), dtype=torch.float64), accumulate=True)
    cost = counts @ torch.tensor([1.0, 1.0, 0.2, 1.0, 3.0, 0.5], dtype=torch.float64)
    return cost if task == "cost" else 100 - 50 / cost


def graphs_of(*drawn: cells.Cell) -> Graphs:
    """The cells as `Graphs`."""
    frame = cells.graphs_frame([str(i) for i in range(len(drawn))], "nasbench201", drawn, cells.VOCAB_201)
    return from_frame(frame, {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0})


def adjacency(edges: list[tuple[int, int]], n: int) -> torch.Tensor:
    """(1, n, n), true where an edge runs."""
    adj = torch.zeros(1, n, n, dtype=torch.bool)
    for i, j in edges:
        adj[0, i, j] = True
    return adj
