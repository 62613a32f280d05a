"""Neural predictors that learn from more than a loss between predictions and labels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit.neural import NeuralPredictor, quantile_curve
from predictors.kit.train_loop import inputs_at, train


class OwnLossPredictor(NeuralPredictor):
    """A neural predictor that gives the loss of a batch itself, in `losses`; the training loop takes its mean."""

    pretrains: ClassVar[bool] = False

    @abstractmethod
    def losses(self, module: nn.Module, inputs: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """Losses (b,), none below zero, of a batch with standardised labels ``z`` (b,)."""

    def prepare(self, module: nn.Module, inputs, z: Tensor) -> None:  # noqa: B027 (optional)
        """Hook before a trained module predicts; ``inputs`` and ``z`` are the whole training set's."""

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        torch.manual_seed(self.seed)
        self.notes["vocab"] = list(train_graphs.vocab)
        mean, std = self.standardise(y)
        z = self._scale(y, mean, std).to(self.torch_device)
        inputs = self._inputs(train_graphs)
        validate = None
        if val is not None and len(val):
            from scipy.stats import kendalltau  # half a second to import, and rarely needed

            val_inputs, val_y = self._inputs(val), y_val.numpy()

            def validate(lesson: nn.Module) -> float:
                self.prepare(lesson.module, inputs, z)
                return float(kendalltau(self._forward(lesson.module, val_inputs).numpy(), val_y).statistic)

        lesson = _Lesson(self.build(len(train_graphs.vocab)).to(self.torch_device), self.losses)
        recipe = replace(self.recipe(len(y)), loss="l1")  # of the losses to zero: their mean
        lesson = train(
            lesson, lambda i: (*inputs_at(inputs, i), z[i]), torch.zeros_like(z), recipe, self.seed, validate,
            train_graphs.n_nodes, self.checkpoint,
        )  # fmt: skip
        self.module = lesson.module
        self.prepare(self.module, inputs, z)
        self.notes["scale"] = [std, mean]
        raw = self._forward(self.module, inputs).double()
        self.notes["curve"] = [k.tolist() for k in quantile_curve(raw, z.double().cpu())]
        self.tensors = dict(self.module.state_dict())


class _Lesson(nn.Module):
    """A module that answers with its losses: (*inputs, z) -> (b,)."""

    def __init__(self, module: nn.Module, losses) -> None:
        super().__init__()
        self.module, self.losses = module, losses

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.losses(self.module, inputs[:-1], inputs[-1])
