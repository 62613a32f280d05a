"""A baseline for a new device: a Gaussian process over what is known of other devices (Rasmussen and Williams 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor, require_finite
from predictors.kit.cells import require_cells
from predictors.kit.device_process import posterior_weights
from predictors.kit.devices import above_zero, column_scale, device_table, ridge, without_tails
from predictors.kit.groups import chain_length, entries_in_parts, feature_groups

# Mean and deviation of the logarithm of a group's variance, labels being standardised.
PRIOR = {
    "sources": (0.0, 1.5), "place": (-2.0, 1.5), "kind": (-2.0, 1.5), "counts": (-2.0, 1.5), "live": (-6.0, 4.0),
    "skip": (-2.0, 1.5), "costs": (-1.0, 1.5), "detail": (-5.0, 1.5), "noise": (-3.0, 1.5),
}  # fmt: skip


class Predictor(BasePredictor):
    """A cost on the new device is a weighed sum of what ridge regressions say of the source devices, of parts of what
    they say (chains: early and late blocks, kinds of blocks), and of features of the graph. What each group weighs is
    not known: it is averaged over, by the likelihood of the labels under a prior that is the same for all data sets.
    Labels are learned as they are, without a logarithm, as costs are close to sums.

    Without a label of the new device the mean of the standardised sources answers. With one device alone there are no
    sources, and the features of its graphs remain.
    """

    transfers: ClassVar[bool] = True
    zero_shot: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config:
        """``samples``: sets of variances that a prediction is averaged over. ``tails``: labels further than that many
        deviations from a device's median are moved there."""

        samples: int = 512
        tails: float = 3.0

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        require_cells(train_graphs)
        table = device_table(train_graphs, y, zero_shot=True)
        labels = without_tails(table.labels, self.config.tails)
        sources, new = labels[:, :-1], labels[table.new_rows, -1]
        self.notes |= {
            "vocab": list(train_graphs.vocab), "length": chain_length(table.graphs), "sources": sources.shape[1],
        }  # fmt: skip
        groups = feature_groups(table.graphs, self.notes["length"])
        features, names = torch.cat(list(groups.values()), 1), list(groups)
        sizes = [group.shape[1] for group in groups.values()]
        mean, spread = column_scale(sources)
        if sources.shape[1]:
            factor = torch.cat([_factor(group) for group in groups.values()])
            weight = _regressions(features * factor, (sources - mean) / spread)
            self.tensors["sources"] = factor[:, None] * weight
            if self.notes["length"]:
                parts = entries_in_parts(groups["detail"], features @ self.tensors["sources"], self.notes["length"])
                self.tensors["parts"] = torch.cat([torch.zeros(sum(sizes[:-1]), parts.shape[1]).double(), parts])
                names, sizes = ["place", "kind", *names], [2 * len(mean), parts.shape[1] - 2 * len(mean), *sizes]
            names, sizes = ["sources", *names], [len(mean), *sizes]
        design = self._design(features)
        centre = design.mean(0)
        parts = zip(names, design.split(sizes, 1), strict=True)
        scale = torch.cat([_factor(x, alike=name in ("place", "kind")) for name, x in parts])
        if len(new):
            (shift,), (unit,) = column_scale(new[:, None])
            x = ((design - centre) * scale)[table.new_rows].split(sizes, 1)
            prior = [PRIOR[name] for name in (*names, "noise")]
            weights, constant = posterior_weights(x, (new - shift) / unit, prior, self.config.samples)
            weight = torch.cat(weights)
        else:
            shift, unit, constant = mean.mean(), spread.mean(), 0.0
            weight = torch.zeros(len(centre), dtype=torch.float64)
            weight[: len(mean)] = len(mean) ** -0.5
        weight = scale * weight * unit
        self.tensors |= {"weight": weight, "shift": (shift + unit * constant - centre @ weight).reshape(1)}
        self.tensors["floor"] = (new if len(new) else y.double()).min().reshape(1) / 2

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        part, t = graphs[first], self.tensors
        features = torch.cat(list(feature_groups(part, self.notes["length"]).values()), 1)
        y = self._design(features) @ t["weight"] + t["shift"]
        y = above_zero(y, float(t["floor"])) if self.task == "cost" else y
        return require_finite(y, "a prediction")[inverse]

    def _design(self, features: Tensor) -> Tensor:
        """What the new device's cost is a weighed sum of, (n, K): sources, their parts, and ``features`` (n, F)."""
        if "sources" not in self.tensors:
            return features
        parts = [features @ self.tensors["parts"]] if "parts" in self.tensors else []
        return torch.cat([features @ self.tensors["sources"], *parts, features], 1)


def _regressions(x: Tensor, z: Tensor) -> Tensor:
    """Weights (F, S) of ridge regressions of ``z`` (n, S), NaN where unknown, on ``x`` (n, F)."""
    return torch.stack([ridge(x[~column.isnan()], column[~column.isnan()])[0] for column in z.T], 1)


def _factor(x: Tensor, alike: bool = False) -> Tensor:
    """What brings the variance of a group ``x`` (n, F) to one, by the same for each column that varies.

    ``alike``: columns keep their sizes relative to each other.
    """
    variance = x.var(0, correction=0)
    varies = variance > 1e-18
    if alike:
        return torch.full_like(variance, float(variance.sum().clamp(min=1e-18)) ** -0.5) * varies
    return varies / (variance.clamp(min=1e-18) * max(1, int(varies.sum()))).sqrt()
