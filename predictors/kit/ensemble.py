"""Ensembles of any predictor over seeds: the setting ``ensemble: k`` of a label in a grid. `make` makes them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from predictors import base
from predictors.base import BasePredictor, with_setting
from predictors.kit.off_path import OffPath

STRIDE = 1000  # between the seeds of members; a grid counts its own from 0


def make(label: str, overrides: dict[str, Any], task: str, seed: int, torch_device: str = "cpu") -> BasePredictor:
    """The predictor of a label with its overrides; an `Ensemble` where they hold ``ensemble: k``, an `OffPath` where
    they hold ``off_path: true``.

    Raises:
        BenchError: an ensemble of fewer than two, or what the predictor refuses.
    """
    overrides = dict(overrides)
    if overrides.pop("off_path", False):
        return OffPath(make(label, overrides, task, seed, torch_device))
    size = overrides.pop("ensemble", None)
    kind = base.load(label)
    if size is None:
        return kind(overrides, task, seed, torch_device)
    if type(size) is not int or size < 2:
        raise BenchError(f"{label}: ensemble = {size!r} must be a whole number of at least 2; mend the config")
    return Ensemble([kind(overrides, task, seed + STRIDE * i, torch_device) for i in range(size)])


class Ensemble(BasePredictor):
    """Predictors of one kind that differ in their seed alone, so in weights and the order of batches.

    All learn the same labels. The answer is the mean of theirs, of their logarithms for costs: members answer in the
    labels' units, whatever they were trained by, and a mean of ranks would make one graph's prediction depend on the
    others asked about. The first member has the seed given, so it is what the predictor alone would be with that seed.
    """

    def __init__(self, members: list[BasePredictor]) -> None:
        first, size = members[0], len(members)
        self.members, self.task, self.seed = members, first.task, first.seed
        self.needs, self.transfers, self.zero_shot = first.needs, first.transfers, first.zero_shot
        self.config = with_setting(first.config, "ensemble", size)

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        for i, member in enumerate(self.members):
            if self.checkpoint:
                member.checkpoint = self.checkpoint.part(str(i))
            member.unlabelled = self.unlabelled
            member.fit(train, y, val, y_val)
            if self.checkpoint:
                self.checkpoint.cpu_s += member.checkpoint.cpu_s
                self.checkpoint.wall_s += member.checkpoint.wall_s

    def predict(self, graphs: Graphs) -> Tensor:
        answers = torch.stack([member.predict(graphs).double() for member in self.members])
        return answers.log().mean(0).exp() if self.task == "cost" else answers.mean(0)

    @property
    def n_params(self) -> int:
        """Those of all members."""
        return sum(member.n_params for member in self.members)

    def save(self, folder: Path) -> None:
        """Write every member to a folder of its number, and ``ensemble.json``."""
        for i, member in enumerate(self.members):
            member.save(folder / str(i))
        about = {"predictor": type(self.members[0]).__module__.rpartition(".")[2], "ensemble": len(self.members)}
        (folder / "ensemble.json").write_text(json.dumps(about))

    @classmethod
    def load(cls, folder: Path, torch_device: str = "cpu") -> Ensemble:
        """The ensemble that `save` wrote under ``folder``.

        Raises:
            BenchError: files are missing or broken.
        """
        try:
            about = json.loads((folder / "ensemble.json").read_text())
            name, size = str(about["predictor"]), int(about["ensemble"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(f"{folder}: not a saved ensemble ({error}); train it again") from error
        kind = base.load(name)
        return cls([kind.load(folder / str(i), torch_device) for i in range(size)])
