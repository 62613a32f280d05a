"""What every neural predictor shares: label scaling, training, and prediction in batches of distinct inputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Dense, Graphs, to_device
from predictors.base import BasePredictor, Diverged, Unsupported, require_finite
from predictors.kit.padded import SMALL, Padded
from predictors.kit.pretrain import changed_copies, pretrained
from predictors.kit.proxies import beside, scale_of, scaled
from predictors.kit.train_loop import COMMON, COMMON_PRETRAINED, IN_UNITS, Recipe, inputs_at, parse_loss, train


def standardiser(task: str, y: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of the labels, of their logarithm for costs."""
    z = y.log() if task == "cost" else y
    spread = float(z.std(correction=0)) if len(z) > 1 else 0.0
    return float(z.mean()), spread if spread > 1e-12 else 1.0


class NeuralPredictor(BasePredictor):
    """A predictor whose model is a `torch.nn.Module` over padded graphs.

    A subclass gives `build` (vocabulary size -> module) and may give `encode` (padded graphs -> the tensors its module
    takes, one row a graph). Costs are learned as standardised logarithms, accuracies standardised. A model trained by
    order alone is brought to the labels' units by an increasing curve through the training quantiles.
    The last part of the module reads what stands for a graph; pre-training trains all but that.
    """

    shared_presets: ClassVar[dict[str, dict[str, Any]]] = {"common": COMMON, "common_pretrained": COMMON_PRETRAINED}
    pretrains: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(Recipe):
        """Training settings; subclasses add the model's."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        parse_loss(self.config.loss)
        parse_loss(self.config.cost_loss)
        if self.config.pretrain_steps and not self.pretrains:
            name = type(self).__module__.rpartition(".")[2]
            raise BenchError(f"{name}: it can't be pre-trained; leave pretrain_steps out")

    @abstractmethod
    def build(self, n_ops: int) -> nn.Module:
        """A fresh module for graphs over ``n_ops`` kinds of operation; its output is (batch,)."""

    def begin(self, module: nn.Module, graphs: Graphs) -> nn.Module:
        """What training starts from: the fresh ``module``, or what became of it on ``graphs`` without their labels."""
        c = self.config
        if self.task == "cost" or not c.pretrain_steps or int(graphs.n_nodes.max()) > SMALL:
            return module
        recipe = replace(c, epochs=0, by_size=False, consistency=0.0, steps=c.pretrain_steps)
        if self.unlabelled is None:
            cells = changed_copies(graphs, c.pretrain_cells, self.seed)
            return pretrained(module, cells, self._inputs, recipe, self.seed)
        known = self.unlabelled.distinct()[0]
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(self.seed))
        cells = self.unlabelled[known[order[: c.pretrain_cells]]]
        return pretrained(module, cells, self._encoded, recipe, self.seed)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        """Tensors of n rows each that the module takes; made once for a data set, on ``torch_device``."""
        return dense.op, dense.adj, dense.mask

    def recipe(self, n: int) -> Recipe:
        """The training recipe for ``n`` labels; costs are trained on ``cost_loss``."""
        c = self.config
        if self.task == "cost":
            return replace(c, loss=c.cost_loss)
        return replace(c, steps=min(c.steps, c.first_steps + n)) if c.first_steps else c

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        torch.manual_seed(self.seed)
        inputs, z = self._lesson(train_graphs, y)
        module = self.begin(self.build(len(train_graphs.vocab)).to(self.torch_device), train_graphs)
        module = self._seeing_proxies(module)
        recipe = self.recipe(len(y))
        self.module = train(
            module, lambda i: inputs_at(inputs, i), z, recipe, self.seed, self._validation(val, y_val),
            train_graphs.n_nodes, self.checkpoint,
        )  # fmt: skip
        self._keep(inputs, z, in_units=bool(IN_UNITS & set(recipe.loss.replace("*", "+").split("+"))))

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        z = self._forward(self.module, self._inputs(graphs[first])).double()
        if "curve" in self.notes:
            z = along_curve(z, *(torch.tensor(k, dtype=torch.float64) for k in self.notes["curve"]))
        std, mean = self.notes["scale"]
        z = std * z + mean
        return require_finite(z.exp() if self.task == "cost" else z, "a prediction")[inverse]

    def restored(self) -> None:
        self.module = self._seeing_proxies(self.build(len(self.notes["vocab"])))
        self.module.load_state_dict(self.tensors)
        self.module.to(self.torch_device).eval()

    def standardise(self, y: Tensor) -> tuple[float, float]:
        """What is taken off the labels (their logarithm for costs), and what the rest is divided by."""
        return standardiser(self.task, y)

    def _lesson(self, graphs: Graphs, y: Tensor) -> tuple[Any, Tensor]:
        """Encoded graphs and their scaled labels (n,); notes what predictions need of both."""
        mean, std = self.standardise(y)
        self.notes |= {"vocab": list(graphs.vocab), "scale": [std, mean]}
        self.notes |= {"proxies": scale_of(graphs)} if "proxies" in self.needs else {}
        return self._inputs(graphs), self._scale(y, mean, std).to(self.torch_device)

    def _validation(self, val: Graphs | None, y_val: Tensor | None) -> Callable[[nn.Module], float] | None:
        """Kendall's tau of a module's outputs on the labels for validation; None without any."""
        if val is None or not len(val):
            return None
        from scipy.stats import kendalltau  # half a second to import, and rarely needed

        inputs, labels = self._inputs(val), y_val.numpy()
        return lambda module: float(kendalltau(self._forward(module, inputs).numpy(), labels).statistic)

    def _keep(self, inputs, z: Tensor, in_units: bool) -> None:
        """Note what the trained module needs to predict: its tensors, and unless ``in_units`` a curve to the labels."""
        if not in_units:
            raw = self._forward(self.module, inputs).double()
            self.notes["curve"] = [k.tolist() for k in quantile_curve(raw, z.double().cpu())]
        self.tensors = dict(self.module.state_dict())

    def _scale(self, y: Tensor, mean: float, std: float) -> Tensor:
        z = y.log() if self.task == "cost" else y
        return ((z - mean) / std).float()

    def _seeing_proxies(self, module: nn.Module) -> nn.Module:
        """``module`` with proxies beside what its last part reads, where the settings ask for them."""
        if "proxies" not in self.needs:
            return module
        return beside(module, len(self.notes["proxies"][0])).to(self.torch_device)

    def _inputs(self, graphs: Graphs):
        """What the trained module takes of the graphs: `_encoded`, and their proxies where settings ask for them."""
        inputs = self._encoded(graphs)
        if "proxies" not in self.needs:
            return inputs
        if not isinstance(inputs, tuple):
            raise Unsupported(f"proxies are for cells of at most {SMALL} nodes")
        return *inputs, scaled(graphs, self.notes["proxies"]).to(self.torch_device)

    def _encoded(self, graphs: Graphs):
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
            parts = [module(*inputs_at(inputs, slice(i, i + size))).float() for i in range(0, n, size)]
            return require_finite(torch.cat(parts).cpu(), "a prediction")
        out = torch.empty(len(inputs))
        for index in inputs.portions():
            out[index] = module(*inputs.take(index)).float().cpu()
        return require_finite(out, "a prediction")


def quantile_curve(x: Tensor, y: Tensor, knots: int = 17) -> tuple[Tensor, Tensor]:
    """Knots of a strictly increasing curve that takes the quantiles of ``x`` (n,) to those of ``y`` (n,).

    It brings scores of any scale into the labels' units and keeps every order. Its slope is at least a hundredth of
    the overall one, so that flat stretches of ``y`` make no ties.
    """
    q = torch.linspace(0, 1, min(knots, len(x)), dtype=x.dtype)
    x_knots = x.quantile(q)
    rises = torch.cat([torch.tensor([True]), x_knots.diff() > 0])
    x_knots, y_knots = x_knots[rises], y.quantile(q)[rises]
    if len(x_knots) < 2:
        return torch.stack([x_knots[0], x_knots[0] + 1]), torch.stack([y.mean(), y.mean() + 1])
    least = 0.01 * (y_knots[-1] - y_knots[0]).clamp(min=1e-6) / (x_knots[-1] - x_knots[0])
    floor = least * (x_knots - x_knots[0])
    return x_knots, (y_knots - floor).cummax(0).values + floor


def along_curve(x: Tensor, x_knots: Tensor, y_knots: Tensor) -> Tensor:
    """Piecewise-linear interpolation through (``x_knots``, ``y_knots``), its ends going on outside."""
    i = torch.searchsorted(x_knots, x).clamp(1, len(x_knots) - 1)
    slope = (y_knots[i] - y_knots[i - 1]) / (x_knots[i] - x_knots[i - 1])
    return y_knots[i - 1] + slope * (x - x_knots[i - 1])


def least_squares_line(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope and shift of the least-squares line y = slope * x + shift; a slope that would turn the order is refused."""
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 1.0
    if slope <= 0:
        raise Diverged("the model ranks its own training set backwards")
    return slope, float(y.mean() - slope * x.mean())
