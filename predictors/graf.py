"""GRAF (Kadlecová et al., ICML 2024, arXiv 2404.16551): neural graph features, and trees on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.trees import Trees


class Predictor(Trees):
    """LightGBM on operation counts, path lengths and degrees over subsets of the operations.

    For every subset: the fewest and the most operations on a path from input to output that uses the subset alone, the
    input's out-degree and the output's in-degree counted over the subset, and the mean in- and out-degree.
    Preset ``paper``: a random forest. The default is boosted trees. Departures: operations are nodes, where the paper
    has them on the edges of NAS-Bench-201, so the degrees are of operations; no zero-cost proxies.
    """

    @dataclass(frozen=True)
    class Config:
        """``forest``: a random forest instead of boosted trees."""

        forest: bool = False
        rounds: int = 500
        learning_rate: float = 0.05
        leaves: int = 15
        min_leaf: int = 1
        feature_fraction: float = 0.3
        bagging_fraction: float = 0.8
        l2: float = 1.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"forest": True, "rounds": 200, "leaves": 1000, "bagging_fraction": 0.63, "l2": 0.0},
    }

    def settings(self, n: int) -> dict[str, Any]:
        settings = super().settings(n)
        if self.config.forest:  # features are drawn anew at every split
            settings |= {"boosting": "rf", "feature_fraction_bynode": settings.pop("feature_fraction")}
        return settings

    def features(self, graphs: Graphs) -> Tensor:
        return graph_statistics(graphs)
