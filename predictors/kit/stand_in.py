"""A new device without labels: the known one that is most like the others stands in for it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.devices import device_table


def with_stand_in(graphs: Graphs, y: Tensor) -> tuple[Graphs, Tensor]:
    """``graphs`` and labels ``y`` (n,) as they are where the new device has a label; else with a source's as its own.

    The source is `most_alike` of all. Its labels become the new device's: it is no source any more.
    """
    new_device = len(graphs.platforms) - 1
    if not len(y) or (graphs.platform == new_device).any():
        return graphs, y
    table = device_table(graphs, y, zero_shot=True)
    source = graphs.platforms.index(table.devices[most_alike(table.labels[:, :-1])])
    platform = torch.where(graphs.platform == source, new_device, graphs.platform)
    return replace(graphs, platform=platform), y


def most_alike(labels: Tensor) -> int:
    """The device of ``labels`` (n, S), NaN where unknown, of the greatest mean Spearman correlation with the others.

    Each two are compared on the graphs that both have a label of; the first of equals is taken.
    """
    mean = [
        sum(spearman(ours, theirs) for j, theirs in enumerate(labels.T) if j != i) for i, ours in enumerate(labels.T)
    ]
    return mean.index(max(mean))


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's correlation where both are known; 0 where it is undefined."""
    both = ~(a.isnan() | b.isnan())
    ranks = torch.stack([_ranks(x[both]) for x in (a, b)])
    return float(torch.corrcoef(ranks)[0, 1].nan_to_num()) if ranks.shape[1] > 1 else 0.0


def _ranks(x: Tensor) -> Tensor:
    """Ranks (n,) from 0, equals at the mean of theirs."""
    _, inverse, count = torch.unique(x, return_inverse=True, return_counts=True)
    last = count.cumsum(0)
    return (last - (count + 1) / 2)[inverse].double()
