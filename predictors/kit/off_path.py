"""Operations off every path from input to output, told from those on one: the setting ``off_path: true`` of a label.

A compiler may leave out what the output does not hang on, and work out beforehand what does not hang on the input, so
that the same operation costs nothing in one place of a cell and time in another.
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


class OffPath(BasePredictor):
    """Any predictor, or an ensemble, that sees cells as `marked`."""

    def __init__(self, inner: BasePredictor) -> None:
        self.inner, self.task, self.seed = inner, inner.task, inner.seed
        self.needs, self.transfers, self.zero_shot = inner.needs, inner.transfers, inner.zero_shot
        self.config = with_setting(inner.config, "off_path", True)

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        self.inner.checkpoint = self.checkpoint
        self.inner.unlabelled = None if self.unlabelled is None else marked(self.unlabelled)
        self.inner.fit(marked(train), y, None if val is None else marked(val), y_val)

    def predict(self, graphs: Graphs) -> Tensor:
        return self.inner.predict(marked(graphs))

    @property
    def n_params(self) -> int:
        """Those of the predictor inside."""
        return self.inner.n_params

    def save(self, folder: Path) -> None:
        """Refused: saved are predictors of networks (`pipeline.config.grid.cells_to_save`), and this is for cells."""
        raise BenchError(f"{folder}: a predictor with off_path is for cells and is not saved; leave off_path out")
