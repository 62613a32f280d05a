"""Operations off every path from input to output, told from those on one: the setting ``off_path: true`` of a label.

A compiler may leave out what the output does not hang on, and work out beforehand what does not hang on the input, so
that the same operation costs nothing in one place of a cell and time in another. Where the output hangs on no input, it
may work out nearly all of the network.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor, Unsupported, with_setting

MARKS = ("", " of no input", " for no output", " apart")  # nodes on a path; without one from the input; to the output


def reached(graphs: Graphs) -> tuple[Tensor, Tensor]:
    """Whether a path leads to a node from its graph's first one, and from it to the last: bool, one value a node."""
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.edge_ptr.diff())
    source, target = graphs.src + graphs.node_ptr[graph], graphs.dst + graphs.node_ptr[graph]
    nowhere = torch.zeros(len(graphs.op), dtype=torch.bool)
    fed = nowhere.index_fill(0, graphs.node_ptr[:-1], True)
    used = nowhere.index_fill(0, graphs.node_ptr[1:] - 1, True)
    for _ in range(int(graphs.n_nodes.max())):
        fed = fed.index_put((target,), fed[source], accumulate=True)
        used = used.index_put((source,), used[target], accumulate=True)
    return fed, used


def marked(graphs: Graphs) -> Graphs:
    """The same cells with four names of each operation, by whether a path leads there from the first node and from
    there to the last. Raises `Unsupported` for graphs that are no cells."""
    if graphs.attrs.shape[1]:
        raise Unsupported("off_path is for cells, whose nodes have no attributes")
    fed, used = reached(graphs)
    state = (~fed).long() + 2 * (~used).long()
    vocab = tuple(f"{name}{mark}" for mark in MARKS for name in graphs.vocab)
    return replace(graphs, op=graphs.op + len(graphs.vocab) * state, vocab=vocab)


def without_input(graphs: Graphs) -> Tensor:
    """Whether the output of each graph hangs on no input: bool (n,)."""
    return ~reached(graphs)[0][graphs.node_ptr[1:] - 1]


def least_relative_error(y: Tensor) -> Tensor:
    """The number of the smallest mean relative error to labels ``y`` (n,) above zero: their median by weights 1/y."""
    y = y.sort().values
    weight = (1 / y).cumsum(0)
    return y[(weight < weight[-1] / 2).sum()]


class OffPath(BasePredictor):
    """Any predictor, or an ensemble, that sees cells as `marked`.

    Where cells without input cost next to nothing, most of them less than half of any other cell, one cost stands for
    all of them, that of the smallest relative error, and the predictor learns from the others alone.
    """

    def __init__(self, inner: BasePredictor) -> None:
        self.inner, self.task, self.seed = inner, inner.task, inner.seed
        self.needs, self.transfers, self.zero_shot = inner.needs, inner.transfers, inner.zero_shot
        self.config = with_setting(inner.config, "off_path", True)

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        self.tensors, apart = {}, without_input(train)
        of_one_device = self.task == "cost" and len(train.platforms) == 1
        if of_one_device and 0 < apart.sum() < len(y) and y[apart].median() < y[~apart].min() / 2:
            self.tensors = {"without_input": least_relative_error(y[apart]).reshape(1)}
            train, y = train[~apart], y[~apart]
        self.inner.checkpoint = self.checkpoint
        self.inner.unlabelled = None if self.unlabelled is None else marked(self.unlabelled)
        self.inner.fit(marked(train), y, None if val is None else marked(val), y_val)

    def predict(self, graphs: Graphs) -> Tensor:
        costs = self.inner.predict(marked(graphs))
        if "without_input" not in self.tensors:
            return costs
        return torch.where(without_input(graphs), self.tensors["without_input"].to(costs.dtype), costs)

    @property
    def n_params(self) -> int:
        """Those of the predictor inside, and the cost of cells without input."""
        return self.inner.n_params + len(self.tensors)

    def save(self, folder: Path) -> None:
        """Refused: saved are predictors of networks (`pipeline.config.grid.cells_to_save`), and this is for cells."""
        raise BenchError(f"{folder}: a predictor with off_path is for cells and is not saved; leave off_path out")
