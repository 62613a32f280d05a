"""Zero-cost proxies as inputs: who takes them, what they change, and that nothing changes without."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from pipeline.core.errors import BenchError
from pipeline.train.cell import available_inputs
from predictors import base
from predictors.kit import proxies
from predictors.kit.ensemble import make
from tests.helpers.cell_graphs import small_space
from tests.helpers.trained import short

TAKERS = ["flan", "gbdt", "graf", "multipredict", "nn_former", "path_gp"]
GRAPHS = small_space(90)
LABELS = torch.randn(90, generator=torch.Generator().manual_seed(1)).double()
WITH = replace(GRAPHS, proxy_names=("answer", "noise"), proxies=torch.stack([LABELS, LABELS.flip(0)], 1).float())


def fitted(label: str, **settings) -> base.BasePredictor:
    settings = {**short(label), **settings}
    if "proxies" in settings and label in ("flan", "multipredict", "nn_former"):
        settings |= {"steps": 150, "loss": "mse", "pretrain_cells": 50}
        settings |= {"pretrain_steps": 5} if base.load(label).pretrains else {}
    predictor = make(label, settings, "accuracy", 3)
    predictor.unlabelled = WITH if "proxies" in predictor.needs else None
    predictor.fit(WITH[:60], LABELS[:60])
    return predictor


@pytest.mark.parametrize("label", TAKERS)
def test_a_proxy_that_is_the_answer_is_learned(label):
    """The labels are noise: nothing but the proxy tells of them."""
    blind, seeing = fitted(label), fitted(label, proxies=True)
    agree = [torch.corrcoef(torch.stack([p.predict(WITH[60:]).double(), LABELS[60:]]))[0, 1] for p in (blind, seeing)]
    assert agree[1] > 0.5 > agree[0] + 0.1


@pytest.mark.parametrize("label", TAKERS)
def test_without_the_setting_they_are_not_looked_at(label):
    predictor = make(label, short(label), "accuracy", 3)
    predictor.fit(GRAPHS[:60], LABELS[:60])
    assert torch.equal(predictor.predict(GRAPHS), fitted(label).predict(WITH))
    assert "proxies" not in predictor.needs and not hasattr(predictor.config, "proxies")


@pytest.mark.parametrize("label", TAKERS)
def test_saved_and_loaded_it_predicts_the_same(label, tmp_path):
    predictor = fitted(label, proxies=True)
    predictor.save(tmp_path / "model")
    again = type(predictor).load(tmp_path / "model")
    assert "proxies" in again.needs
    torch.testing.assert_close(again.predict(WITH), predictor.predict(WITH), rtol=1e-6, atol=0)


def test_only_those_that_take_them_may_ask():
    assert base.load("gbdt")({"proxies": True}).needs == {"proxies"}
    assert "proxies" in available_inputs(WITH) and "proxies" not in available_inputs(GRAPHS)
    with pytest.raises(BenchError, match="op_counts: it takes no proxies"):
        base.load("op_counts")({"proxies": True})


def test_members_of_an_ensemble_see_them():
    predictor = make("gbdt", {"proxies": True, "ensemble": 2, "rounds": 10}, "accuracy", 0)
    assert predictor.needs == {"proxies"}
    predictor.fit(WITH[:60], LABELS[:60])
    assert predictor.predict(WITH).shape == (90,)


def test_a_proxy_alone_is_its_column():
    predictor = base.load("proxy")({"proxies": True, "which": "noise"})
    predictor.fit(WITH[:60], LABELS[:60])
    assert torch.equal(predictor.predict(WITH), LABELS.flip(0).float().double())
    with pytest.raises(BenchError, match="no proxy 'zen'; known: answer, noise"):
        base.load("proxy")({"proxies": True, "which": "zen"}).fit(WITH[:60], LABELS[:60])


def test_scaled_by_the_middle_half_and_cut_off():
    """Quartiles 1, 2 and 3, so a spread of 2 / 1.349; far values are cut off."""
    values = torch.tensor([0.0, 1.0, 2.0, 3.0, -1e6])[:, None]
    graphs = replace(small_space(5), proxies=values)
    scale = proxies.scale_of(replace(small_space(5), proxies=torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])[:, None]))
    found = proxies.scaled(graphs, scale)[:, 0]
    torch.testing.assert_close(found, torch.tensor([-1.349, -0.6745, 0.0, 0.6745, -3.0]))


def test_the_read_out_is_what_the_last_layer_read():
    body = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    module = proxies.beside(body, 4)
    assert module.head[0].in_features == 3 + 4
    assert module(torch.ones(5, 2), torch.ones(5, 4)).shape == (5,)
