"""BRP-NAS's latency predictor (Dudziak et al., NeurIPS 2020, arXiv 2007.08668): a graph convolutional network with a
global node."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline import features
from pipeline.data import Graphs
from predictors._layers import dropout
from predictors._neural import NeuralPredictor
from predictors._train_loop import Recipe


class Batches:
    """Graphs of any size that are cut into block-diagonal batches when indexed; one row a graph."""

    def __init__(self, graphs: Graphs, device: str) -> None:
        self.graphs, self.device = replace(graphs, attrs=node_features(graphs)), device

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: Tensor | slice) -> tuple[Tensor, Tensor]:
        part = self.graphs[index.cpu() if isinstance(index, Tensor) else index]
        x, links = with_global_nodes(part)
        return x.to(self.device), links.to(self.device)


def node_features(graphs: Graphs) -> Tensor:
    """NNLP's 44 features where the nodes have attributes and shapes, else the operation one-hot: (nodes, F) float32."""
    if graphs.attrs.shape[1] and graphs.out_shape.shape[1]:
        arrays = graphs.op.numpy(), graphs.vocab, graphs.attrs.numpy(), graphs.attr_names, graphs.out_shape.numpy()
        return torch.from_numpy(features.nnlp(*arrays))
    return F.one_hot(graphs.op, len(graphs.vocab)).float()


def with_global_nodes(graphs: Graphs) -> tuple[Tensor, Tensor]:
    """Node features with a flag column for global nodes, and who listens to whom, as a sparse 0/1 matrix.

    The global nodes are the last b rows, one a graph. A node listens to itself and its parents, a global node to
    itself and all nodes of its graph. Returns (nodes + b, F + 1) and sparse (nodes + b, nodes + b).
    """
    b, counts = len(graphs), graphs.n_nodes
    n = int(counts.sum())
    x = F.pad(graphs.attrs, (0, 1))
    x = torch.cat([x, F.pad(x.new_ones(b, 1), (x.shape[1] - 1, 0))])
    start = torch.repeat_interleave(graphs.node_ptr[:-1], graphs.edge_ptr.diff())
    everyone = torch.arange(n + b)
    listener = torch.cat([everyone, graphs.dst + start, n + torch.repeat_interleave(torch.arange(b), counts)])
    speaker = torch.cat([everyone, graphs.src + start, torch.arange(n)])
    ones = torch.ones(len(listener))
    size = (n + b, n + b)
    return x, torch.sparse_coo_tensor(torch.stack([listener, speaker]), ones, size, check_invariants=False).coalesce()


class Layer(nn.Module):
    """x -> ReLU(LN(A x W + b)). ``links`` is A, sparse (nodes, nodes)."""

    def __init__(self, n_in: int, n_out: int, dropout: float) -> None:
        super().__init__()
        self.weight, self.norm, self.dropout = nn.Linear(n_in, n_out, bias=False), nn.LayerNorm(n_out), dropout
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.sum_first = n_in < n_out  # the cheaper order of the two products

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        x = self.weight(torch.sparse.mm(links, x)) if self.sum_first else torch.sparse.mm(links, self.weight(x))
        return dropout(F.relu(self.norm(x + self.bias)), self.dropout, self.training)


class GCN(nn.Module):
    """A batch of `Batches` -> (b,), read off the global nodes."""

    def __init__(self, n_in: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(n_in if i == 0 else width, width, dropout) for i in range(layers))
        self.head = nn.Linear(width, 1)

    def forward(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, links = batch
        is_global = x[:, -1] > 0
        for layer in self.layers:
            x = layer(x, links)
        return self.head(x[is_global]).squeeze(-1)


class Predictor(NeuralPredictor):
    """Four layers, read off the global node, trained by absolute error; preset ``paper``: width 600, 250 epochs.

    Departures: costs are learned as standardised logarithms; a cosine schedule in place of halving on a plateau and of
    early stopping on 100 more labels; batch 10 in the preset (the released configuration has 1). The default has width
    128 and fewer, larger batches. Cells come as the data set draws them: the authors prune cells before they predict,
    which no latency measured on a network run as written can bear. Graphs with attributes use NNLP's node features.
    Their binary comparator for accuracy is not here.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        width: int = 128
        layers: int = 4
        dropout: float = 0.002
        loss: str = "l1"
        cost_loss: str = "l1"
        epochs: int = 0
        steps: int = 1500
        batch_size: int = 64
        lr: float = 1e-3
        weight_decay: float = 5e-4
        ema: float = 0.99

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"width": 600, "steps": 0, "epochs": 250, "batch_size": 10, "lr": 4e-4, "ema": 0.0},
    }

    def build(self, n_ops: int) -> nn.Module:
        c = self.config
        return GCN(self.notes["n_features"] + 1, c.width, c.layers, c.dropout)

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        self.notes["n_features"] = node_features(train[:1]).shape[1]
        super().fit(train, y, val, y_val)

    def _inputs(self, graphs: Graphs) -> tuple[Batches, ...]:
        return (Batches(graphs, self.torch_device),)
