"""Latency as a linear function of FLOPs and memory accesses, a baseline of NNLQP (Liu et al., ICPP 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.cost_regression import CostRegression
from predictors.kit.node_features import memory_accesses


class Predictor(CostRegression):
    """cost = b + w1 FLOPs + w2 accesses, none below zero, fitted by relative error; ``log``: a product of powers.

    Memory accesses are counted in elements: the outputs of all operations, and all parameters.
    """

    needs = frozenset({"flops", "attrs", "out_shape"})

    def columns(self, graphs: Graphs) -> Tensor:
        return torch.stack([graphs.flops, memory_accesses(graphs)], 1)
