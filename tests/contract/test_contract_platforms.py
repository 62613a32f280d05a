"""The contract of predictors that know labels of several devices: of others first, then of the one that is asked about.

Rows come as `pipeline.train` gives them: the first graphs on each other device, then on the cell's own.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
import torch

from pipeline.core.graphs import Graphs
from pipeline.core.names import known_predictors
from predictors import base
from tests.helpers.trained import changed_by_fit, new, space, takes

PLATFORMS = ("slow", "fast", "own")
SPEED = {"slow": 3.0, "fast": 0.5, "own": 1.0}
FEW, MANY = 4, 16  # labels of the own device, beside 16 of each other one
TRANSFERS = [(name, label) for label in known_predictors() if base.load(label).transfers for name in takes(label)]
OWN_ALONE = {("cells", "nn_former")}  # learns its own device's labels and no others

every_case = pytest.mark.parametrize(("name", "label"), TRANSFERS, ids=["-".join(case) for case in TRANSFERS])
every_number = pytest.mark.parametrize("n_own", [FEW, MANY])


def examples(name: str, n_own: int) -> tuple[Graphs, torch.Tensor]:
    """Rows of all devices with their labels; the other devices rank the graphs a little differently."""
    at, parts, labels = space(name), [], []
    for i, device in enumerate(PLATFORMS):
        rows = torch.arange(n_own if device == "own" else MANY)
        graphs = at.graphs[rows]
        y = SPEED[device] * at.labels(graphs, "cost")
        parts.append((rows, torch.full((len(rows),), i)))
        labels.append(y if device == "own" else y * (1 + 0.05 * i * (rows % 3)))
    rows, platform = (torch.cat(column) for column in zip(*parts, strict=True))
    return replace(at.graphs[rows], platforms=PLATFORMS, platform=platform), torch.cat(labels)


def asked(name: str) -> Graphs:
    return space(name).graphs.on_platform("own", PLATFORMS)


@functools.cache
def fitted(name: str, label: str, n_own: int) -> tuple[base.BasePredictor, torch.Tensor, list[str]]:
    """The predictor, what it says of all graphs on the own device, and which inputs its fit changed. Read only."""
    predictor = new(name, label, "cost")
    changed = changed_by_fit(predictor, *examples(name, n_own))
    return predictor, predictor.predict(asked(name)), changed


@every_case
@every_number
def test_predicts_one_cost_a_graph_and_leaves_its_inputs_alone(name, label, n_own):
    _, prediction, changed = fitted(name, label, n_own)
    assert prediction.shape == (len(asked(name)),)
    assert prediction.isfinite().all() and (prediction > 0).all()
    assert changed == []


@every_case
def test_same_seed_same_predictions(name, label):
    predictor = new(name, label, "cost")
    predictor.fit(*examples(name, FEW))
    assert torch.equal(predictor.predict(asked(name)), fitted(name, label, FEW)[1])


@every_case
@every_number
def test_order_and_company_do_not_matter(name, label, n_own):
    predictor, prediction, _ = fitted(name, label, n_own)
    order = torch.randperm(len(prediction), generator=torch.Generator().manual_seed(1))
    for part in (order, slice(1)):
        torch.testing.assert_close(predictor.predict(asked(name)[part]), prediction[part], rtol=1e-4, atol=1e-6)


@every_case
@every_number
def test_saved_and_loaded_it_predicts_the_same(name, label, n_own, tmp_path):
    predictor, prediction, _ = fitted(name, label, n_own)
    predictor.save(tmp_path)
    torch.testing.assert_close(type(predictor).load(tmp_path).predict(asked(name)), prediction, rtol=1e-6, atol=0)


@every_case
def test_labels_of_the_other_devices_count(name, label):
    """Turned round on one of them, they lead to other predictions, but for a predictor that is said to pass them by."""
    graphs, y = examples(name, FEW)
    turned = torch.where(graphs.platform == 0, y.flip(0), y)
    predictor = new(name, label, "cost")
    predictor.fit(graphs, turned)
    same = torch.equal(predictor.predict(asked(name)), fitted(name, label, FEW)[1])
    assert same == ((name, label) in OWN_ALONE)


@every_case
def test_labels_of_the_own_device_count(name, label):
    graphs, y = examples(name, FEW)
    predictor = new(name, label, "cost")
    predictor.fit(graphs, torch.where(graphs.platform == 2, 2 * y, y))
    ratio = predictor.predict(asked(name)) / fitted(name, label, FEW)[1]
    assert ratio.median() > 1.2


@every_case
def test_labels_for_validation_are_of_the_own_device(name, label):
    at = space(name)
    val = asked(name)[at.n_train : at.n_train + 6]
    predictor = new(name, label, "cost")
    assert changed_by_fit(predictor, *examples(name, MANY), val, at.labels(val, "cost")) == []
    assert predictor.predict(asked(name)).isfinite().all()
