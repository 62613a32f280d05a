"""A baseline of ours: a Gaussian process on statistics of a cell's paths, for the smallest budgets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor, Unsupported, require_finite
from predictors.kit.features import normal_scores
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.neural import along_curve, quantile_curve, standardiser
from predictors.kit.padded import SMALL
from predictors.kit.path_statistics import path_statistics
from predictors.kit.proxies import scale_of, scaled

STEPS = 60  # of the search for the kernel's scales
JITTER = 1e-5


class Predictor(BasePredictor):
    """Matérn kernel (nu = 1.5) over blocks of features, each with a length of its own: paths, GRAF's statistics, and
    zero-cost proxies where the label has ``proxies: true``.

    The features of a block are standardised by the training networks and divided by the root of how many there are.
    Lengths, variance and noise are the most probable ones: their logarithms have normal priors. Accuracies are learned
    as normal scores, costs as logarithms.
    """

    takes_proxies: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config:
        """``spread``: standard deviation of the logarithm of a length or the variance before any label. ``most``:
        labels learned from, drawn at random where there are more; time grows with their cube."""

        spread: float = 0.5
        most: int = 2000

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if train.attrs.shape[1] or int(train.n_nodes.max()) > SMALL:
            raise Unsupported(f"it takes cells of at most {SMALL} nodes")
        if len(y) > self.config.most:
            draw = torch.Generator().manual_seed(self.seed)
            kept = torch.randperm(len(y), generator=draw)[: self.config.most].sort().values
            train, y = train[kept], y[kept]
        mean, std = standardiser(self.task, y)
        z = ((y.log() if self.task == "cost" else y).double() - mean) / std
        target = z if self.task == "cost" else normal_scores(z)
        if "proxies" in self.needs:
            self.notes["proxies"] = scale_of(train)
        raw = self._raw(train)
        self.tensors = {}
        for i, part in enumerate(raw):
            spread = part.std(0, correction=0)
            self.tensors |= {f"mean_{i}": part.mean(0), f"spread_{i}": spread}
        blocks = self._blocks(train)
        theta = most_probable([torch.cdist(b, b).square() for b in blocks], target, self.config.spread)
        kernel = covariance([torch.cdist(b, b).square() for b in blocks], theta)
        noise = (theta[-1].exp() + JITTER) * torch.eye(len(y), dtype=torch.float64)
        self.tensors |= {f"x_{i}": block for i, block in enumerate(blocks)}
        self.tensors |= {"theta": theta, "weight": torch.linalg.solve(kernel + noise, target)}
        self.notes["scale"] = [std, mean]
        if self.task == "accuracy":
            self.tensors |= dict(zip(("from", "to"), quantile_curve(self._mean(train), z), strict=True))

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        z = self._mean(graphs[first])
        std, mean = self.notes["scale"]
        if self.task == "cost":
            return require_finite((std * z + mean).exp(), "a prediction")[inverse]
        return (std * along_curve(z, self.tensors["from"], self.tensors["to"]) + mean)[inverse]

    @property
    def n_params(self) -> int:
        """One weight a training graph, and the kernel's scales."""
        return len(self.tensors["weight"]) + len(self.tensors["theta"])

    def _raw(self, graphs: Graphs) -> list[Tensor]:
        """Blocks of features as they are, (n, F) float64 each."""
        blocks = [path_statistics(graphs), graph_statistics(graphs)]
        return blocks + ([scaled(graphs, self.notes["proxies"]).double()] if "proxies" in self.needs else [])

    def _blocks(self, graphs: Graphs) -> list[Tensor]:
        """`_raw`, standardised; features that no training network varies in are left out."""
        blocks = []
        for i, part in enumerate(self._raw(graphs)):
            mean, spread = self.tensors[f"mean_{i}"], self.tensors[f"spread_{i}"]
            varies = spread > 1e-9
            part = (part - mean)[:, varies] / spread[varies]
            blocks.append(part / max(1.0, 2.0 * part.shape[1]) ** 0.5)
        return blocks

    def _mean(self, graphs: Graphs) -> Tensor:
        """Mean of the process, (n,)."""
        blocks = self._blocks(graphs)
        squares = [torch.cdist(b, self.tensors[f"x_{i}"]).square() for i, b in enumerate(blocks)]
        return covariance(squares, self.tensors["theta"]) @ self.tensors["weight"]


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
