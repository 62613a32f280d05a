"""What predictors of boosted trees share (LightGBM, Ke et al., NeurIPS 2017)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import lightgbm
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit import tags

# LightGBM the same at every run, on one thread, with a bin for every value.
SETTINGS: dict[str, Any] = {
    "objective": "regression",
    "bagging_freq": 1,
    "min_data_in_bin": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def leaves(trees: lightgbm.Booster) -> int:
    """How many leaves all trees have."""
    return sum(tree["num_leaves"] for tree in trees.dump_model()["tree_info"])


class Trees(BasePredictor):
    """Trees on `features`, and on proxies or tags where asked; costs are fitted as logarithms. One thread,
    deterministic."""

    takes_proxies = True
    takes_tags = True

    @abstractmethod
    def features(self, graphs: Graphs) -> Tensor:
        """What the trees see of n graphs, (n, F)."""

    def columns(self, graphs: Graphs) -> Tensor:
        """`features` of n graphs, and beside them proxies and tags with the settings of these names."""
        parts = [self.features(graphs)]
        if "proxies" in self.needs:
            parts.append(graphs.proxies.double())
        if "tags" in self.needs:
            parts.append(tags.one_hot(graphs, self.notes["tags"]))
        return torch.cat(parts, 1)

    def settings(self, n: int) -> dict[str, Any]:
        """LightGBM's parameters for ``n`` labels."""
        c = self.config
        return {
            **SETTINGS,
            "learning_rate": c.learning_rate,
            "num_leaves": c.leaves,
            "min_data_in_leaf": min(c.min_leaf, max(1, n // 10)),
            "feature_fraction": c.feature_fraction,
            "bagging_fraction": c.bagging_fraction,
            "lambda_l2": c.l2,
            "seed": self.seed,
        }

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        self.notes |= {"tags": tags.common(train)} if "tags" in self.needs else {}
        settings, z = self.settings(len(y)), y.log() if self.task == "cost" else y
        rows = lightgbm.Dataset(self.columns(train).numpy(), z.numpy(), params=settings)
        self.trees = lightgbm.train(settings, rows, self.config.rounds)
        self.notes["trees"] = self.trees.model_to_string()

    def predict(self, graphs: Graphs) -> Tensor:
        z = torch.from_numpy(self.trees.predict(self.columns(graphs).numpy(), num_threads=1))
        return z.exp() if self.task == "cost" else z

    def restored(self) -> None:
        self.trees = lightgbm.Booster(model_str=self.notes["trees"])

    @property
    def n_params(self) -> int:
        """Leaves of all trees."""
        return leaves(self.trees)
