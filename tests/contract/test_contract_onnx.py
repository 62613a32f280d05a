"""The contract of predictors over ONNX graphs of very different sizes, on generated networks with made-up latencies."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from pipeline.core.names import known_predictors
from pipeline.train.cell import available_inputs
from predictors import base
from predictors.kit.cells import CellPredictor
from tests.contract.test_contract_cells import SHORT
from tests.helpers.onnx_graphs import generated, made_up_latency

CELLS_ONLY = {"layerwise", "help", "nasflat", "shared_backbone"}  # devices of NAS-Bench-201
CELLS_ONLY |= {"arch2vec"} | {name for name in known_predictors() if issubclass(base.load(name), CellPredictor)}
SETTINGS = {**SHORT, "steps": 6, "batch_size": 8, "passes": 1}
N, N_TRAIN = 30, 20


@pytest.fixture(params=sorted(set(known_predictors()) - CELLS_ONLY))
def name(request) -> str:
    return request.param


def fitted(name: str, task: str = "cost", seed: int = 0) -> base.BasePredictor:
    """A predictor trained for a moment on the first networks."""
    kind, train = base.load(name), generated(N)[:N_TRAIN]
    assert not kind.needs - available_inputs(train)
    keys = {f.name for f in dataclasses.fields(kind.Config)}
    predictor = kind({k: v for k, v in SETTINGS.items() if k in keys}, task, seed)
    y = made_up_latency(train)
    predictor.fit(train, y if task == "cost" else 100 - 10 / (1 + y))
    return predictor


@pytest.mark.parametrize("task", ["accuracy", "cost"])
def test_predicts_one_finite_number_a_network(name, task):
    graphs = generated(N)
    prediction = fitted(name, task).predict(graphs)
    assert prediction.shape == (N,)
    assert prediction.isfinite().all()
    if task == "cost":
        assert (prediction > 0).all()


def test_order_company_and_padding_do_not_matter(name):
    """A network's prediction is the same in any order, alone, and beside networks ten times its size."""
    graphs, predictor = generated(N), fitted(name)
    whole = predictor.predict(graphs)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(predictor.predict(graphs[order]), whole[order], rtol=1e-4, atol=1e-6)
    small = graphs.n_nodes <= 60
    assert 1 < small.sum() < N
    torch.testing.assert_close(predictor.predict(graphs[small]), whole[small], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(predictor.predict(graphs[:1]), whole[:1], rtol=1e-4, atol=1e-6)


def test_same_seed_same_predictions_also_after_loading(name, tmp_path):
    graphs, predictor = generated(N), fitted(name, seed=3)
    prediction = predictor.predict(graphs)
    assert torch.equal(fitted(name, seed=3).predict(graphs), prediction)
    predictor.save(tmp_path)
    again = type(predictor).load(tmp_path)
    torch.testing.assert_close(again.predict(graphs), prediction, rtol=1e-6, atol=0)  # memory may lie differently
    assert again.n_params == predictor.n_params >= 1


def test_fit_leaves_the_networks_alone(name):
    graphs = generated(N)
    before = copy.deepcopy(graphs)
    fitted(name)
    for field in dataclasses.fields(graphs):
        value = getattr(graphs, field.name)
        if isinstance(value, torch.Tensor):
            assert torch.equal(value.nan_to_num(), getattr(before, field.name).nan_to_num()), field.name
