"""A baseline: latency by the roofline of a chip (Williams et al., CACM 2009), fitted to networks."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.cost_regression import CostRegression

RIDGES = tuple(2.0 ** (step / 2) for step in range(-8, 25))  # FLOPs a byte, 1/16 to 4096


class Predictor(CostRegression):
    """cost = b + w1 sum_i max(FLOPs_i, ridge bytes_i) + w2 operations, no weight below zero, fitted by relative error.

    Every operation i runs at the chip's peak or at its bandwidth, whichever takes longer: 1 / w1 is the peak, ridge the
    FLOPs a byte at which both take the same time (section 3). The paper measures peak and bandwidth; here all three
    weights are fitted to the training networks in closed form for each of 33 ridges, and the best ridge is kept. w2 is
    the time to start an operation, which the paper has not.
    """

    needs = frozenset({"attrs"})

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        own = train.platform == len(train.platforms) - 1
        train, y = train[own], y[own].double()
        errors = {}
        for ridge in RIDGES:
            self.notes["ridge"] = ridge
            super().fit(train, y)
            error = self.predict(train) / y - 1 if self.task == "cost" else self.predict(train) - y
            errors[ridge] = float(error.square().mean())
        self.notes["ridge"] = min(RIDGES, key=errors.__getitem__)
        super().fit(train, y)

    def columns(self, graphs: Graphs) -> Tensor:
        flops, size = (graphs.attrs[:, graphs.attr_names.index(name)].double() for name in ("flops", "memory_bytes"))
        graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
        time = torch.maximum(flops, self.notes["ridge"] * size)
        total = torch.zeros(len(graphs), dtype=torch.float64).index_add_(0, graph, time)
        return torch.stack([total, graphs.n_nodes.double()], 1)

    @property
    def n_params(self) -> int:
        """The weights and the ridge."""
        return super().n_params + 1
