"""Every predictor trained for a moment, once for a task, on cells and on networks: what the contract looks at."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import torch

from pipeline.core.graphs import Graphs
from pipeline.core.names import known_predictors
from predictors import base
from predictors.kit.cells import CellPredictor
from tests.helpers.cell_graphs import small_space, synthetic_labels
from tests.helpers.onnx_graphs import generated, made_up_latency

TASKS = ("accuracy", "cost")
SHORT = {"epochs": 0, "steps": 6, "cost_steps": 6, "rounds": 10, "pretrain_steps": 6}
# and those of kit.cells:
CELLS_ONLY = {"arch2vec", "device_gp", "help", "multipredict", "nasflat", "path_gp", "shared_backbone"}


@dataclasses.dataclass(frozen=True)
class Space:
    """A kind of graphs to predict: the first ``n_train`` are learned from, the others are new."""

    name: str
    graphs: Graphs
    n_train: int
    settings: dict[str, Any]
    labels: Callable[[Graphs, str], torch.Tensor]
    small: int  # nodes of a small graph: some graphs have no more, others do

    def examples(self, task: str, start: int = 0, end: int | None = None) -> tuple[Graphs, torch.Tensor]:
        """Graphs ``start`` to ``end`` (default: those to learn from) and their labels."""
        graphs = self.graphs[start : self.n_train if end is None else end]
        return graphs, self.labels(graphs, task)


def latency_or_made_of_it(graphs: Graphs, task: str) -> torch.Tensor:
    """Made-up labels of networks."""
    y = made_up_latency(graphs)
    return y if task == "cost" else 100 - 10 / (1 + y)


@functools.cache
def space(name: str) -> Space:
    """``cells``: 90 cells. ``networks``: 30 ONNX graphs of very different sizes. Do not change them."""
    if name == "cells":
        return Space(name, small_space(90), 40, SHORT, synthetic_labels, small=5)
    settings = {**SHORT, "steps": 3, "batch_size": 8, "passes": 1}
    return Space(name, generated(30), 20, settings, latency_or_made_of_it, small=60)


def takes(label: str) -> list[str]:
    """The spaces that a predictor takes: those it gets what it needs from, and is not too narrow for."""
    kind = base.load(label)
    if kind.needs & {"proxies", "tags"}:
        return []
    narrow = label in CELLS_ONLY or issubclass(kind, CellPredictor)
    return ["cells"] * (not kind.needs) + ["networks"] * (not narrow)


CASES = [(name, label) for label in known_predictors() for name in takes(label)]


def short(label: str, settings: dict[str, Any] = SHORT) -> dict[str, Any]:
    """Those of the settings that a predictor has, and can take."""
    kind = base.load(label)
    keys = {f.name for f in dataclasses.fields(kind.Config)}
    keys -= set() if getattr(kind, "pretrains", True) else {"pretrain_steps"}
    return {key: value for key, value in settings.items() if key in keys}


def new(name: str, label: str, task: str, seed: int = 3, **settings: Any) -> base.BasePredictor:
    """A predictor of a space, with short settings and those given that it has."""
    return base.load(label)(short(label, {**space(name).settings, **settings}), task, seed)


def changed_by_fit(predictor: base.BasePredictor, *inputs: Graphs | torch.Tensor) -> list[str]:
    """Fit, and name what that changed of its inputs."""
    before = copy.deepcopy(inputs)
    predictor.fit(*inputs)
    pairs = [
        (f"{i}.{key}", value, now)
        for i, (old, given) in enumerate(zip(before, inputs, strict=True))
        for (key, value), now in zip(_tensors(old).items(), _tensors(given).values(), strict=True)
    ]
    return [key for key, value, now in pairs if not torch.equal(value.nan_to_num(), now.nan_to_num())]


def _tensors(item: Graphs | torch.Tensor) -> dict[str, torch.Tensor]:
    if isinstance(item, torch.Tensor):
        return {"labels": item}
    return {f.name: v for f in dataclasses.fields(item) if isinstance(v := getattr(item, f.name), torch.Tensor)}


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained predictor, what it says of all graphs, and which of its inputs `fit` changed."""

    predictor: base.BasePredictor
    prediction: torch.Tensor
    changed: list[str]


@functools.cache
def fitted(name: str, label: str, task: str) -> Fitted:
    """A predictor trained on the first graphs of a space. Read only: all tests share it."""
    predictor = new(name, label, task)
    changed = changed_by_fit(predictor, *space(name).examples(task))
    return Fitted(predictor, predictor.predict(space(name).graphs), changed)
