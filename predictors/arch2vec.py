"""arch2vec (Yan et al., NeurIPS 2020, arXiv 2006.06936): cells embedded without labels, then regression on that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Dense, Graphs, to_device
from predictors.base import BasePredictor, Diverged, require_finite
from predictors.kit.cells import require_cells
from predictors.kit.neural import standardiser
from predictors.kit.optim import AdamW
from predictors.kit.pool import mutated
from predictors.kit.train_loop import batches

LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the median distance
NOISES = tuple(10.0**e for e in range(-4, 1))  # of the signal's variance
SAMPLE = 1000  # labels that choose the length scale and the noise


class GraphVAE(nn.Module):
    """Variational auto-encoder of cells: graph isomorphism network to 2 x ``latent`` numbers a node, and back."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.n_ops = n_ops
        self.eps = nn.Parameter(torch.zeros(c.layers))
        sizes = [n_ops] + [c.width] * (c.layers - 1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(n, c.width), nn.BatchNorm1d(c.width), nn.ReLU(), nn.Linear(c.width, c.width))
            for n in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(c.width) for _ in sizes)
        self.mean, self.log_std = nn.Linear(c.width, c.latent), nn.Linear(c.width, c.latent)
        self.op = nn.Linear(c.latent, n_ops)

    def nodes(self, dense: Dense) -> Tensor:
        """Hidden features of the real nodes, end to end, (T, width)."""
        both = (dense.adj | dense.adj.mT).float()
        x = F.one_hot(dense.op, self.n_ops).float() * dense.mask[..., None]
        for eps, layer, norm in zip(self.eps, self.layers, self.norms, strict=True):
            heard = ((1 + eps) * x + both @ x)[dense.mask]
            x = both.new_zeros(*dense.mask.shape, norm.num_features)
            x[dense.mask] = F.relu(norm(layer(heard)))
        return x[dense.mask]

    def forward(self, dense: Dense) -> Tensor:
        """Mean of the nodes' latent means, (n, latent)."""
        z = self.mean(self.nodes(dense))
        wide = z.new_zeros(*dense.mask.shape, z.shape[1])
        wide[dense.mask] = z
        return wide.sum(1) / dense.mask.sum(1, keepdim=True)

    def loss(self, dense: Dense, kl_weight: float) -> Tensor:
        """Cross-entropy of operations and edges i -> j, i < j, plus the weighted divergence from the prior."""
        h = self.nodes(dense)
        mean, log_std = self.mean(h), self.log_std(h)
        z = mean + log_std.exp() * torch.randn_like(mean)
        wide = z.new_zeros(*dense.mask.shape, z.shape[1])
        wide[dense.mask] = z
        pairs = (dense.mask[:, :, None] & dense.mask[:, None, :]).triu(1)
        edges = F.binary_cross_entropy_with_logits((wide @ wide.mT)[pairs], dense.adj[pairs].float())
        ops = F.cross_entropy(self.op(z), dense.op[dense.mask])
        divergence = (mean.square() + (2 * log_std).exp() - 2 * log_std - 1).sum(1).mean() / 2
        return ops + edges + kl_weight * divergence


