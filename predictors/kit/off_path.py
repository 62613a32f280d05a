"""Operations off every path from input to output, told from those on one: the setting ``off_path: true`` of a label.

A compiler may leave out what the output does not hang on, and work out beforehand what does not hang on the input, so
that the same operation costs nothing in one place of a cell and time in another.
"""

from __future__ import annotations

from dataclasses import fields, make_dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor, Unsupported

MARKS = ("", " of no input", " for no output", " apart")  # nodes on a path; without one from the input; to the output


def marked(graphs: Graphs) -> Graphs:
    """The same cells with four names of each operation, by whether a path leads there from the first node and from
    there to the last. Raises `Unsupported` for graphs that are no cells."""
    if graphs.attrs.shape[1]:
        raise Unsupported("off_path is for cells, whose nodes have no attributes")
    dense = graphs.dense()
    fed = torch.zeros_like(dense.mask).index_fill_(1, torch.tensor([0]), True)  # (n, N): the first node
    used = torch.zeros_like(dense.mask).scatter_(1, graphs.n_nodes[:, None] - 1, True)  # the last
    for _ in range(dense.mask.shape[1]):
        fed = fed | (dense.adj & fed[:, :, None]).any(1)
        used = used | (dense.adj & used[:, None, :]).any(2)
    state = (~fed).long() + 2 * (~used).long()  # (n, N)
    vocab = tuple(f"{name}{mark}" for mark in MARKS for name in graphs.vocab)
    return replace(graphs, op=graphs.op + len(graphs.vocab) * state[dense.mask], vocab=vocab)


class OffPath(BasePredictor):
    """Any predictor, or an ensemble, that sees cells as `marked`."""

    def __init__(self, inner: BasePredictor) -> None:
        self.inner, self.task, self.seed = inner, inner.task, inner.seed
        self.needs, self.transfers, self.zero_shot = inner.needs, inner.transfers, inner.zero_shot
        config = {f.name: getattr(inner.config, f.name) for f in fields(inner.config)}
        kind = make_dataclass("Config", [("off_path", bool, True)], bases=(type(inner.config),), frozen=True)
        self.config = kind(**config)

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        self.inner.checkpoint = self.checkpoint
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
