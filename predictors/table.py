"""A baseline: the table of costs that NN-Former's predictions are multiples of, by itself."""

from __future__ import annotations

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit import cost_table


class Predictor(BasePredictor):
    """A graph costs the sum of its operations: of networks by node, FLOPs, padded FLOPs and bytes, of cells by kind.

    See `predictors.kit.cost_table`. Accuracies are taken for costs.
    """

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        own = train.platform == len(train.platforms) - 1  # other devices have their own costs
        self.notes["table"] = cost_table.learn(train[own], y[own])

    def predict(self, graphs: Graphs) -> Tensor:
        return cost_table.cost(self.notes["table"], graphs)

    @property
    def n_params(self) -> int:
        """Entries of the table."""
        table = self.notes["table"]
        return sum(map(len, table["nodes"].values())) if "nodes" in table else len(table["entries"]) + 1
