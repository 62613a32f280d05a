"""Latency as a linear function of the number of parameters: a trivial baseline, as in most of the literature."""

from __future__ import annotations

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.cost_regression import CostRegression


class Predictor(CostRegression):
    """cost = b + w parameters, neither below zero, fitted by relative error; ``log``: cost = b parameters^w."""

    needs = frozenset({"params"})

    def columns(self, graphs: Graphs) -> Tensor:
        return graphs.params[:, None]
