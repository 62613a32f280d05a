"""The mean training label for every graph: the baseline any predictor must beat."""

from __future__ import annotations

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor


class Predictor(BasePredictor):
    """Mean label (geometric mean for costs)."""

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        mean = y.log().mean().exp() if self.task == "cost" else y.mean()
        self.tensors = {"mean": mean.reshape(1)}

    def predict(self, graphs: Graphs) -> Tensor:
        return self.tensors["mean"].expand(len(graphs)).clone()
