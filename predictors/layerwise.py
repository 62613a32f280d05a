"""Layer-wise lookup table, the baseline of BRP-NAS (Dudziak et al. 2020) and HELP (Lee et al., NeurIPS 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor
from predictors.kit.devices import above_zero, linear_table
from predictors.kit.features import op_counts
from predictors.kit.groups import chain_length, place_one_hot


class Predictor(BasePredictor):
    """A network costs the sum of its operations: one entry a kind of operation, and one for what all networks share.

    Departures: the published tables hold operations measured one by one. No data set here has such measurements, so
    the entries are those that fit the labels of whole networks best, by squared error. An entry does not depend on
    the operation's place: within a NAS-Bench-201 cell all operations see the same shapes. Where the graphs are chains
    of one length it may (variant ``places``): an entry a place and operation. An entry can be negative:
    it is what the operation costs beyond `none`, which is no node here but runs as a product with zero. Work done at
    the same time, and work that a compiler removes, are beyond a table.
    """

    @dataclass(frozen=True)
    class Config:
        """``places``: an entry a place and operation of chains."""

        places: bool = False

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        own = train.platform == len(train.platforms) - 1  # other devices have their own costs
        self.notes["length"] = chain_length(train[own]) if self.config.places else 0
        entries, fixed = linear_table(self._counts(train[own]), y[own])
        self.tensors = {"table": entries, "fixed": fixed.reshape(1), "floor": y[own].double().min().reshape(1) / 2}

    def predict(self, graphs: Graphs) -> Tensor:
        cost = self._counts(graphs) @ self.tensors["table"] + self.tensors["fixed"]
        return above_zero(cost, float(self.tensors["floor"])) if self.task == "cost" else cost

    def _counts(self, graphs: Graphs) -> Tensor:
        """How often each entry of the table is taken, (n, entries)."""
        length = self.notes["length"]
        return place_one_hot(graphs, length) if length else op_counts(graphs)

    @property
    def n_params(self) -> int:
        return len(self.tensors["table"]) + 1
