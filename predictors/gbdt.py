"""Gradient-boosted trees (LightGBM, Ke et al., NeurIPS 2017) on flattened cells and operation counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit import cost_table
from predictors.kit.features import flat_cells, op_counts


class Predictor(BasePredictor):
    """Boosted trees; costs are fitted as logarithms. One thread, deterministic."""

    @dataclass(frozen=True)
    class Config:
        """``max_nodes``: nodes beyond it are left out of the flattened part. ``table``: costs are learned as multiples
        of NN-Former's table of costs (`kit.cost_table`), whose parts are features too."""

        rounds: int = 500
        learning_rate: float = 0.05
        leaves: int = 15
        min_leaf: int = 1
        feature_fraction: float = 0.5
        bagging_fraction: float = 0.8
        l2: float = 1.0
        max_nodes: int = 8
        table: bool = False

    def settings(self, n: int) -> dict[str, Any]:
        """LightGBM's parameters for ``n`` labels."""
        c = self.config
        return {
            "objective": "regression",
            "learning_rate": c.learning_rate,
            "num_leaves": c.leaves,
            "min_data_in_leaf": min(c.min_leaf, max(1, n // 10)),
            "feature_fraction": c.feature_fraction,
            "bagging_fraction": c.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": c.l2,
            "min_data_in_bin": 1,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        settings = self.settings(len(y))
        if self.config.table and self.task == "cost":
            self.notes["table"] = cost_table.learn(train, y)
            y, _ = cost_table.multiples(self.notes["table"], train, y, None, None)
        z = y.log() if self.task == "cost" else y
        rows = lightgbm.Dataset(self._features(train).numpy(), z.numpy(), params=settings)
        self.trees = lightgbm.train(settings, rows, self.config.rounds)
        self.notes["trees"] = self.trees.model_to_string()

    def predict(self, graphs: Graphs) -> Tensor:
        z = torch.from_numpy(self.trees.predict(self._features(graphs).numpy(), num_threads=1))
        ratio = z.exp() if self.task == "cost" else z
        return ratio * cost_table.cost(self.notes["table"], graphs) if "table" in self.notes else ratio

    def restored(self) -> None:
        self.trees = lightgbm.Booster(model_str=self.notes["trees"])

    @property
    def n_params(self) -> int:
        """Leaves of all trees."""
        return int(sum(tree["num_leaves"] for tree in self.trees.dump_model()["tree_info"]))

    def _features(self, graphs: Graphs) -> Tensor:
        features = [flat_cells(graphs, self.config.max_nodes), op_counts(graphs)]
        if "table" in self.notes:
            features.append(cost_table.parts(self.notes["table"], graphs))
        return torch.cat(features, 1)
