"""Linear regression on a few costs of a whole network: the floor that a latency predictor must beat."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor


class CostRegression(BasePredictor):
    """y = b + w . columns. Costs: with b, w >= 0, by least squares of the relative error; ``log``: a line through the
    logarithms instead. Accuracies: a line through the logarithms of the columns."""

    @dataclass(frozen=True)
    class Config:
        """``log``: costs as a product of powers, cost = b * prod columns^w, by least squares of the logarithms."""

        log: bool = False

    @abstractmethod
    def columns(self, graphs: Graphs) -> Tensor:
        """Costs of each graph, (n, k) float64, none below zero."""

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        own = train.platform == len(train.platforms) - 1
        x, y = self._design(train[own]).numpy(), y[own].double().numpy()
        if self._powers:
            weight = np.linalg.lstsq(x, np.log(y) if self.task == "cost" else y, rcond=None)[0]
        else:
            from scipy.optimize import nnls  # half a second to import, and predicting needs none

            scale = x.max(0).clip(min=1e-300)  # columns of like size; each row is divided by its label
            weight = nnls(x / scale / y[:, None], np.ones(len(y)))[0] / scale
        self.tensors = {"weight": torch.from_numpy(weight), "least": torch.tensor([y.min() / 100])}

    def predict(self, graphs: Graphs) -> Tensor:
        z = self._design(graphs) @ self.tensors["weight"]
        if self.task != "cost":
            return z
        return z.exp() if self._powers else z.clamp(min=float(self.tensors["least"]))

    @property
    def n_params(self) -> int:
        """The weights and the constant."""
        return len(self.tensors["weight"])

    @property
    def _powers(self) -> bool:
        return self.config.log or self.task != "cost"

    def _design(self, graphs: Graphs) -> Tensor:
        x = self.columns(graphs)
        x = x.clamp(min=1).log() if self._powers else x
        return torch.cat([torch.ones(len(x), 1, dtype=torch.float64), x], 1)
