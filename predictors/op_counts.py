"""Ridge regression on operation counts, a baseline: what the bill of materials alone tells, without any wiring."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit.features import op_counts, standardise


class Predictor(BasePredictor):
    """Linear in the number of nodes of each operation; costs are fitted as logarithms, by relative error."""

    @dataclass(frozen=True)
    class Config:
        """``ridge``: penalty on the weights of standardised counts, per training graph."""

        ridge: float = 1e-3

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        x = op_counts(train)
        z = y.log() if self.task == "cost" else y
        mean, std = x.mean(0), x.std(0, correction=0)
        x = standardise(x, mean, std)
        penalty = self.config.ridge * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
        weight = torch.linalg.solve(x.T @ x + penalty, x.T @ (z - z.mean()))
        self.tensors = {"weight": weight, "shift": z.mean().reshape(1), "mean": mean, "std": std}

    def predict(self, graphs: Graphs) -> Tensor:
        t = self.tensors
        z = standardise(op_counts(graphs), t["mean"], t["std"]) @ t["weight"] + t["shift"]
        return z.exp() if self.task == "cost" else z

    @property
    def n_params(self) -> int:
        return len(self.tensors["weight"]) + 1
