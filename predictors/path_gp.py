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
from predictors.kit.proxies import scale_of, scaled
from predictors.kit.score_process import ScoreProcess

STEPS = 60  # of the search for the kernel's scales
JITTER = 1e-5


class Predictor(ScoreProcess):
    """Matérn kernel (nu = 1.5) over blocks of features, each with a length of its own: paths, GRAF's statistics, and
    zero-cost proxies where the label has ``proxies: true``.

    The features of a block are standardised by the training networks and divided by the root of how many there are.
    Lengths, variance and noise are the most probable ones: their logarithms have normal priors. Accuracies are learned
    as normal scores, costs as logarithms.
    """

    takes_proxies: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(ScoreProcess.Config):
        """``spread``: standard deviation of the logarithm of a length or the variance before any label."""

        spread: float = 0.5

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if train.attrs.shape[1] or int(train.n_nodes.max()) > SMALL:
            raise Unsupported(f"it takes cells of at most {SMALL} nodes")
        super().fit(train, y, val, y_val)

    def learn(self, train: Graphs, target: Tensor) -> list[Tensor]:
        if "proxies" in self.needs:
            self.notes["proxies"] = scale_of(train)
        raw = self._raw(train)
        self.tensors = {}
        for i, part in enumerate(raw):
            self.tensors |= {f"mean_{i}": part.mean(0), f"spread_{i}": part.std(0, correction=0)}
        blocks = self._standardised(raw)
        squares = [torch.cdist(block, block).square() for block in blocks]
        theta = most_probable(squares, target, self.config.spread)
        noise = (theta[-1].exp() + JITTER) * torch.eye(len(target), dtype=torch.float64)
        self.tensors |= {f"x_{i}": block for i, block in enumerate(blocks)}
        self.tensors |= {"theta": theta, "weight": torch.linalg.solve(covariance(squares, theta) + noise, target)}
        return blocks

    def features(self, graphs: Graphs) -> list[Tensor]:
        """Standardised blocks, (n, F) each."""
        return self._standardised(self._raw(graphs))

    def mean(self, features: list[Tensor]) -> Tensor:
        squares = [torch.cdist(block, self.tensors[f"x_{i}"]).square() for i, block in enumerate(features)]
        return covariance(squares, self.tensors["theta"]) @ self.tensors["weight"]

    @property
    def n_params(self) -> int:
        """One weight a training graph, and the kernel's scales."""
        return len(self.tensors["weight"]) + len(self.tensors["theta"])

    def _raw(self, graphs: Graphs) -> list[Tensor]:
        """Blocks of features as they are, (n, F) float64 each."""
        blocks = [path_statistics(graphs), graph_statistics(graphs)]
        return blocks + ([scaled(graphs, self.notes["proxies"]).double()] if "proxies" in self.needs else [])

    def _standardised(self, raw: list[Tensor]) -> list[Tensor]:
        """Blocks as the process sees them; features that no training network varies in are left out."""
        blocks = []
        for i, part in enumerate(raw):
            mean, spread = self.tensors[f"mean_{i}"], self.tensors[f"spread_{i}"]
            varies = spread > 1e-9
            part = (part - mean)[:, varies] / spread[varies]
            blocks.append(part / max(1.0, 2.0 * part.shape[1]) ** 0.5)
        return blocks


def covariance(squares: list[Tensor], theta: Tensor) -> Tensor:
    """Matérn 3/2 of squared distances a block, (n, m) each. ``theta``: logarithms of the blocks' lengths, of the
    variance and of the noise."""
    total = sum(s / length**2 for s, length in zip(squares, theta[: len(squares)].exp(), strict=True))
    distance = (3 * total + 1e-12).sqrt()
    return theta[-2].exp() * (1 + distance) * (-distance).exp()


def most_probable(squares: list[Tensor], z: Tensor, spread: float) -> Tensor:
    """``theta`` of `covariance` with the largest posterior for targets ``z`` (n,): L-BFGS from the middle."""
    from scipy.optimize import minimize  # half a second to import

    n_blocks, n = len(squares), len(z)
    centre = torch.tensor([0.5 * math.log(n_blocks)] * n_blocks + [0.0, -2.0], dtype=torch.float64)
    width = torch.full_like(centre, spread)
    width[-1] = 1.0

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(values).requires_grad_()
        noisy = covariance(squares, theta) + (theta[-1].exp() + JITTER) * torch.eye(n, dtype=torch.float64)
        root = torch.linalg.cholesky(noisy)
        fit = z @ torch.cholesky_solve(z[:, None], root)[:, 0] / 2 + root.diagonal().log().sum()
        value = fit + ((theta - centre) / width).square().sum() / 2
        value.backward()
        return value.item(), theta.grad.numpy()

    found = minimize(loss, centre.numpy(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return torch.from_numpy(found.x)
