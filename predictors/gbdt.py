"""Gradient-boosted trees (LightGBM, Ke et al., NeurIPS 2017) on flattened cells and operation counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit import cost_table
from predictors.kit.features import flat_cells, op_counts
from predictors.kit.trees import Trees


class Predictor(Trees):
    """Boosted trees on what a cell is; with `table`, costs as multiples of a table of costs."""

    @dataclass(frozen=True)
    class Config:
        """``max_nodes``: nodes beyond it are left out of the flattened part. ``table``: costs are learned as multiples
        of NN-Former's table of costs (`kit.cost_table`), whose parts are features too. ``sizes``: FLOPs, MACs,
        parameters and numbers of nodes and edges are features too, as logarithms."""

        rounds: int = 500
        learning_rate: float = 0.05
        leaves: int = 15
        min_leaf: int = 1
        feature_fraction: float = 0.5
        bagging_fraction: float = 0.8
        l2: float = 1.0
        max_nodes: int = 8
        table: bool = False
        sizes: bool = False

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if self.config.table and self.task == "cost":
            self.notes["table"] = cost_table.learn(train, y)
            y, _ = cost_table.multiples(self.notes["table"], train, y, None, None)
        super().fit(train, y, val, y_val)

    def predict(self, graphs: Graphs) -> Tensor:
        ratio = super().predict(graphs)
        return ratio * cost_table.cost(self.notes["table"], graphs) if "table" in self.notes else ratio

    def features(self, graphs: Graphs) -> Tensor:
        features = [flat_cells(graphs, self.config.max_nodes), op_counts(graphs)]
        if "table" in self.notes:
            features.append(cost_table.parts(self.notes["table"], graphs))
        if self.config.sizes:
            sizes = (graphs.flops, graphs.macs, graphs.params, graphs.n_nodes, graphs.edge_ptr.diff())
            features.append(torch.stack([size.double() for size in sizes], 1).log1p())
        return torch.cat(features, 1)
