"""ReNAS (Xu et al., CVPR 2021, arXiv 1910.01523): a small CNN over the cell drawn as images, trained to rank."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit.layers import dropout
from predictors.kit.neural import NeuralPredictor
from predictors.kit.train_loop import Recipe

STAGES = ((16, 32), (32, 16), (64, 8))  # channels and side of the feature maps in the stages of a NAS-Bench-201 network


class CNN(nn.Module):
    """Images (b, channels, S, S) -> (b,): two convolutions 3 x 3, then two linear layers."""

    def __init__(self, channels: int, c: Predictor.Config) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, c.width, 3, padding=1)
        self.second = nn.Conv2d(c.width, 2 * c.width, 3, padding=1)
        self.hidden = nn.Linear(2 * c.width * c.max_nodes**2, c.head)
        self.out, self.dropout = nn.Linear(c.head, 1), c.dropout

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.second(F.relu(self.first(x)))).flatten(1)
        x = F.relu(self.hidden(dropout(x, self.dropout, self.training)))
        return self.out(dropout(x, self.dropout, self.training)).squeeze(-1)


class Predictor(NeuralPredictor):
    """Images of what feeds what: its type, and its FLOPs and parameters in each stage, by the pairwise hinge loss.

    Preset ``paper``: the type as a number in one image, as in the paper; the default has an image an operation.
    Departures: FLOPs and parameters of a cell's operations follow from their names and the stages of NAS-Bench-201, and
    are scaled to at most 1; graphs that know them node by node (ONNX) have one image of each, as logarithms. The
    paper's second loss term, which keeps neighbouring features alike, is left out. Two drawings of one cell may get two
    predictions; as in the paper, the output takes the last row and column.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``max_nodes``: side of the images; nodes beyond it are cut off, but for the output."""

        width: int = 32
        head: int = 128
        dropout: float = 0.1
        max_nodes: int = 8
        one_hot: bool = True
        loss: str = "hinge"
        cost_loss: str = "l1"
        lr: float = 1e-3
        weight_decay: float = 0.05

    presets: ClassVar[dict[str, dict[str, Any]]] = {"paper": {"one_hot": False}}

    def build(self, n_ops: int) -> nn.Module:
        return CNN(self.notes["channels"], self.config)

    def _inputs(self, graphs: Graphs) -> tuple[Tensor, ...]:
        x = images(graphs, self.config.max_nodes, self.config.one_hot).to(self.torch_device)
        self.notes["channels"] = x.shape[1]
        return (x,)


def images(graphs: Graphs, size: int, one_hot: bool = True) -> Tensor:
    """(n, channels, size, size): entry (i, j) is the value of node i where an edge i -> j runs, and 0 elsewhere."""
    values = torch.cat([kinds(graphs, one_hot), costs(graphs)], 1)  # (nodes, channels)
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.edge_ptr.diff())
    last = graphs.n_nodes[graph] - 1
    row, column = (torch.where(end == last, size - 1, end) for end in (graphs.src, graphs.dst))
    kept = ((graphs.src < size - 1) | (graphs.src == last)) & ((graphs.dst < size - 1) | (graphs.dst == last))
    source = (graphs.src + graphs.node_ptr[graph])[kept]
    x = torch.zeros(len(graphs), size, size, values.shape[1])
    x[graph[kept], row[kept], column[kept]] = values[source]
    return x.permute(0, 3, 1, 2).contiguous()


def kinds(graphs: Graphs, one_hot: bool) -> Tensor:
    """Operations as (nodes, V) zeros and ones, or as (nodes, 1) numbers counted from 1."""
    return F.one_hot(graphs.op, len(graphs.vocab)).float() if one_hot else graphs.op[:, None].float() + 1


def costs(graphs: Graphs) -> Tensor:
    """FLOPs and parameters of every node, (nodes, 2) where the graphs know them, else (nodes, 6), by stage."""
    if {"flops", "params"} <= set(graphs.attr_names):
        return graphs.attrs[:, [graphs.attr_names.index(k) for k in ("flops", "params")]].clamp(min=0).log1p() / 20
    return table(graphs.vocab)[graphs.op]


def table(vocab: Sequence[str]) -> Tensor:
    """FLOPs and parameters of each operation in the three stages, (V, 6), every column scaled to at most 1.

    A convolution k x k over C channels costs k^2 C^2 a pixel and has as many weights, a pooling k x k costs k^2 C a
    pixel, everything else nothing.
    """
    rows = torch.zeros(len(vocab), 2, len(STAGES))
    for op, name in enumerate(vocab):
        side = re.search(r"(\d)x\1", name)
        if side is None:
            continue
        for stage, (c, pixels) in enumerate(STAGES):
            weights = int(side[1]) ** 2 * c * (c if "conv" in name else 1)
            rows[op, 0, stage] = weights * pixels**2
            rows[op, 1, stage] = weights if "conv" in name else 0
    return (rows / rows.amax(0).clamp(min=1)).flatten(1)
