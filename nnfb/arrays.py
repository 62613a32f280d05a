"""Graphs as an array of one dimension: what scikit-learn may cut into parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from pipeline.core.graphs import Graphs


class GraphArray:
    """n graphs, indexed as a NumPy array of shape (n,): by a number, a slice, integers or booleans.

    `graphs` are the same as tensors.
    """

    def __init__(self, graphs: Graphs) -> None:
        self.graphs = graphs

    @property
    def shape(self) -> tuple[int]:
        """(n,)."""
        return (len(self.graphs),)

    @property
    def ids(self) -> np.ndarray:
        """graph_id of each, (n,), int64."""
        return np.asarray(self.graphs.graph_id.numpy())

    def __len__(self) -> int:
        return len(self.graphs)

    def __iter__(self) -> Iterator[GraphArray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> GraphArray:
        """The graphs at `index`; a number gives an array of one. Raises IndexError as NumPy does."""
        if isinstance(index, tuple):  # array[rows, ...], as scikit-learn asks
            index = index[0]
        rows = np.atleast_1d(np.arange(len(self))[index])
        return GraphArray(self.graphs[torch.from_numpy(rows)])

    def __repr__(self) -> str:
        return f"GraphArray({len(self)} graphs)"


def as_graphs(x: object) -> Graphs:
    """Graphs of an array of graphs, or of a list of such. Raises TypeError with anything else."""
    if isinstance(x, GraphArray):
        return x.graphs
    if isinstance(x, Graphs):
        return x
    raise TypeError(f"X is a {type(x).__name__}, not graphs; take X, y = nnfb.load_dataset(...).labelled(...)")
