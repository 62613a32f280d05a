"""A Gaussian process over Weisfeiler-Lehman features, after NAS-BOWL (Ru et al., ICLR 2021, arXiv 2006.07556)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.score_process import ScoreProcess

NOISE = (1e-5, 1e1)  # bounds of the noise variance, for standardised labels


class Predictor(ScoreProcess):
    """Matérn kernel (nu = 1.5) between counts of rooted subtrees; its scales and the noise by marginal likelihood.

    Departures: the paper's kernel is linear in the counts and its depth is chosen by marginal likelihood; here the
    depth is a setting and each level weighs half the one before. Parents and children are told apart. Accuracies are
    learned as normal scores, because a few untrainable cells lie far below the rest; costs as logarithms.
    """

    @dataclass(frozen=True)
    class Config(ScoreProcess.Config):
        """``depth``: of the subtrees. ``decay``: weight of a level over that of the one above."""

        depth: int = 1
        decay: float = 0.5

    def learn(self, train: Graphs, target: Tensor) -> Tensor:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor  # two seconds to import
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        levels = subtrees(train, self.config.depth)
        self.tensors = {f"level_{h}": level.unique() for h, level in enumerate(levels)}
        x = self._counts(train, levels)
        kernel = ConstantKernel() * Matern(nu=1.5, length_scale=3.0) + WhiteKernel(0.1, NOISE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its bound is no fault
            process = GaussianProcessRegressor(kernel).fit(x.numpy(), target.numpy())
        learned = process.kernel_
        self.notes["kernel"] = [float(learned.k1.k1.constant_value), float(learned.k1.k2.length_scale)]
        self.tensors |= {"x": x, "weight": torch.from_numpy(process.alpha_)}
        return x

    def features(self, graphs: Graphs) -> Tensor:
        """`_counts` of the subtrees of ``graphs``."""
        return self._counts(graphs, subtrees(graphs, self.config.depth))

    @property
    def n_params(self) -> int:
        """One weight a training graph, and the kernel's two scales."""
        return len(self.tensors["weight"]) + 2

    def mean(self, features: Tensor) -> Tensor:
        """At counts ``features`` (n, F)."""
        variance, length = self.notes["kernel"]
        distance = math.sqrt(3) * torch.cdist(features, self.tensors["x"]) / length
        return variance * ((1 + distance) * (-distance).exp()) @ self.tensors["weight"]

    def _counts(self, graphs: Graphs, levels: list[Tensor]) -> Tensor:
        """Weighted counts (n, F) of the subtrees that the training graphs have; others are not counted."""
        graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
        parts = []
        for h, level in enumerate(levels):
            known = self.tensors[f"level_{h}"]
            place = torch.searchsorted(known, level).clamp(max=len(known) - 1)
            weight = self.config.decay**h * (known[place] == level).double()
            counts = torch.zeros(len(graphs), len(known), dtype=torch.float64)
            parts.append(counts.index_put_((graph, place), weight, accumulate=True))
        return torch.cat(parts, 1)


def subtrees(graphs: Graphs, depth: int) -> list[Tensor]:
    """A 64-bit hash of what surrounds each node, (nodes,), for radius 0 (its operation) to ``depth``.

    Weisfeiler-Lehman refinement: a node's next hash is made of its own, its parents' and its children's.
    """
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.edge_ptr.diff())
    source, target = graphs.src + graphs.node_ptr[graph], graphs.dst + graphs.node_ptr[graph]
    levels = [_mixed(graphs.op, 1)]
    for _ in range(depth):
        level = levels[-1]
        above = torch.zeros_like(level).index_add_(0, target, _mixed(level[source], 2))
        below = torch.zeros_like(level).index_add_(0, source, _mixed(level[target], 3))
        levels.append(_mixed(_mixed(level, 4) + _mixed(above, 5) + _mixed(below, 6), 7))
    return levels


def _mixed(x: Tensor, salt: int) -> Tensor:
    """Numbers scattered over all 64-bit integers; products wrap around."""
    x = (x + salt) * 0x2545F4914F6CDD1D
    x = (x ^ (x >> 31)) * -0x61C8864680B583EB
    return x ^ (x >> 29)
