"""Boosted trees for each source device: what transfer of networks' costs to a new device builds on."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors import gbdt
from predictors.base import BasePredictor
from predictors.kit.devices import Table, device_table


class OnSources(BasePredictor):
    """A predictor of a new device from what trees (`gbdt`, costs as multiples of its table) say of each source.

    Costs are logarithms throughout, accuracies as they are. With one device alone its own trees answer.
    """

    transfers: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config:
        """``rounds``: trees a source."""

        rounds: int = 500

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        table = device_table(train, y, zero_shot=self.zero_shot)
        self.combine(table, table.labels.log() if self.task == "cost" else table.labels)

    def predict(self, graphs: Graphs) -> Tensor:
        z = self.weigh(graphs)
        return z.exp() if self.task == "cost" else z

    @abstractmethod
    def combine(self, table: Table, z: Tensor) -> None:
        """Learn from labels ``z`` (n, devices) of `table.graphs`, NaN where unknown, the new device's last."""

    @abstractmethod
    def weigh(self, graphs: Graphs) -> Tensor:
        """What the new device is expected to take, on the scale of ``z``, (n,)."""

    def fit_trees(self, table: Table, columns: list[int]) -> None:
        """Fit trees to the labels of these columns of ``table.labels``."""
        self.trees = [self._new_trees() for _ in columns]
        for trees, column in zip(self.trees, columns, strict=True):
            rows = (~table.labels[:, column].isnan()).nonzero()[:, 0]
            trees.fit(table.graphs[rows], table.labels[rows, column])
        self.notes["trees"] = [trees.notes for trees in self.trees]

    def sources_say(self, graphs: Graphs) -> Tensor:
        """What the trees say of each graph, on the scale of ``z``, (n, columns fitted)."""
        said = torch.stack([trees.predict(graphs).double() for trees in self.trees], 1)
        return said.log() if self.task == "cost" else said

    def restored(self) -> None:
        self.trees = []
        for notes in self.notes["trees"]:
            trees = self._new_trees()
            trees.notes = notes
            trees.restored()
            self.trees.append(trees)

    def _new_trees(self) -> gbdt.Predictor:
        return gbdt.Predictor({"rounds": self.config.rounds, "table": True}, self.task, self.seed)

    @property
    def n_params(self) -> int:
        """Those of all trees, and the weights."""
        return super().n_params + sum(trees.n_params for trees in self.trees)
