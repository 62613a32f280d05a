"""Neural predictors that learn from more than a loss between predictions and labels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit.neural import NeuralPredictor
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
        inputs, z = self._lesson(train_graphs, y)
        tau = self._validation(val, y_val)

        def validate(training: _WithLosses) -> float:
            self.prepare(training.module, inputs, z)
            return tau(training.module)

        training = _WithLosses(self.build(len(train_graphs.vocab)).to(self.torch_device), self.losses)
        recipe = replace(self.recipe(len(y)), loss="l1")  # of the losses to zero: their mean
        self.module = train(
            training, lambda i: (*inputs_at(inputs, i), z[i]), torch.zeros_like(z), recipe, self.seed,
            validate if tau else None, train_graphs.n_nodes, self.checkpoint,
        ).module  # fmt: skip
        self.prepare(self.module, inputs, z)
        self._keep(inputs, z, in_units=False)


class _WithLosses(nn.Module):
    """A module that answers with its losses: (*inputs, z) -> (b,)."""

    def __init__(self, module: nn.Module, losses) -> None:
        super().__init__()
        self.module, self.losses = module, losses

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.losses(self.module, inputs[:-1], inputs[-1])
