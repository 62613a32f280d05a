"""Latency as a linear function of FLOPs, the trivial baseline of NNLQP (Liu et al., ICPP 2022)."""

from __future__ import annotations

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.cost_regression import CostRegression


class Predictor(CostRegression):
    """cost = b + w FLOPs, neither below zero, fitted by relative error; ``log``: cost = b FLOPs^w.

    Departure: the paper does not say how it fits; ordinary least squares would follow the slowest networks.
    """

    needs = frozenset({"flops"})

    def columns(self, graphs: Graphs) -> Tensor:
        return graphs.flops[:, None]
