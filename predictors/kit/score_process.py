"""What Gaussian processes on features of graphs share: the labels that they learn, and the way back to their units."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor, require_finite
from predictors.kit.features import normal_scores
from predictors.kit.neural import along_curve, quantile_curve, standardiser


class ScoreProcess(BasePredictor):
    """Costs are learned as logarithms, standardised; accuracies as normal scores, which a curve brings back."""

    @dataclass(frozen=True)
    class Config:
        """``most``: labels learned from, drawn at random where there are more; time grows with their cube."""

        most: int = 2000

    @abstractmethod
    def learn(self, train: Graphs, target: Tensor) -> Any:
        """Learn ``target`` (n,); give back the features of ``train``, as `features` would."""

    @abstractmethod
    def features(self, graphs: Graphs) -> Any:
        """What `mean` takes, of each graph."""

    @abstractmethod
    def mean(self, features: Any) -> Tensor:
        """Mean of the process, (n,)."""

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if len(y) > self.config.most:
            draw = torch.Generator().manual_seed(self.seed)
            kept = torch.randperm(len(y), generator=draw)[: self.config.most].sort().values
            train, y = train[kept], y[kept]
        mean, std = standardiser(self.task, y)
        z = ((y.log() if self.task == "cost" else y).double() - mean) / std
        learned = self.learn(train, z if self.task == "cost" else normal_scores(z))
        self.notes["scale"] = [std, mean]
        if self.task == "accuracy":
            self.tensors |= dict(zip(("from", "to"), quantile_curve(self.mean(learned), z), strict=True))

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        z = self.mean(self.features(graphs[first]))
        std, mean = self.notes["scale"]
        if self.task == "cost":
            return require_finite((std * z + mean).exp(), "a prediction")[inverse]
        return (std * along_curve(z, self.tensors["from"], self.tensors["to"]) + mean)[inverse]
