"""Statistics of whole graphs that need no label (GRAF, Kadlecová et al., ICML 2024, arXiv 2404.16551, section 4)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.features import op_counts

ENDS = ("input", "output", "Input")  # operations that compute nothing
MOST = 6  # operations: up to here every subset has its features, beyond it single operations and all together
PORTION = 2_000_000  # entries of path lengths that are held at once


def graph_statistics(graphs: Graphs) -> Tensor:
    """Operation counts, then `of_subsets` of the `subsets` of the vocabulary, (n, V + 6 S) float64."""
    sets = subsets(graphs.vocab)
    allowed = torch.tensor([[o in s for o in range(len(graphs.vocab))] for s in sets])
    size = max(1, PORTION // (len(sets) * int(graphs.n_nodes.max())))
    parts = [of_subsets(graphs[i : i + size], allowed) for i in range(0, len(graphs), size)]
    return torch.cat([op_counts(graphs), torch.cat(parts)], 1)


def subsets(vocab: Sequence[str]) -> list[tuple[int, ...]]:
    """Sets of operations, as ids: every one, or single ones and all of them where there are many."""
    ops = [o for o, name in enumerate(vocab) if name not in ENDS]
    if len(ops) > MOST:
        return [*((o,) for o in ops), tuple(ops)]
    return [s for k in range(1, len(ops) + 1) for s in itertools.combinations(ops, k)]


def of_subsets(graphs: Graphs, allowed: Tensor) -> Tensor:
    """(n, 6 S): fewest and most operations on a path, degrees of input and output, mean degrees, for each subset.

    ``allowed``: (S, V). Inputs are the nodes without a parent, the output is the last node. Where no path stays in the
    subset, the fewest are the number of nodes and the most are -1.
    """
    n, counts = len(graphs), graphs.n_nodes[:, None]
    graph = torch.repeat_interleave(torch.arange(n), graphs.edge_ptr.diff())
    source, target = graphs.src + graphs.node_ptr[graph], graphs.dst + graphs.node_ptr[graph]
    last = graphs.node_ptr[1:] - 1
    first = torch.ones(len(graphs.op), dtype=torch.bool).index_fill_(0, target, False)
    within = allowed[:, graphs.op].T.index_fill(0, last, True)  # (nodes, S)
    order = graphs.dst.argsort(stable=True)
    rounds = [r for r in order.split(torch.bincount(graphs.dst).tolist()) if len(r)]  # topological, all graphs at once

    def longest(sign: float) -> Tensor:
        """Largest sum of ``sign`` over the operations on a path, (n, S), -inf where there is none."""
        best = torch.full(within.shape, float("-inf"))
        best[first] = 0
        for edges in rounds:
            own = sign * (target[edges] != last[graph[edges]])[:, None]
            reached = torch.where(within[target[edges]], best[source[edges]] + own, float("-inf"))
            best.scatter_reduce_(0, target[edges, None].expand_as(reached), reached, "amax")
        return torch.where(first[last, None], float("-inf"), best[last])

    def degree(edges: Tensor | slice, far: Tensor) -> Tensor:
        """Number of ``edges`` whose ``far`` end is an operation of the subset, (n, S)."""
        counted = allowed[:, graphs.op[far[edges]]].T.float()
        return torch.zeros(n, len(allowed)).index_add_(0, graph[edges], counted)

    fewest = -longest(-1.0)
    fewest = torch.where(fewest.isinf(), counts.float(), fewest)
    out_of_input, into_output = degree(first[source], target), degree(target == last[graph], source)
    means = [degree(slice(None), far) / counts for far in (source, target)]
    return torch.cat([fewest, longest(1.0).clamp(min=-1), out_of_input, into_output, *means], 1).double()
