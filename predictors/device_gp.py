"""A baseline for a new device: a Gaussian process over what is known of other devices (Rasmussen and Williams 2006)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor, require_finite
from predictors.kit.cells import require_cells
from predictors.kit.device_process import posterior_weights
from predictors.kit.devices import above_zero, column_scale, device_table, ridge, without_tails
from predictors.kit.groups import chain_length, entries_in_parts, feature_groups, folded

# Mean and deviation of the logarithm of a group's variance, labels being standardised.
PRIOR = {
    "sources": (1.0, 1.5), "place": (-2.0, 1.5), "kind": (-2.0, 1.5), "counts": (-3.0, 1.5), "live": (-6.0, 4.0),
    "skip": (-2.0, 1.5), "costs": (0.0, 1.5), "detail": (-5.0, 1.5), "common": (-3.0, 1.5), "folded": (-2.0, 1.5),
    "noise": (-3.0, 1.5),
}  # fmt: skip
WIDE = ("common", "folded", "noise")  # groups that the sources' likeness does not narrow
LIKE_OTHERS = 0.9  # what the sources' mean weighs before any label
SPREAD_LABELS = 3.0  # labels' worth of the sources' relative deviation
LOOKS = 3  # at the labels, of which those that the others don't expect get more noise
NARROWEST = 0.75  # exponent of the share that sources leave of one another, at most


class Predictor(BasePredictor):
    """A cost on the new device is a weighed sum of what ridge regressions say of the source devices, of parts of what
    they say (chains: early and late blocks, kinds of blocks; other graphs: their mean where operations that lie on no
    path from input to output cost nothing), and of features of the graph. What each group weighs is not known: it is
    averaged over, by the likelihood of the labels under a prior that is the same for all data sets.
    Labels are learned as they are, without a logarithm, as costs are close to sums.

    Without a label of the new device the mean of the standardised sources answers, and labels move away from there:
    before any, the new device is expected to follow that mean, with the deviation that sources have beside their own
    mean, and to leave it by as much as the sources leave one another, or up to as much as the prior says. With one
    device alone there are no sources, and the features of its graphs remain.
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
            said = features @ self.tensors["sources"]
            if self.notes["length"]:
                parts = entries_in_parts(groups["detail"], said, self.notes["length"])
                self.tensors["parts"] = torch.cat([torch.zeros(sum(sizes[:-1]), parts.shape[1]).double(), parts])
                names, sizes = ["place", "kind", *names], [2 * len(mean), parts.shape[1] - 2 * len(mean), *sizes]
            else:
                self.tensors["parts"] = folded(groups, self.tensors["sources"] @ _factor(said))
                names, sizes = ["folded", *names], [1, *sizes]
            names, sizes = ["sources", *names], [len(mean), *sizes]
        design = self._design(features)
        centre = design.mean(0)
        parts = zip(names, design.split(sizes, 1), strict=True)
        scale = torch.cat([_size(name, x) for name, x in parts])
        if len(new):
            shift, unit = _scale(new, mean, spread)
            x = (design - centre) * scale
            labelled = dict(zip(names, x[table.new_rows].split(sizes, 1), strict=True))
            weight, constant = self._weights(labelled, (new - shift) / unit, x[:, : len(mean)])
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

    def _weights(self, groups: dict[str, Tensor], z: Tensor, said: Tensor) -> tuple[Tensor, float]:
        """Weights of the columns of all ``groups``, each (n, F), and a shift, from standardised labels ``z`` (n,).

        ``said``: what the regressions say of the sources, (m, S), standardised but for one factor.
        """
        deviation, narrow = said.sum(1).std(correction=0).clamp(min=1e-12), None
        if said.shape[1]:
            common = groups["sources"].sum(1) / deviation
            z, groups = z - LIKE_OTHERS * common, {"common": common[:, None], **groups}
            narrow = [NARROWEST * math.log(_left(said)) * (name not in WIDE) for name in (*groups, "noise")]
        prior = [PRIOR[name] for name in (*groups, "noise")]
        weights, constant = posterior_weights(list(groups.values()), z, prior, self.config.samples, narrow, LOOKS)
        weight = torch.cat(weights)
        if said.shape[1]:
            along, weight = weight[0], weight[1:]
            weight[: said.shape[1]] += (LIKE_OTHERS + along) / deviation
        return weight, constant

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


def _size(name: str, x: Tensor) -> Tensor:
    """What the columns of the group ``name``, ``x`` (n, F), are multiplied by, (F,)."""
    return torch.ones_like(x[0]) if name == "folded" else _factor(x, alike=name in ("place", "kind"))


def _left(said: Tensor) -> float:
    """Share, 0.02 to 1, of a source's variance that the mean of the others leaves, of ``said`` (n, S), centred."""
    others = said.sum(1, keepdim=True) - said
    rho = (said * others).sum(0) / (said.norm(dim=0) * others.norm(dim=0)).clamp(min=1e-12)
    return float((1 - rho.clamp(min=0) ** 2).mean().clamp(0.02, 1))


def _scale(new: Tensor, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the new device's labels (n,): few say less of it than the sources' relative deviations."""
    (shift,), (unit,) = column_scale(new[:, None])
    if not len(mean):
        return shift, unit
    known = shift.abs() * (spread / mean.abs().clamp(min=1e-12)).log().mean().exp()
    variance = new.var(correction=0)
    unit = ((SPREAD_LABELS * known**2 + len(new) * variance) / (SPREAD_LABELS + len(new))).sqrt()
    return shift, unit if unit > 1e-12 else torch.ones_like(unit)
