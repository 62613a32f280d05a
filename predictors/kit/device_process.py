"""A device's costs as a Gaussian process that is a sum of linear ones, each over a group of features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CONSTANT = 100.0  # variance of what all graphs share; labels are standardised
ENTRIES = 4_000_000  # of covariances that are held at once
JITTER = 1e-6
SURPRISE = 2.0  # deviations of a label from what the others say of it, beyond which its own noise is wider


def posterior_weights(
    groups: Sequence[Tensor],
    z: Tensor,
    prior: Sequence[tuple[float, float]],
    samples: int = 512,
    narrow: Sequence[float] | None = None,
    looks: int = 1,
) -> tuple[list[Tensor], float]:
    """Weights (F,) of each group of features (n, F), and a shift, that explain labels ``z`` (n,).

    The weights of a group have one variance, which is not known, nor is the noise's: ``prior`` has mean and deviation
    of the logarithm of each, the noise's last. Predictions are averaged over ``samples`` of them, drawn evenly (Sobol)
    from the prior and weighed by the labels' likelihood (Rasmussen and Williams 2006, 5.2); fewer for many labels.
    ``narrow``: what is added to each of these logarithms times one share for all, drawn evenly from 0 to 1.
    ``looks``: how often labels are looked at. Before each look after the first, a label further than `SURPRISE`
    deviations from what the others say of it (5.4.2 there) gets so much more noise that it is about that far.
    """
    n, k = len(z), len(prior)
    samples = min(samples, max(64, 2 * ENTRIES // n**2))
    draws = torch.quasirandom.SobolEngine(k + (narrow is not None), scramble=True, seed=0).draw(samples).double()
    mean, deviation = torch.tensor(prior, dtype=torch.float64).T
    log_variance = mean + deviation * torch.special.ndtri(draws[:, :k].clamp(1e-4, 1 - 1e-4))
    if narrow is not None:
        log_variance = log_variance + draws[:, k:] * torch.tensor(narrow, dtype=torch.float64)
    variance = log_variance.exp()
    gram, wider = torch.stack([x @ x.T for x in groups]), torch.ones(n, dtype=torch.float64)
    for left in reversed(range(looks)):
        solved, evidence, surprise = [], [], []
        for part in variance.split(max(1, ENTRIES // n**2)):
            covariance = torch.einsum("mk,kij->mij", part[:, :-1], gram) + CONSTANT
            factor = torch.linalg.cholesky(covariance + torch.diag_embed(part[:, -1:] * wider + JITTER))
            alpha = torch.cholesky_solve(z.expand(len(part), n)[..., None], factor)[..., 0]
            solved.append(alpha)
            evidence.append(-0.5 * alpha @ z - factor.diagonal(dim1=1, dim2=2).log().sum(1))
            if left:
                surprise.append(alpha**2 / torch.cholesky_inverse(factor).diagonal(dim1=1, dim2=2))
        alpha, weight = torch.cat(solved), torch.cat(evidence).softmax(0)
        if left:
            wider = (weight @ torch.cat(surprise) * wider / SURPRISE**2).clamp(min=1)
    along = torch.einsum("m,mk,mi->ki", weight, variance[:, :-1], alpha)
    return [x.T @ a for x, a in zip(groups, along, strict=True)], CONSTANT * float((weight @ alpha).sum())
