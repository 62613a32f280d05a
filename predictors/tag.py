"""A baseline: ridge regression on tags alone, what a recipe's name tells of a network without its graph."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit import tags


class Predictor(BasePredictor):
    """The mean label of the training networks with the same tag, drawn towards the mean of all; costs as logarithms.

    Tags of fewer than `kit.tags.LEAST` training networks count as one.
    """

    needs = frozenset({"tags"})

    @dataclass(frozen=True)
    class Config:
        """``ridge``: penalty on the squared weight of a tag: as many labels at the mean of all are added to its own."""

        ridge: float = 1.0

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        self.notes = {"tags": tags.common(train)}
        z = y.double().log() if self.task == "cost" else y.double()
        x, mean = tags.one_hot(train, self.notes["tags"]), z.mean()
        self.tensors = {"weight": x.T @ (z - mean) / (x.sum(0) + self.config.ridge), "shift": mean.reshape(1)}

    def predict(self, graphs: Graphs) -> Tensor:
        z = tags.one_hot(graphs, self.notes["tags"]) @ self.tensors["weight"] + self.tensors["shift"]
        return z.exp() if self.task == "cost" else z
