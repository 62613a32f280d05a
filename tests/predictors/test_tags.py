"""Tags as inputs: who takes them, what they change, and that nothing changes without."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pipeline.core.errors import BenchError
from pipeline.train.cell import available_inputs
from predictors import base
from predictors.kit import tags
from predictors.kit.ensemble import make
from tests.helpers.cell_graphs import small_space
from tests.helpers.onnx_graphs import generated

SETTINGS = {
    "gbdt": {"rounds": 50, "min_leaf": 3},
    "graf": {"rounds": 50, "min_leaf": 3},
    "nn_former": {"preset": "latency_quick", "steps": 150, "loss": "mse"},
}
N = 45
GRAPHS = {"gbdt": small_space(N), "graf": small_space(N), "nn_former": generated(N)}
WORDS = [("bad", "good", "middling")[i * 7 % 3] for i in range(N)]
LABELS = torch.tensor([{"bad": 60.0, "middling": 70.0, "good": 80.0}[word] for word in WORDS]).double()
LABELS = LABELS + torch.rand(N, generator=torch.Generator().manual_seed(1))


def fitted(label: str, tagged: bool = True, **settings) -> base.BasePredictor:
    predictor = make(label, {**SETTINGS[label], **settings}, "accuracy", 3)
    graphs = GRAPHS[label].with_tags(WORDS) if tagged else GRAPHS[label]
    predictor.fit(graphs[:30], LABELS[:30])
    return predictor


@pytest.mark.parametrize("label", SETTINGS)
def test_a_tag_that_is_the_answer_is_learned(label):
    """But for noise the labels are what the tag says: nothing of the graph tells of them."""
    graphs = GRAPHS[label].with_tags(WORDS)[30:]
    blind, seeing = fitted(label), fitted(label, tags=True)
    agree = [torch.corrcoef(torch.stack([p.predict(graphs).double(), LABELS[30:]]))[0, 1] for p in (blind, seeing)]
    assert agree[1] > 0.8 > agree[0] + 0.2


@pytest.mark.parametrize("label", SETTINGS)
def test_without_the_setting_they_are_not_looked_at(label):
    predictor, graphs = fitted(label), GRAPHS[label]
    assert torch.equal(predictor.predict(graphs), fitted(label, tagged=False).predict(graphs))
    assert torch.equal(predictor.predict(graphs), predictor.predict(graphs.with_tags(WORDS)))
    assert "tags" not in predictor.needs and not hasattr(predictor.config, "tags")


@pytest.mark.parametrize("label", SETTINGS)
def test_saved_and_loaded_it_predicts_the_same(label, tmp_path):
    predictor, graphs = fitted(label, tags=True), GRAPHS[label].with_tags(WORDS)
    predictor.save(tmp_path / "model")
    again = type(predictor).load(tmp_path / "model")
    assert "tags" in again.needs
    torch.testing.assert_close(again.predict(graphs), predictor.predict(graphs), rtol=1e-6, atol=0)


@pytest.mark.parametrize("label", SETTINGS)
def test_a_tag_never_seen_and_no_tag_are_any_other(label):
    predictor, graphs = fitted(label, tags=True), GRAPHS[label]
    assert torch.equal(predictor.predict(graphs), predictor.predict(graphs.with_tags(["new"] * N)))


def test_only_those_that_take_them_may_ask():
    assert base.load("gbdt")({"tags": True, "proxies": True}).needs == {"tags", "proxies"}
    assert "tags" in available_inputs(GRAPHS["gbdt"].with_tags(WORDS)) and "tags" not in available_inputs(
        GRAPHS["gbdt"]
    )
    with pytest.raises(BenchError, match="op_counts: it takes no tags; leave tags out"):
        base.load("op_counts")({"tags": True})


@pytest.mark.parametrize(("graphs", "task"), [(GRAPHS["gbdt"], "accuracy"), (GRAPHS["nn_former"], "cost")])
def test_nn_former_takes_them_for_accuracies_of_networks_alone(graphs, task):
    predictor = make("nn_former", {"tags": True}, task, 0)
    with pytest.raises(base.Unsupported, match="accuracies of ONNX graphs"):
        predictor.fit(graphs.with_tags(WORDS), LABELS)


def test_rare_tags_stand_together():
    graphs = small_space(8).with_tags(["b", "a", "a", "a", "b", "c", "d", "d"])
    assert tags.common(graphs) == ["a"]
    assert tags.one_hot(graphs, ["d", "a"]).argmax(1).tolist() == [2, 1, 1, 1, 2, 2, 0, 0]


def test_tags_go_with_their_graphs():
    graphs = small_space(4).with_tags(["x", "y", "x", "z"])
    picked = graphs[torch.tensor([3, 0])]
    assert [picked.tags[i] for i in picked.tag] == ["z", "x"]
    twice = replace(graphs[torch.tensor([0, 0])], tag=torch.tensor([0, 1]))
    assert len(twice.distinct()[0]) == 2


def test_tags_alone_are_means_drawn_to_the_mean_of_all():
    """Mean of all 4; "a" has 3 labels of 2 and "other" one of 10: 4 - 2 * 3 / (3 + 1) and 4 + 6 * 1 / (1 + 1)."""
    graphs = small_space(5).with_tags(["a", "a", "a", "b", "c"])
    predictor = base.load("tag")()
    predictor.fit(graphs[:4], torch.tensor([2.0, 2.0, 2.0, 10.0]).double())
    assert predictor.predict(graphs).tolist() == [2.5, 2.5, 2.5, 7.0, 7.0]
