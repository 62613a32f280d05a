"""Neural predictors over graphs of any size, on one platform or several with a head each."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit import tags
from predictors.kit.layers import dropout
from predictors.kit.neural import NeuralPredictor
from predictors.kit.node_features import Features
from predictors.kit.ragged import Batch, Ragged
from predictors.kit.train_loop import train

FINE_TUNE_STEPS, FINE_TUNE_RATE = 300, 0.3  # at most; of the recipe's learning rate


class Heads(nn.Module):
    """One multi-layer perceptron a platform: vectors (b, d) and platforms (b,) -> (b,), each graph by its own head.

    For costs the answer is log(softplus(.)): the logarithm of a cost that cannot be negative (NNLP and its successors
    end in a softplus).
    """

    def __init__(self, d: int, widths: tuple[int, ...], platforms: int, cost: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.cost, self.dropout = cost, dropout
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in zip((d, *widths), (*widths, 1), strict=True):
            layers = [nn.Linear(n_in, n_out) for _ in range(platforms)]
            self.weights.append(torch.stack([layer.weight.detach().T for layer in layers]))  # (P, n_in, n_out)
            self.biases.append(torch.stack([layer.bias.detach() for layer in layers]))  # (P, n_out)

    def forward(self, x: Tensor, platform: Tensor) -> Tensor:
        x = x.expand(len(self.weights[0]), -1, -1)  # (P, b, d)
        for step, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = dropout(F.relu(x), self.dropout, self.training) if step else x
            x = torch.baddbmm(bias[:, None], x, weight)
        x = x[platform, torch.arange(len(platform), device=x.device), 0]
        return F.softplus(x).clamp(min=1e-30).log() if self.cost else x

    @torch.no_grad()
    def copy(self, source: int, target: int) -> None:
        """Make head ``target`` equal to head ``source``."""
        for parameter in self.parameters():
            parameter[target] = parameter[source]


def gather_sum(x: Tensor, pairs: tuple[Tensor, Tensor], n: int) -> Tensor:
    """Sum of the rows of ``x`` that each of ``n`` rows hears from, (n, d)."""
    target, source = pairs
    return x.new_zeros(n, x.shape[1]).index_add_(0, target, x[source])


def sum_nodes(x: Tensor, batch: Batch, level: int = -1) -> Tensor:
    """Sum of ``x`` (rows after hop ``level``, d) over the nodes of each graph, (b, d)."""
    return gather_sum(x, (batch.graph, batch.node_rows[level]), len(batch))


class GraphPredictor(NeuralPredictor):
    """A predictor whose module takes a `Batch`.

    A subclass gives ``hops``, ``features`` and `build_module`. Costs are divided by their geometric mean on each
    platform; the module answers in their logarithms, so that the loss ``mspe`` is the relative error. Several platforms
    are learned together, a head each. Where the new platform has less than half as many labels as the others have on
    average, the model learns the others first; then the new head starts as the one of them that suits best, and all is
    trained on the new platform's labels alone (fine-tuning, as NNLP's transfer). Tags, where asked for, are features of
    a graph.
    """

    transfers: ClassVar[bool] = True
    features: ClassVar[str] = "nnlp"
    folds: bool = True

    @property
    @abstractmethod
    def hops(self) -> tuple[tuple[str, ...], ...]:
        """The relations of every step of message passing (see `Ragged`)."""

    @abstractmethod
    def build_module(self, n_node: int, n_static: int, platforms: int) -> nn.Module:
        """A module for ``n_node`` features a node and ``n_static`` a graph; its last layer is ``heads``."""

    def build(self, n_ops: int) -> nn.Module:
        return self.build_module(*self.notes["sizes"], len(self.notes["platforms"]))

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        platforms, platform = list(train_graphs.platforms), train_graphs.platform
        self.notes["platforms"] = platforms
        n_node, n_static = Features.for_graphs(train_graphs, self.features).sizes(train_graphs)
        if "tags" in self.needs:
            self.notes["tags"] = tags.common(train_graphs)
            n_static += len(self.notes["tags"]) + 1
        self.notes["sizes"] = (n_node, n_static)
        self.notes["means"] = [1.0] * len(platforms)
        if self.task == "cost":
            counts = torch.bincount(platform, minlength=len(platforms)).clamp(min=1)
            means = torch.zeros(len(platforms), dtype=torch.float64).index_add_(0, platform, y.double().log()) / counts
            self.notes["means"] = means.exp().tolist()
        y = y / self._means(train_graphs)
        is_new = platform == len(platforms) - 1
        mean_of_others = int((~is_new).sum()) / max(1, len(platforms) - 1)
        fine_tune = self.task == "cost" and bool(is_new.any()) and int(is_new.sum()) < mean_of_others / 2
        learned_first = ~is_new if fine_tune else torch.ones_like(is_new)
        super().fit(train_graphs[learned_first], y[learned_first], val, y_val)
        if fine_tune:
            self._fine_tune(train_graphs[is_new], y[is_new])

    def predict(self, graphs: Graphs) -> Tensor:
        return super().predict(graphs) * self._means(graphs)

    def standardise(self, y: Tensor) -> tuple[float, float]:
        return (0.0, 1.0) if self.task == "cost" else super().standardise(y)

    def _means(self, graphs: Graphs) -> Tensor:
        """What the labels of each graph's platform were divided by, (n,)."""
        return torch.tensor(self.notes["means"], dtype=torch.float64)[self._platform(graphs)]

    def _platform(self, graphs: Graphs) -> Tensor:
        """Platforms of the graphs as numbers of the training set's platforms, (n,)."""
        known = self.notes["platforms"]
        return torch.tensor([known.index(name) if name in known else -1 for name in graphs.platforms])[graphs.platform]

    def _inputs(self, graphs: Graphs) -> Ragged:
        kind = Features.for_graphs(graphs, self.features)
        inputs = Ragged(graphs, self.hops, kind, self._platform(graphs), self.folds, self.torch_device)
        if "tags" in self.needs:
            inputs.beside = tags.one_hot(graphs, self.notes["tags"]).float()
        return inputs

    def _fine_tune(self, graphs: Graphs, y: Tensor) -> None:
        """Train on the new platform's labels ``y``, from the head of the platform whose answers are closest."""
        inputs, recipe = self._inputs(graphs), self.recipe(len(y))
        target = self._scale(y, *self.standardise(y))
        new_platform, errors = len(self.notes["platforms"]) - 1, []
        for source in range(new_platform):
            inputs.platform = torch.full((len(y),), source)
            errors.append(float((self._forward(self.module, inputs) - target).abs().mean()))
        self.module.heads.copy(min(range(new_platform), key=errors.__getitem__), new_platform)
        inputs.platform = torch.full((len(y),), new_platform)
        steps = min(recipe.steps or FINE_TUNE_STEPS, FINE_TUNE_STEPS)
        recipe = replace(recipe, epochs=0, steps=steps, lr=FINE_TUNE_RATE * recipe.lr)
        self.module = train(self.module, inputs.take, target.to(self.torch_device), recipe, self.seed)
        self.tensors = dict(self.module.state_dict())
