"""Tags as inputs, what the source says of how a network was trained: the setting ``tags: true`` of a label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.graphs import Graphs

LEAST = 3  # networks: tags of fewer stand together as one


def common(graphs: Graphs) -> list[str]:
    """The tags that at least `LEAST` of the graphs have."""
    counts = torch.bincount(graphs.tag, minlength=len(graphs.tags)).tolist()
    return [word for word, count in zip(graphs.tags, counts, strict=True) if count >= LEAST]


def one_hot(graphs: Graphs, known: Sequence[str]) -> Tensor:
    """One column for each of the ``known`` tags and a last one for any other or none, (n, len(known) + 1) float64."""
    other = len(known)
    place = torch.full((len(graphs),), other)
    if graphs.tag is not None:
        place = torch.tensor([known.index(word) if word in known else other for word in graphs.tags])[graphs.tag]
    return F.one_hot(place, other + 1).double()
