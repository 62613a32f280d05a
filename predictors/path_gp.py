"""A baseline of ours: a Gaussian process on statistics of a cell's paths, for the smallest budgets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import Unsupported
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.padded import SMALL
from predictors.kit.path_statistics import path_statistics
from predictors.kit.score_process import ScoreProcess

STEPS = 60  # of the search for the kernel's scales
JITTER = 1e-5


class Predictor(ScoreProcess):
    """Matérn kernel (nu = 1.5) and a linear one over blocks of features, each block with a length of its own.

    A block is one kind of statistic: of paths, GRAF's (arXiv 2404.16551), and each zero-cost proxy where the label has
    ``proxies: true``. Features are normal scores among known networks: all of the data set where proxies are given,
    which takes no label, else the training networks. A block is divided by the root of how many features it has.
    Lengths, variances and noise are the most probable ones: their logarithms have normal priors (Rasmussen and
    Williams, Gaussian Processes for Machine Learning, MIT Press 2006, section 5.4). Accuracies are learned as normal
    scores, costs as logarithms. Of the known networks one without a path from input to output counts as a label below
    all others, for it answers every image alike.
    """

    takes_proxies: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(ScoreProcess.Config):
        """``spread``: standard deviation of the logarithm of a length or a variance before any label."""

        spread: float = 0.5

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if train.attrs.shape[1] or int(train.n_nodes.max()) > SMALL:
            raise Unsupported(f"it takes cells of at most {SMALL} nodes")
        super().fit(train, y, val, y_val)

    def learn(self, train: Graphs, target: Tensor) -> Tensor:
        known = train if self.unlabelled is None else self.unlabelled
        known = known[known.distinct()[0]]
        blocks = self._blocks(known)
        block = torch.repeat_interleave(torch.tensor([part.shape[1] for part in blocks]))
        raw = torch.cat(blocks, 1)
        self.tensors = {"known": raw.T.contiguous().sort(1).values, "block": block}
        scores = self._scores(raw)
        spread = scores.std(0, correction=0)
        varies = (spread > 1e-9).double()
        share = (2 * torch.bincount(block, varies)).clamp(min=1).sqrt()
        self.tensors |= {"mean": scores.mean(0), "factor": varies / spread.clamp(min=1e-9) / share[block]}
        features = x = self.features(train)
        dead = torch.nonzero(blocks[0][:, 0] == 0)[:1, 0]
        if self.task == "accuracy" and len(dead):
            x = torch.cat([x, self.features(known[dead])])
            target = torch.cat([target, torch.special.ndtri(torch.tensor([0.5 / len(x)], dtype=torch.float64))])
        theta = most_probable(x, block, target, self.config.spread)
        noise = (theta[-1].exp() + JITTER) * torch.eye(len(target), dtype=torch.float64)
        weight = torch.linalg.solve(covariance(x, x, block, theta) + noise, target)
        self.tensors |= {"x": x, "theta": theta, "weight": weight}
        return features

    def features(self, graphs: Graphs) -> Tensor:
        """Features as the process sees them, (n, F); what no known network varies in is zero."""
        scores = self._scores(torch.cat(self._blocks(graphs), 1))
        return (scores - self.tensors["mean"]) * self.tensors["factor"]

    def mean(self, features: Tensor) -> Tensor:
        t = self.tensors
        return covariance(features, t["x"], t["block"], t["theta"]) @ t["weight"]

    @property
    def n_params(self) -> int:
        """One weight a label, and the kernel's scales."""
        return len(self.tensors["weight"]) + len(self.tensors["theta"])

    def _blocks(self, graphs: Graphs) -> list[Tensor]:
        """Blocks of features as they are, (n, F) float64 each."""
        paths, others, n_ops = path_statistics(graphs), graph_statistics(graphs), len(graphs.vocab)
        blocks = [paths[:, :1], *(paths[:, 1 + i :: 5] for i in range(5))]
        blocks += [others[:, :n_ops], *others[:, n_ops:].chunk(6, 1)]
        return blocks + (list(graphs.proxies.double().split(1, 1)) if "proxies" in self.needs else [])

    def _scores(self, raw: Tensor) -> Tensor:
        """Normal quantiles of the mean ranks of features (n, F) among those of the known networks, (n, F)."""
        known, values = self.tensors["known"], raw.T.contiguous()
        below, upto = (torch.searchsorted(known, values, right=right) for right in (False, True))
        m = known.shape[1]
        return torch.special.ndtri(((below + upto) / 2).double().clamp(0.5, m - 0.5) / m).T


def covariance(x: Tensor, y: Tensor, block: Tensor, theta: Tensor) -> Tensor:
    """Between features (n, F) and (m, F), of which ``block`` (F,) says to which block they belong, (n, m).

    ``theta``: logarithms of the blocks' lengths, of the variances of the linear and the Matérn part, and of the noise.
    """
    scale = (-theta[:-3]).exp()[block]
    x, y = x * scale, y * scale
    products = x @ y.T
    squares = (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * products).clamp(min=0)
    distance = (3 * squares + 1e-12).sqrt()
    return theta[-3].exp() * products + theta[-2].exp() * (1 + distance) * (-distance).exp()


def most_probable(x: Tensor, block: Tensor, z: Tensor, spread: float) -> Tensor:
    """``theta`` of `covariance` with the largest posterior for targets ``z`` (n,) of ``x`` (n, F): L-BFGS from the
    middle of the prior."""
    from scipy.optimize import minimize  # half a second to import

    n_blocks, n = int(block.max()) + 1, len(z)
    centre = torch.tensor([0.5 * math.log(n_blocks)] * n_blocks + [-1.0, 0.0, -2.0], dtype=torch.float64)
    width = torch.full_like(centre, spread)
    width[-1] = 1.0

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(values).requires_grad_()
        noisy = covariance(x, x, block, theta) + (theta[-1].exp() + JITTER) * torch.eye(n, dtype=torch.float64)
        root = torch.linalg.cholesky(noisy)
        fit = z @ torch.cholesky_solve(z[:, None], root)[:, 0] / 2 + root.diagonal().log().sum()
        value = fit + ((theta - centre) / width).square().sum() / 2
        value.backward()
        return value.item(), theta.grad.numpy()

    found = minimize(loss, centre.numpy(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return torch.from_numpy(found.x)
