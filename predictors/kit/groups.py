"""What graphs show without labels, in groups of features: what a linear model of a device's cost weighs."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.devices import ridge
from predictors.kit.features import op_counts
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.off_path import reached


def chain_length(graphs: Graphs) -> int:
    """Number of nodes where all graphs are chains of one length, as those of FBNet are; else 0."""
    n = graphs.n_nodes
    same = len(graphs) > 0 and bool((n == n[0]).all()) and len(graphs.src) == len(graphs) * (int(n[0]) - 1)
    return int(n[0]) if same and bool((graphs.src + 1 == graphs.dst).all()) else 0


def feature_groups(graphs: Graphs, length: int) -> dict[str, Tensor]:
    """Groups of features, each (n, F) float64.

    ``counts``: of operations. ``live``: of operations on a path from input to output, all that is left where a compiler
    removes the others. ``skip``: of blocks that a chain leaves out. ``detail``: of chains of ``length`` nodes the
    operation at each place; of other graphs, for which it is 0, the statistics of GRAF. ``costs``: FLOPs and
    parameters, where the data set knows them.
    """
    counts, costs = op_counts(graphs), torch.stack([graphs.flops, graphs.params], 1).double()
    groups = {"counts": counts} if costs.isnan().any() else {"counts": counts, "costs": costs}
    if not length:
        return groups | {"live": live_counts(graphs), "detail": graph_statistics(graphs)}
    if "skip" in graphs.vocab:
        groups["skip"] = counts[:, [graphs.vocab.index("skip")]]
    return groups | {"detail": place_one_hot(graphs, length)}


def place_one_hot(graphs: Graphs, length: int) -> Tensor:
    """The operation of each of the first ``length`` nodes, (n, length * V) float64, zeros where there is no node."""
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
    place = torch.arange(len(graphs.op)) - graphs.node_ptr[graph]
    kept = place < length
    hot = torch.zeros(len(graphs), length, len(graphs.vocab), dtype=torch.float64)
    hot[graph[kept], place[kept], graphs.op[kept]] = 1
    return hot.flatten(1)


def live_counts(graphs: Graphs) -> Tensor:
    """How often each operation occurs on a path from the first node to the last, (n, V) float64."""
    fed, used = reached(graphs)
    owner = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
    live = torch.zeros(len(graphs), len(graphs.vocab), dtype=torch.float64)
    return live.index_put_((owner, graphs.op), (fed & used).double(), accumulate=True)


def entries_in_parts(hot: Tensor, said: Tensor, length: int) -> Tensor:
    """Weights (length * V, 2 S + V S) that cut costs into parts, from `place_one_hot` and costs ``said`` (n, S).

    A device's cost is a sum of an entry for each place and operation. Two sums weigh entries by their place, along a
    line and a parabola: early blocks against late ones. The other V sums are of one operation's entries each.
    """
    centred = hot - hot.mean(0)
    inner = centred.T @ centred + torch.eye(hot.shape[1], dtype=torch.float64)
    entries = torch.linalg.solve(inner, centred.T @ (said - said.mean(0))).view(length, -1, said.shape[1])  # (P, V, S)
    place = torch.arange(length, dtype=torch.float64)
    inside = place[1:-1] if length > 3 else place
    place = ((place - inside.mean()) / inside.std(correction=0))[:, None, None]
    n_ops = entries.shape[1]
    by_kind = entries[:, :, None] * torch.eye(n_ops, dtype=torch.float64)[:, :, None]
    parts = [entries * place, entries * (place**2 - 1), by_kind.flatten(2)]
    return torch.cat([part.flatten(0, 1) for part in parts], 1)


def folded(groups: dict[str, Tensor], weight: Tensor) -> Tensor:
    """Weights (F, 1) of all columns of ``groups`` that make of a cost what it would be beside what it is.

    The cost is ``weight`` (F,) times the features. By operation counts it becomes a table of entries; the sum of the
    entries of operations on a path from input to output alone, as a compiler leaves them, less the cost, both divided
    by their deviations.
    """
    said = torch.cat(list(groups.values()), 1) @ weight
    entries, _ = ridge(groups["counts"], said)
    sizes = [x.shape[1] for x in groups.values()]
    beside = dict(zip(groups, (-weight / _deviation(said)).split(sizes), strict=True))
    beside["live"] = beside["live"] + entries / _deviation(groups["live"] @ entries)
    return torch.cat(list(beside.values()))[:, None]


def _deviation(x: Tensor) -> Tensor:
    return x.std(correction=0).clamp(min=1e-12)
