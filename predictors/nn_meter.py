"""nn-Meter (Zhang et al., MobiSys 2021): a network's latency is the sum of its kernels', one random forest a kind."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit.kernels import Kernels, basis, find, linear_costs
from predictors.kit.trees import SETTINGS, leaves

FEW = 20  # kernels of a kind: fewer have their mean for a forest


class Predictor(BasePredictor):
    """Kernels by fusion rules, a forest of LightGBM (mode ``rf``) for every kind of kernel, summed over the network.

    The paper measures kernels one by one on the device. Such measurements are not public, so here they are inferred
    from the latencies of whole networks: every kind of kernel gets a cost linear in its number, FLOPs and bytes, none
    below zero, that fits the networks best (relative error); then each network's latency is shared out among its
    kernels in proportion to their estimates, the forests learn the shares, and their predictions are the next
    estimates. The fusion rules are written down for no device in particular, where the paper finds them by tests, and
    the sampling of kernels where errors are large has no place here.
    """

    needs = frozenset({"attrs", "out_shape"})

    @dataclass(frozen=True)
    class Config:
        """``rounds``: trees a kind. ``passes``: times that latencies are shared out. ``max_rows``: the most kernels of
        a kind that its forest learns from, drawn at random. ``padded``: kernels have the FLOPs of padded vectors too,
        which NN-Former's table has (`kernels.padding`)."""

        rounds: int = 60
        leaves: int = 255
        min_leaf: int = 3
        passes: int = 4
        max_rows: int = 50_000
        padded: bool = False

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        own = train.platform == len(train.platforms) - 1
        kernels, y = find(train[own], self.config.padded), y[own].double().numpy()
        estimate = _linear(kernels, y, self.config.padded)
        for _ in range(self.config.passes):
            total = np.bincount(kernels.graph, estimate, minlength=len(y))
            share = estimate * (y / np.maximum(total, 1e-300))[kernels.graph]
            self.forests = self._grow(kernels, share)
            estimate = self._costs(kernels)
        self.notes["forests"] = {kind: forest.model_to_string() for kind, forest in self.forests.items()}
        total = np.bincount(kernels.graph, estimate, minlength=len(y))
        self.notes["factor"] = float(np.median(y / np.maximum(total, 1e-300)))
        self.notes["least"] = float(y.min()) / 100
        self.notes["other"] = float(estimate.mean())

    def predict(self, graphs: Graphs) -> Tensor:
        kernels = find(graphs, self.config.padded)
        total = np.bincount(kernels.graph, self._costs(kernels), minlength=len(graphs)) * self.notes["factor"]
        return torch.from_numpy(total).clamp(min=self.notes["least"])

    def restored(self) -> None:
        self.forests = {kind: lightgbm.Booster(model_str=text) for kind, text in self.notes["forests"].items()}

    @property
    def n_params(self) -> int:
        """Leaves of all trees."""
        return sum(leaves(forest) for forest in self.forests.values())

    def _grow(self, kernels: Kernels, share: np.ndarray) -> dict[str, lightgbm.Booster]:
        """A forest for every kind, of the logarithm of its kernels' shares of latency."""
        c, rng = self.config, np.random.Generator(np.random.PCG64(self.seed))
        settings = {
            **SETTINGS,
            "boosting": "rf",
            "bagging_fraction": 0.7,
            "feature_fraction": 0.7,
            "num_leaves": c.leaves,
            "min_data_in_leaf": c.min_leaf,
            "seed": self.seed,
        }
        forests, self.notes["constants"] = {}, {}
        for kind in np.unique(kernels.kind):
            rows = np.flatnonzero(kernels.kind == kind)
            if len(rows) < FEW:
                self.notes["constants"][kernels.kinds[kind]] = float(share[rows].mean())
                continue
            if len(rows) > c.max_rows:
                rows = np.sort(rng.choice(rows, c.max_rows, replace=False))
            data = lightgbm.Dataset(kernels.x[rows], np.log(share[rows].clip(min=1e-12)), params=settings)
            forests[kernels.kinds[kind]] = lightgbm.train(settings, data, c.rounds)
        return forests

    def _costs(self, kernels: Kernels) -> np.ndarray:
        """Cost of every kernel, (kernels,) > 0; of a kind never seen in training, the mean cost of a kernel."""
        costs = np.empty(len(kernels.kind))
        for kind in np.unique(kernels.kind):
            rows, name = kernels.kind == kind, kernels.kinds[kind]
            if name in self.forests:
                costs[rows] = np.exp(self.forests[name].predict(kernels.x[rows], num_threads=1))
            else:
                costs[rows] = self.notes["constants"].get(name, self.notes.get("other"))
        return costs


def _linear(kernels: Kernels, y: np.ndarray, padded: bool) -> np.ndarray:
    """First cost of every kernel, (kernels,): linear per kind in number, FLOPs and bytes, by relative error."""
    values = basis(kernels.x, padded)
    weight = linear_costs(values, kernels.kind, len(kernels.kinds), kernels.graph, y)
    estimate = (values * weight[kernels.kind]).sum(1)
    return estimate + 1e-3 * y.mean() / (len(estimate) / len(y))  # none is free
