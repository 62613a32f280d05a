"""What every neural predictor shares: label scaling, training, and prediction in batches of distinct inputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pipeline.data import Dense, Graphs, to_device
from predictors._padded import SMALL, Padded
from predictors._train_loop import IN_UNITS, Recipe, parse_loss, train
from predictors.base import BasePredictor, Diverged, require_finite


def standardiser(task: str, y: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of the labels, of their logarithm for costs."""
    z = y.log() if task == "cost" else y
    spread = float(z.std(correction=0)) if len(z) > 1 else 0.0
    return float(z.mean()), spread if spread > 1e-12 else 1.0


class NeuralPredictor(BasePredictor):
    """A predictor whose model is a `torch.nn.Module` over padded graphs.

    A subclass gives `build` (vocabulary size -> module) and may give `encode` (padded graphs -> the tensors its module
    takes, one row a graph). Costs are learned as standardised logarithms, accuracies standardised. A model trained by
    order alone is brought to the labels' units by a straight line through the training points.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """Training settings; subclasses add the model's."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        parse_loss(self.config.loss)
        parse_loss(self.config.cost_loss)

    @abstractmethod
    def build(self, n_ops: int) -> nn.Module:
        """A fresh module for graphs over ``n_ops`` kinds of operation; its output is (batch,)."""

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        """Tensors of n rows each that the module takes; made once for a data set, on ``torch_device``."""
        return dense.op, dense.adj, dense.mask

    def recipe(self, n: int) -> Recipe:
        """The training recipe for ``n`` labels; costs are trained on ``cost_loss``."""
        return replace(self.config, loss=self.config.cost_loss) if self.task == "cost" else self.config

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        torch.manual_seed(self.seed)
        self.notes["vocab"] = list(train_graphs.vocab)
        mean, std = self.standardise(y)
        scaled = self._scale(y, mean, std).to(self.torch_device)
        inputs = self._inputs(train_graphs)
        validate = None
        if val is not None and len(val):
            from scipy.stats import kendalltau  # half a second to import, and rarely needed

            val_inputs, val_y = self._inputs(val), y_val.numpy()

            def validate(module: nn.Module) -> float:
                return float(kendalltau(self._forward(module, val_inputs).numpy(), val_y).statistic)

        module = self.build(len(train_graphs.vocab)).to(self.torch_device)
        recipe = self.recipe(len(y))
        self.module = train(module, lambda i: _rows(inputs, i), scaled, recipe, self.seed, validate)
        raw = self._forward(self.module, inputs).double()
        slope, shift = 1.0, 0.0
        if not IN_UNITS & set(recipe.loss.replace("*", "+").split("+")):
            slope, shift = _line(raw, self._scale(y, mean, std).double())
        self.notes["scale"] = [slope * std, shift * std + mean]
        self.tensors = dict(self.module.state_dict())

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        slope, shift = self.notes["scale"]
        z = slope * self._forward(self.module, self._inputs(graphs[first])).double() + shift
        return require_finite(z.exp() if self.task == "cost" else z, "a prediction")[inverse]

    def restored(self) -> None:
        self.module = self.build(len(self.notes["vocab"]))
        self.module.load_state_dict(self.tensors)
        self.module.to(self.torch_device).eval()

    def standardise(self, y: Tensor) -> tuple[float, float]:
        """What is taken off the labels (their logarithm for costs), and what the rest is divided by."""
        return standardiser(self.task, y)

    def _scale(self, y: Tensor, mean: float, std: float) -> Tensor:
        z = y.log() if self.task == "cost" else y
        return ((z - mean) / std).float()

    def _inputs(self, graphs: Graphs):
        """Encoded graphs: a tuple of tensors of a row a graph, or an object with ``take`` and ``portions``."""
        if int(graphs.n_nodes.max()) > SMALL:
            return Padded(graphs, self.encode, self.torch_device)
        return self.encode(to_device(graphs.dense(), self.torch_device))

    @torch.inference_mode()
    def _forward(self, module: nn.Module, inputs, size: int = 512) -> Tensor:
        """Raw outputs (n,) of the module, a portion of the graphs at a time."""
        module.eval()
        if isinstance(inputs, tuple):
            n = len(inputs[0])
            parts = [module(*_rows(inputs, slice(i, i + size))).float() for i in range(0, n, size)]
            return require_finite(torch.cat(parts).cpu(), "a prediction")
        out = torch.empty(len(inputs))
        for index in inputs.portions():
            out[index] = module(*inputs.take(index)).float().cpu()
        return require_finite(out, "a prediction")


def _rows(inputs, index: Tensor | slice) -> tuple:
    """The module's arguments for the graphs at ``index``."""
    return tuple(t[index] for t in inputs) if isinstance(inputs, tuple) else inputs.take(index)


def _line(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope and shift of the least-squares line y = slope * x + shift; a slope that would turn the order is refused."""
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 1.0
    if slope <= 0:
        raise Diverged("the model ranks its own training set backwards")
    return slope, float(y.mean() - slope * x.mean())
