"""What a sum over operations says that a graph costs: a table in closed form, whose entries a model multiplies."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import Graphs
from predictors import _kernels
from predictors._devices import op_table
from predictors._features import op_counts


def learn(graphs: Graphs, y: Tensor) -> dict[str, Any]:
    """The table of costs ``y`` (n,) as JSON values.

    Cells: a cost an operation and one for all, by ridge regression. Networks: a cost a node, a FLOP and a byte of every
    operation, none below zero, by relative error; an operation that ``graphs`` lack costs what all of them cost on
    average. No graph costs less than half the 5 % quantile of ``y``.
    """
    table: dict[str, Any] = {"least": float(y.quantile(0.05)) / 2}
    if graphs.attrs.shape[1]:
        (kind, names), values, labels = _kernels.node_kinds(graphs), _basis(graphs), y.double().numpy()
        weights = _kernels.linear_costs(values, kind, len(names), _graph_of(graphs), labels)
        (other,) = _kernels.linear_costs(values, np.zeros_like(kind), 1, _graph_of(graphs), labels)
        return table | {"nodes": {names[k]: weights[k].tolist() for k in np.unique(kind)}, "other": other.tolist()}
    entries, fixed = op_table(graphs, y)
    return table | {"entries": entries.tolist(), "fixed": float(fixed)}


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
    kind, names = _kernels.node_kinds(graphs)
    weights = np.array([table["nodes"].get(name, table["other"]) for name in names])
    return torch.from_numpy((_basis(graphs) * weights[kind]).sum(1))


def shares(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What each node of networks takes of its graph's `cost`, (nodes,) float64."""
    each = node_costs(table, graphs)
    return each / _totals(table, graphs, each).repeat_interleave(graphs.n_nodes)


def _totals(table: dict[str, Any], graphs: Graphs, each: Tensor) -> Tensor:
    total = torch.from_numpy(np.bincount(_graph_of(graphs), each.numpy(), len(graphs)))
    return total.clamp(min=table["least"])


def _graph_of(graphs: Graphs) -> np.ndarray:
    return np.repeat(np.arange(len(graphs)), graphs.n_nodes.numpy())


def _basis(graphs: Graphs) -> np.ndarray:
    """One, FLOPs and bytes of every node, (nodes, 3)."""
    flops, size = (graphs.attrs[:, graphs.attr_names.index(name)].double() for name in ("flops", "memory_bytes"))
    return torch.stack([torch.ones_like(flops), flops, size], 1).numpy()
