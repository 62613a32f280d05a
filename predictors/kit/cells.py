"""Neural predictors of cells alone."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import Unsupported
from predictors.kit.neural import NeuralPredictor
from predictors.kit.padded import SMALL
from predictors.kit.train_loop import Recipe


class CellPredictor(NeuralPredictor):
    """A neural predictor of graphs of at most 32 nodes that carry their operation and nothing else."""

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        """Learn from cells.

        Raises:
            Unsupported: graphs with attributes, or of more than 32 nodes.
        """
        require_cells(train_graphs)
        super().fit(train_graphs, y, val, y_val)

    def recipe(self, n: int) -> Recipe:
        """Where the settings have no ``first_steps`` it is 200."""
        recipe = super().recipe(n)
        return recipe if recipe.first_steps else replace(recipe, steps=min(recipe.steps, 200 + n))


def require_cells(graphs: Graphs) -> None:
    """Raise `Unsupported` unless the graphs are cells."""
    if graphs.attrs.shape[1] or int(graphs.n_nodes.max()) > SMALL:
        raise Unsupported(f"it predicts cells: up to {SMALL} nodes, without attributes")
