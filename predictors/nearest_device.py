"""A baseline for a new device: the known device most like it, scaled by one factor."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors.kit.devices import Table
from predictors.kit.source_trees import OnSources


class Predictor(OnSources):
    """What one does who has measured a few networks on a new chip, and knows others.

    Most alike is the source whose ratio to the new device is steadiest: over the networks measured on both, the mean
    distance of the logarithms of the ratios from their median is least. Trees (`gbdt`) learn that source from all its
    labels, and answer for the new device after multiplication by the median ratio of its labels to what they say.
    Accuracies are shifted instead.
    """

    def combine(self, table: Table, z: Tensor) -> None:
        if z.shape[1] == 1:
            self.fit_trees(table, [0])
            self.tensors["shift"] = torch.zeros(1).double()
            return
        new = z[table.new_rows, -1]
        self.fit_trees(table, [nearest(z[table.new_rows, :-1], new)])
        self.tensors["shift"] = (new - self.sources_say(table.graphs[table.new_rows])[:, 0]).median().reshape(1)

    def weigh(self, graphs: Graphs) -> Tensor:
        return self.sources_say(graphs)[:, 0] + self.tensors["shift"]


def nearest(known: Tensor, new: Tensor) -> int:
    """The column of ``known`` (n, sources), NaN where unknown, to which ``new`` (n,) keeps the steadiest distance.

    A source that shares fewer than half as many labels with the new device as another one is passed over.
    """
    difference = new[:, None] - known
    unsteady = (difference - difference.nanmedian(0).values).abs().nanmean(0)
    shared = (~known.isnan()).sum(0)
    return int(torch.where(2 * shared < shared.max(), torch.inf, unsteady).nan_to_num(torch.inf).argmin())
