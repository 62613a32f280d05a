"""What a sum over operations says that a graph costs: a table in closed form, whose entries a model multiplies."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit import kernels
from predictors.kit.devices import op_table
from predictors.kit.features import op_counts


def learn(graphs: Graphs, y: Tensor) -> dict[str, Any]:
    """The table of costs ``y`` (n,) as JSON values.

    Cells: a cost an operation and one for all, by ridge regression. Networks: a cost a node, a FLOP, a FLOP of padded
    vectors and a byte of every operation, none below zero, by relative error; an operation that ``graphs`` lack costs
    what all of them cost on average. A cell costs at least half the 5 % quantile of ``y``, a network a hundredth of the
    smallest.
    """
    if graphs.attrs.shape[1]:
        table: dict[str, Any] = {"least": float(y.min()) / 100}
        (kind, names), values, home = kernels.node_kinds(graphs), _basis(graphs), _graph_of(graphs)
        labels = y.double().numpy()
        weights = kernels.linear_costs(values, kind, len(names), home, labels)
        (other,) = kernels.linear_costs(values, np.zeros_like(kind), 1, home, labels)
        return table | {"nodes": {names[k]: weights[k].tolist() for k in np.unique(kind)}, "other": other.tolist()}
    entries, fixed = op_table(graphs, y)
    return {"least": float(y.quantile(0.05)) / 2, "entries": entries.tolist(), "fixed": float(fixed)}


def cost(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What the table says that each graph costs, (n,) float64, above zero."""
    if "nodes" in table:
        return _totals(table, graphs, node_costs(table, graphs))
    total = op_counts(graphs) @ torch.tensor(table["entries"], dtype=torch.float64) + table["fixed"]
    return total.clamp(min=table["least"])


def multiples(
    table: dict[str, Any], train: Graphs, y: Tensor, val: Graphs | None, y_val: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Labels ``y`` of ``train`` and ``y_val`` of ``val``, if any, as multiples of what the table says."""
    return y / cost(table, train), None if val is None else y_val / cost(table, val)


def node_costs(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What it says that each node of networks costs, (nodes,) float64."""
    kind, names = kernels.node_kinds(graphs)
    weights = np.array([_entry(table, name) for name in names])
    return torch.from_numpy((_basis(graphs) * weights[kind]).sum(1))


def shares(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What each node of networks takes of its graph's `cost`, (nodes,) float64."""
    costs = node_costs(table, graphs)
    return costs / _totals(table, graphs, costs).repeat_interleave(graphs.n_nodes)


def parts(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What the table says of each graph, (n, F) float64: the logarithm of its `cost`; of networks also how much of it
    each kind of operation takes."""
    total = cost(table, graphs)
    if "nodes" not in table:
        return total.log()[:, None]
    kinds = sorted(table["nodes"])
    kind, names = kernels.node_kinds(graphs)
    column = torch.tensor([kinds.index(name) if name in table["nodes"] else len(kinds) for name in names])
    by_kind = torch.zeros(len(graphs), len(kinds) + 1, dtype=torch.float64)
    at = torch.from_numpy(_graph_of(graphs)), column[torch.from_numpy(kind)]
    by_kind.index_put_(at, node_costs(table, graphs), accumulate=True)
    return torch.cat([total.log()[:, None], by_kind / total[:, None]], 1)


def _entry(table: dict[str, Any], kind: str) -> list[float]:
    """What the table has for a kind of node; else for the same in floats, then ungrouped; else for any."""
    in_floats = kind.removeprefix(kernels.IN_8_BITS)
    for name in (kind, in_floats, in_floats.removeprefix(kernels.GROUPED)):
        if name in table["nodes"]:
            return table["nodes"][name]
    return table["other"]


def _totals(table: dict[str, Any], graphs: Graphs, costs: Tensor) -> Tensor:
    total = torch.from_numpy(np.bincount(_graph_of(graphs), costs.numpy(), len(graphs)))
    return total.clamp(min=table["least"])


def _graph_of(graphs: Graphs) -> np.ndarray:
    return np.repeat(np.arange(len(graphs)), graphs.n_nodes.numpy())


def _basis(graphs: Graphs) -> np.ndarray:
    """One, FLOPs, FLOPs of padded vectors and bytes of every node, (nodes, 4)."""
    flops, size = (
        graphs.attrs[:, graphs.attr_names.index(name)].double().numpy() for name in ("flops", "memory_bytes")
    )
    return np.stack([np.ones_like(flops), flops, flops * kernels.padding(graphs), size], 1)
