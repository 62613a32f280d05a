"""Labels of several devices: as one table, and what transfer to a new device shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import Diverged
from predictors.kit.features import op_counts

NOISES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Table:
    """Every graph once, and its labels on every device.

    ``labels``: (graphs, devices) float64, NaN where a device has none, in the order of ``devices``; the new device, of
    which few labels are known, is the last column, and the others (each with two labels at least) are the sources.
    """

    graphs: Graphs
    labels: Tensor
    devices: tuple[str, ...]

    @property
    def new_rows(self) -> Tensor:
        """Rows with a label of the new device, in the order in which they were given."""
        return (~self.labels[:, -1].isnan()).nonzero()[:, 0]


def device_table(graphs: Graphs, y: Tensor, zero_shot: bool = False) -> Table:
    """One row a graph, one column a device, of labels ``y`` (n,) whose devices stand in ``graphs.platform``.

    Rows keep the order in which the labels of the new device (the last of ``graphs.platforms``) come, those graphs
    first. Raises `Diverged` if the new device has no label, unless ``zero_shot``.
    """
    new_device = len(graphs.platforms) - 1
    order = torch.cat(
        [(graphs.platform == new_device).nonzero()[:, 0], (graphs.platform != new_device).nonzero()[:, 0]]
    )
    if not (zero_shot or (graphs.platform == new_device).any()):
        raise Diverged(f"no label of the new device {graphs.platforms[new_device]}")
    ids, inverse = torch.unique(graphs.graph_id[order], return_inverse=True)
    first = torch.full((len(ids),), len(order)).scatter_reduce(0, inverse, torch.arange(len(order)), "amin")
    rank = first.argsort().argsort()  # place of each distinct graph by its first appearance
    labels = torch.full((len(ids), new_device + 1), float("nan"), dtype=torch.float64)
    labels[rank[inverse], graphs.platform[order]] = y[order].double()
    enough = (~labels.isnan()).sum(0) >= 2
    enough[new_device] = True
    devices = tuple(name for name, is_enough in zip(graphs.platforms, enough.tolist(), strict=True) if is_enough)
    return Table(graphs[order[first.sort().values]], labels[:, enough], devices)


def column_scale(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the known labels of each device, two (devices,); a deviation of zero becomes 1."""
    known = ~labels.isnan()
    count = known.sum(0)
    mean = labels.nan_to_num().sum(0) / count
    spread = (((labels - mean).nan_to_num() ** 2).sum(0) / count).sqrt()
    return mean, torch.where(spread > 1e-12, spread, torch.ones_like(spread))


def without_tails(labels: Tensor, bound: float) -> Tensor:
    """``labels`` (graphs, devices), each at most ``bound`` robust deviations from its device's median.

    The deviation is 1.4826 times the median distance from the median, the standard one where labels are normal. A few
    networks that took many times as long as their like would else decide all weights.
    """
    middle = labels.nanmedian(0).values
    deviation = 1.4826 * (labels - middle).abs().nanmedian(0).values
    reach = torch.where(deviation > 0, bound * deviation, torch.full_like(deviation, float("inf")))
    return labels.clamp(middle - reach, middle + reach)


def op_table(graphs: Graphs, y: Tensor) -> tuple[Tensor, Tensor]:
    """What one operation of each kind costs, (V,), and what all graphs share: `ridge` on operation counts."""
    return linear_table(op_counts(graphs), y)


def linear_table(counts: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """An entry for each column of ``counts`` (n, F), and what all graphs share: `ridge` on standardised columns."""
    scale = counts.std(0, correction=0)
    scale[scale == 0] = float("inf")  # an operation that never varies gets the entry zero
    entries, fixed = ridge(counts / scale, y.double())
    return entries / scale, fixed


def above_zero(cost: Tensor, floor: float) -> Tensor:
    """``cost`` where it is above ``floor``, and below a curve that falls to zero, so that the order is kept."""
    return torch.where(cost > floor, cost, floor * (cost / floor - 1).clamp(max=0).exp())


def ridge(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (F,) and shift of y = x w + b, the squared weights penalised as the labels call for. ``x``: (n, F).

    The same as Gaussian process regression with covariance x x^T plus noise; of `NOISES`, relative to x x^T, the one of
    the greatest marginal likelihood is taken, the scale of both integrated out (Rasmussen and Williams 2006, 5.4.1).
    """
    mean, shift = x.mean(0), y.mean()
    u, s, v = torch.linalg.svd(x - mean, full_matrices=False)
    along = u.T @ (y - shift)
    residual = ((y - shift) ** 2).sum() - (along**2).sum()
    free = len(y) - 1  # the mean takes one
    nonzero = s > 1e-9 * s.max()

    def evidence(noise: float) -> float:
        variance = s[nonzero] ** 2 + noise
        fit = (along[nonzero] ** 2 / variance).sum() + ((along[~nonzero] ** 2).sum() + residual).clamp(min=0) / noise
        log_det = variance.log().sum() + (free - len(variance)) * math.log(noise)
        return -float(log_det + free * fit.clamp(min=1e-300).log())

    noise = max(NOISES, key=evidence)
    weight = v.T @ (s / (s**2 + noise) * along)
    return weight, shift - mean @ weight
