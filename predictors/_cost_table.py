"""What a sum over operations says that a graph costs: a table in closed form, whose entries a model multiplies."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import Graphs
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
        kind, labels = _kinds(graphs), y.double().numpy()
        weights, names = _network_table(graphs, kind, labels), [*graphs.vocab, "grouped Conv"]
        (other,) = _network_table(graphs, np.zeros_like(kind), labels)[:1]
        return table | {"nodes": {names[k]: weights[k].tolist() for k in np.unique(kind)}, "other": other.tolist()}
    entries, fixed = op_table(graphs, y)
    return table | {"entries": entries.tolist(), "fixed": float(fixed)}


def cost(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What the table says that each graph costs, (n,) float64, above zero."""
    if "nodes" in table:
        total = torch.from_numpy(np.bincount(_graph_of(graphs), node_costs(table, graphs).numpy(), len(graphs)))
    else:
        total = op_counts(graphs) @ torch.tensor(table["entries"], dtype=torch.float64) + table["fixed"]
    return total.clamp(min=table["least"])


def node_costs(table: dict[str, Any], graphs: Graphs) -> Tensor:
    """What it says that each node of networks costs, (nodes,) float64."""
    known, names = table["nodes"], [*graphs.vocab, "grouped Conv"]
    weights = np.array([known.get(name, table["other"]) for name in names])
    return torch.from_numpy((_basis(graphs) * weights[_kinds(graphs)]).sum(1))


def _network_table(graphs: Graphs, kind: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of `_basis` for every kind of node, (kinds, 3). ``kind``: (nodes,)."""
    from scipy.optimize import nnls  # half a second to import, and predicting needs none

    values = _basis(graphs)
    design = np.zeros((len(y), len(graphs.vocab) + 1, values.shape[1]))
    np.add.at(design, (_graph_of(graphs), kind), values)
    design = design.reshape(len(y), -1)
    scale = design.max(0)
    scale[scale == 0] = 1
    weight = nnls(design / scale / y[:, None], np.ones(len(y)), maxiter=50 * design.shape[1])[0] / scale
    return weight.reshape(-1, values.shape[1])


def _graph_of(graphs: Graphs) -> np.ndarray:
    return np.repeat(np.arange(len(graphs)), graphs.n_nodes.numpy())


def _basis(graphs: Graphs) -> np.ndarray:
    """One, FLOPs and bytes of every node, (nodes, 3)."""
    flops, size = (graphs.attrs[:, graphs.attr_names.index(name)].double() for name in ("flops", "memory_bytes"))
    return torch.stack([torch.ones_like(flops), flops, size], 1).numpy()


def _kinds(graphs: Graphs) -> np.ndarray:
    """Operation of every node, grouped convolutions apart, (nodes,)."""
    kind = graphs.op.numpy().copy()
    if "Conv" in graphs.vocab:
        group = graphs.attrs[:, graphs.attr_names.index("group")].numpy()
        kind[(kind == graphs.vocab.index("Conv")) & (group > 1)] = len(graphs.vocab)
    return kind