class Predictor(BasePredictor):
    """Pre-training without labels, then a Gaussian process with a squared-exponential kernel on each cell's latent (the
    mean over nodes), its length scale and noise chosen by the marginal likelihood of the training labels.

    Departures: the paper pre-trains on nine tenths of the search space; a predictor here gets the training cells only,
    so it pre-trains on these and on cells made from them by random changes (see `kit.pool`). The weight of the
    divergence is the released code's for batches of 32 cells of 8 nodes. Operations are decoded by softmax with
    cross-entropy instead of an element-wise loss.
    """

    @dataclass(frozen=True)
    class Config:
        """``pool``: cells made without labels, each by ``changes`` tries; ``kl_weight``: of the divergence."""

        layers: int = 4
        width: int = 128
        latent: int = 16
        pool: int = 5000
        changes: int = 3
        pretrain_steps: int = 1500
        batch_size: int = 32
        lr: float = 1e-3
        kl_weight: float = 1 / 256

    presets: ClassVar[dict[str, dict[str, Any]]] = {"paper": {"pool": 14000, "pretrain_steps": 4400}}

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        """Pre-train on cells, then fit the regression.

        Raises:
            Unsupported: graphs that are no cells.
            Diverged: a loss that is not finite.
        """
        require_cells(train)
        torch.manual_seed(self.seed)
        self.notes["vocab"] = list(train.vocab)
        self._pretrain(train)
        mean, std = standardiser(self.task, y)
        target = ((y.log() if self.task == "cost" else y).double() - mean) / std
        z = self._latent(train)
        shift, spread = z.mean(0), z.std(0, correction=0).clamp(min=1e-6)
        z = (z - shift) / spread
        length, noise = likeliest(z[:SAMPLE], target[:SAMPLE])
        kernel = squared_exponential(z, z, length) + noise * torch.eye(len(z), dtype=z.dtype)
        weights = torch.cholesky_solve(target[:, None], torch.linalg.cholesky(kernel))[:, 0]
        self.notes |= {"scale": [std, mean], "length": length}
        self.tensors = {f"vae.{k}": v for k, v in self.module.state_dict().items()}
        self.tensors |= {"cells": z, "weights": weights, "shift": shift, "spread": spread}

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        z = (self._latent(graphs[first]) - self.tensors["shift"]) / self.tensors["spread"]
        out = squared_exponential(z, self.tensors["cells"], self.notes["length"]) @ self.tensors["weights"]
        std, mean = self.notes["scale"]
        out = std * out + mean
        return require_finite(out.exp() if self.task == "cost" else out, "a prediction")[inverse]

    def restored(self) -> None:
        self.module = GraphVAE(len(self.notes["vocab"]), self.config)
        self.module.load_state_dict({k[4:]: v for k, v in self.tensors.items() if k.startswith("vae.")})
        self.module.to(self.torch_device).eval()

    def _pretrain(self, train: Graphs) -> None:
        c, generator = self.config, torch.Generator().manual_seed(self.seed)
        cells = train[train.distinct()[0]].dense()
        changed = mutated(cells, c.pool, c.changes, generator)
        pool = [torch.cat(pair).to(self.torch_device) for pair in zip(_parts(cells), _parts(changed), strict=True)]
        self.module = GraphVAE(len(train.vocab), c).to(self.torch_device).train()
        optimiser = AdamW(self.module, 0.0)
        drawn = batches(len(pool[0]), c.batch_size, generator)
        for step, index in zip(range(c.pretrain_steps), drawn, strict=False):
            loss = self.module.loss(Dense(*(part[index.to(self.torch_device)] for part in pool)), c.kl_weight)
            loss.backward()
            nn.utils.clip_grad_norm_(self.module.parameters(), 5.0)
            optimiser.step(c.lr)
            if step == c.pretrain_steps - 1 and not torch.isfinite(loss):
                raise Diverged(f"loss is {loss.item()} after {step + 1} steps")
        self.module.eval()

    @torch.inference_mode()
    def _latent(self, graphs: Graphs) -> Tensor:
        """Latents of the graphs, (n, latent) float64."""
        dense = to_device(graphs.dense(), self.torch_device)
        parts = zip(*(part.split(512) for part in _parts(dense)), strict=True)
        return torch.cat([self.module(Dense(*part)) for part in parts]).cpu().double()


def _parts(dense: Dense) -> tuple[Tensor, Tensor, Tensor]:
    return dense.op, dense.adj, dense.mask


def squared_exponential(x: Tensor, z: Tensor, length: float) -> Tensor:
    """exp(-|x_i - z_j|^2 / (2 length^2)), (n, m)."""
    return (-torch.cdist(x, z).square() / (2 * length**2)).exp()


def likeliest(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Length scale and noise (of the signal's variance) under which ``y`` (n,) at ``x`` (n, d) is most likely."""
    distances = torch.pdist(x)
    median = float(distances[distances > 0].median()) if (distances > 0).any() else 1.0
    best = (-torch.inf, median, 1.0)
    for factor in LENGTHS:
        values, vectors = torch.linalg.eigh(squared_exponential(x, x, factor * median))
        along = (vectors.T @ y).square()
        for noise in NOISES:
            spectrum = values.clamp(min=0) + noise
            variance = (along / spectrum).mean().clamp(min=1e-12)
            likelihood = float(-len(y) * variance.log() - spectrum.log().sum()) / 2
            best = max(best, (likelihood, factor * median, noise))
    return best[1], best[2]
