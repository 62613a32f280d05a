"""A baseline for a new device: known devices, weighed (stacked generalisation, Wolpert, Neural Networks 1992)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.device_process import posterior_weights
from predictors.kit.devices import Table
from predictors.kit.source_trees import OnSources

# Mean and deviation of the logarithm of the variance of what the new device has beyond the mean of the sources, as a
# linear function of: how each source differs from their mean, that mean, the size of the graph, and noise. UNIT is the
# size of one, in logarithms of cost.
PRIOR = ((0.0, 1.5), (-2.0, 1.5), (-2.0, 1.5), (-3.0, 1.5))
UNIT = 0.3


class Predictor(OnSources):
    """A cost on the new device is the geometric mean of what trees say of the sources, times a product of powers: of
    each source's part in that mean, of the mean itself, of FLOPs and of the number of nodes.

    The powers and the factor are the posterior means of a Gaussian process, averaged over its variances
    (`kit.device_process`). Without a label of the new device the geometric mean answers.
    """

    zero_shot: ClassVar[bool] = True

    def combine(self, table: Table, z: Tensor) -> None:
        alone = z.shape[1] == 1
        self.fit_trees(table, [0] if alone else list(range(z.shape[1] - 1)))
        mean, features = self._features(table.graphs)
        centre = torch.cat([x.mean(0) for x in features])
        spread = [x.var(0, correction=0).sum().clamp(min=1e-12).sqrt().expand(x.shape[1]) for x in features]
        scale = 1 / torch.cat(spread)
        rest = (z[:, -1] - mean)[table.new_rows]
        weight, shift = torch.zeros(len(centre)).double(), 0.0
        if len(rest) and not alone:
            unit = UNIT if self.task == "cost" else float(z[~z.isnan()].std(correction=0).clamp(min=1e-6))
            x = ((torch.cat(features, 1) - centre) * scale)[table.new_rows].split([f.shape[1] for f in features], 1)
            weights, constant = posterior_weights(x, (rest - rest.mean()) / unit, PRIOR)
            weight, shift = torch.cat(weights) * unit, float(rest.mean()) + constant * unit
        self.tensors |= {"weight": weight * scale, "shift": (shift - centre @ (weight * scale)).reshape(1)}

    def weigh(self, graphs: Graphs) -> Tensor:
        mean, features = self._features(graphs)
        return mean + torch.cat(features, 1) @ self.tensors["weight"] + self.tensors["shift"]

    def _features(self, graphs: Graphs) -> tuple[Tensor, list[Tensor]]:
        """What the trees say in the mean, (n,), and groups of features, (n, F) each."""
        said = self.sources_say(graphs)
        mean = said.mean(1)
        size = [graphs.n_nodes.double().log()]
        if self.task == "cost" and not graphs.flops.isnan().any():
            size.append(graphs.flops.double().clamp(min=1).log())
        return mean, [said - mean[:, None], mean[:, None], torch.stack(size, 1)]
