"""Learning the statistics of changed cells: cells are kept whole, nothing but cells is seen, and it is learned."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from pipeline.core.errors import BenchError
from pipeline.core.names import known_predictors
from predictors import base, nn_former
from predictors.kit import neural, nn_former_cells, pretrain
from predictors.kit.graph_statistics import graph_statistics
from predictors.kit.train_loop import COMMON
from tests.helpers.cell_graphs import small_space, synthetic_labels
from tests.helpers.trained import new, space


def test_padded_cells_come_back_as_they_were():
    graphs = small_space(30, seed=3)
    again = pretrain.as_graphs(graphs.dense(), graphs)
    for name in ("node_ptr", "op", "edge_ptr"):
        assert torch.equal(getattr(again, name), getattr(graphs, name))
    assert torch.equal(again.dense().adj, graphs.dense().adj)
    assert torch.equal(graph_statistics(again), graph_statistics(graphs))


def test_the_body_learns_the_statistics():
    """A linear map of what the pre-trained body sees tells statistics of other cells better than of a fresh one."""
    graphs = small_space(400, seed=1)
    predictor = nn_former.Predictor({"layers": 2, "dim": 32, "dropout": 0.0})

    def body() -> torch.nn.Module:
        torch.manual_seed(0)
        return nn_former_cells.NNFormer(len(graphs.vocab), predictor.config)

    recipe = replace(predictor.config, steps=800, lr=4e-3)
    known = pretrain.pretrained(
        body(), pretrain.changed_copies(graphs[:100], 3000, seed=0), predictor._inputs, recipe, seed=0
    )
    y = graph_statistics(graphs)
    y = ((y - y[:300].mean(0)) / y[:300].std(0))[:, y[:300].std(0) > 0]

    def error(module: torch.nn.Module) -> float:
        with torch.inference_mode():
            inputs = predictor._inputs(graphs)
            x = pretrain.Statistics(module.eval(), inputs, 1).read(*inputs).double()
        x = torch.cat([x, torch.ones(len(x), 1)], 1)
        eye = 1e-2 * torch.eye(x.shape[1], dtype=torch.float64)
        weight = torch.linalg.solve(x[:300].mT @ x[:300] + eye, x[:300].mT @ y[:300])
        return float(((x[300:] @ weight - y[300:]) ** 2).mean())

    known, fresh = error(known), error(body())
    assert known < fresh / 2, (known, fresh)


def test_labels_play_no_part(monkeypatch):
    """Two fits on the same cells with other labels start from the same weights."""
    graphs, found = small_space(40), []
    real = pretrain.pretrained

    def look(*args):
        module = real(*args)
        found.append({k: v.clone() for k, v in module.state_dict().items()})
        return module

    monkeypatch.setattr(neural, "pretrained", look)
    y = synthetic_labels(graphs, "accuracy")
    for labels in (y, y.flip(0)):
        settings = {"layers": 1, "dim": 16, "steps": 2, "pretrain_steps": 5, "pretrain_cells": 50}
        nn_former.Predictor(settings).fit(graphs, labels)
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])
    nn_former.Predictor({"layers": 1, "dim": 16, "steps": 2, "pretrain_steps": 0}).fit(graphs, y)
    assert len(found) == 2


NEURAL = [n for n in known_predictors() if issubclass(base.load(n), neural.NeuralPredictor) and base.load(n).pretrains]


@pytest.mark.parametrize("name", NEURAL)
def test_any_neural_predictor_of_accuracies_can_be_pretrained(name):
    """It starts from a body that was trained, and from the last layer that it was made with."""
    graphs, modules = small_space(40), []
    kind = base.load(name)

    class Watched(kind):
        def begin(self, module, graphs):
            fresh = copy.deepcopy(module.state_dict())
            module = super().begin(module, graphs)
            modules.append((module, fresh))
            return module

    Watched.__module__ = kind.__module__
    short = {"steps": 2, "pretrain_steps": 3, "pretrain_cells": 30, "weight_decay": 0.0}
    predictor = Watched({"preset": "common_pretrained", **short})
    y = synthetic_labels(graphs, "accuracy")
    predictor.fit(graphs, y)
    assert predictor.predict(graphs).shape == (40,)
    module, fresh = modules[0]
    last = [k for k, _ in module.named_children()][-1]
    now = module.state_dict()
    assert any(not torch.equal(now[k], fresh[k]) for k in fresh if not k.startswith(f"{last}."))
    recipe = {key: getattr(predictor.config, key) for key in COMMON}
    assert recipe == {key: short.get(key, COMMON[key]) for key in COMMON}


def test_networks_go_without(monkeypatch):
    """Changed copies of networks of hundreds of nodes, padded to one size, took ten gigabytes."""
    monkeypatch.setattr(neural, "pretrained", lambda *args: pytest.fail("pre-trained"))
    new("networks", "nn_former", "accuracy", pretrain_steps=5).fit(*space("networks").examples("accuracy"))


def test_what_has_its_own_loss_says_that_it_cannot():
    with pytest.raises(BenchError, match="nao: it can't be pre-trained"):
        base.load("nao")({"pretrain_steps": 5})
