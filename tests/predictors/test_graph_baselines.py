"""NAR-Former V2, NNLP and BRP-NAS against plain forms, graph by graph; the recipes that presets `paper` stand for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.graphs import Graphs
from predictors import base
from predictors.brp_nas import Predictor as BRPNAS
from predictors.kit.flow import GatedFlow, Mean
from predictors.kit.node_features import Features
from predictors.kit.ragged import Ragged
from predictors.kit.train_loop import bce, hinge
from predictors.nar_former_v2 import Predictor as NARFormerV2
from predictors.nnlp import Predictor as NNLP
from tests.helpers.cell_graphs import small_space, synthetic_labels
from tests.helpers.onnx_graphs import generated

CELLS, NETWORKS = small_space(60), generated(30)[:8]
WITH_PAPER = (
    "nn_former", "gates", "ta_gates", "flan", "pinat", "graphormer", "graph_transformer", "flowerformer",
    "nar_former_v2", "neural_predictor", "brp_nas",
)  # fmt: skip


def outputs(predictor: base.BasePredictor, graphs: Graphs, fold: bool) -> tuple[torch.nn.Module, Ragged, Tensor]:
    """An untrained module whose layer scales matter, its inputs, and what it says of all graphs in one batch."""
    kind = Features.for_graphs(graphs, predictor.features)
    inputs = Ragged(graphs, predictor.hops, kind, torch.zeros(len(graphs), dtype=torch.long), fold)
    torch.manual_seed(0)
    module = predictor.build_module(*kind.sizes(graphs), 1).eval()
    for scale in getattr(module, "scale", ()):
        torch.nn.init.normal_(scale)
    with torch.inference_mode():
        return module, inputs, module(*inputs.take(torch.arange(len(graphs))))


def parts(graphs: Graphs, inputs: Ragged, i: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features (n, F), adjacency (n, n) and static features (1, S) of one graph."""
    dense = graphs[i : i + 1].dense()
    x = inputs.features.nodes(graphs, torch.arange(int(graphs.node_ptr[i]), int(graphs.node_ptr[i + 1])))
    return x, dense.adj[0].float(), inputs.features.static(graphs, torch.tensor([i]))


def head(module: torch.nn.Module, x: Tensor) -> Tensor:
    for step, (weight, bias) in enumerate(zip(module.heads.weights, module.heads.biases, strict=True)):
        x = (x.relu() if step else x) @ weight[0] + bias[0]
    return F.softplus(x).log()[0, 0] if module.heads.cost else x[0, 0]


def plain_nar_former_v2(module: torch.nn.Module, x: Tensor, adj: Tensor, static: Tensor) -> Tensor:
    near, means = adj + adj.T, []
    for attention, ffn, scale in zip(module.attention, module.ffn, module.scale, strict=True):
        x = x * attention.degree(near.sum(1, keepdim=True)).sigmoid()
        s = attention.likeness(x).sigmoid()
        score = near * (s @ s.T) / x.shape[1] ** 0.5
        mixed = score / (score.sum(1, keepdim=True) + 1e-6) @ x
        x = F.normalize(attention.heard(mixed) + attention.own(x), dim=1).relu()
        groups = ffn.norm(x).chunk(len(ffn.up), 1)
        up = [ffn.up_norm(g @ w + b).relu() for g, w, b in zip(groups, ffn.up, ffn.up_bias, strict=True)]
        down = [ffn.down_norm(g @ w + b) for g, w, b in zip(up, ffn.down, ffn.down_bias, strict=True)]
        x = x + scale * torch.cat(down, 1)
        means.append(x.mean(0, keepdim=True))
    if module.static is not None:
        return head(module, torch.cat([x.sum(0, keepdim=True), module.static(static).relu()], 1))
    weight = module.gate(torch.cat(means, 1)).sigmoid()[0]
    return head(module, sum(w * mean for w, mean in zip(weight, means, strict=True)))


def plain_nnlp(module: torch.nn.Module, x: Tensor, adj: Tensor, static: Tensor) -> Tensor:
    near = adj + adj.T
    for layer in module.layers:
        mean = near @ x / near.sum(1, keepdim=True).clamp(min=1)
        x = F.normalize(layer.own(x) + layer.heard(mean), dim=1).relu()
    return head(module, torch.cat([x.sum(0, keepdim=True), static], 1))


def plain_brp_nas(module: torch.nn.Module, x: Tensor, adj: Tensor, static: Tensor) -> Tensor:
    n = len(adj) + 1  # the global node comes first and hears from all
    x, heard = F.pad(x, (0, 1, 1, 0)), F.pad(adj, (1, 0, 1, 0)) + torch.eye(n)
    x[0, -1], heard[0] = 1, 1
    for layer, norm in zip(module.layers, module.norms, strict=True):
        x = norm(layer(heard @ x)).relu()
    return head(module, torch.cat([x[:1], static], 1))


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize(
    ("predictor", "graphs", "plain"),
    [
        (NARFormerV2({"layers": 3, "dim": 32}), CELLS, plain_nar_former_v2),
        (NARFormerV2({"dim": 32}, "cost"), NETWORKS, plain_nar_former_v2),
        (NNLP({"width": 16}, "cost"), NETWORKS, plain_nnlp),
        (BRPNAS({"width": 16}), CELLS, plain_brp_nas),
        (BRPNAS({"width": 16}, "cost"), NETWORKS, plain_brp_nas),
    ],
    ids=["nar_former_v2-cells", "nar_former_v2-networks", "nnlp", "brp_nas-cells", "brp_nas-networks"],
)
def test_a_batch_equals_the_plain_form_of_each_graph(predictor, graphs, plain, fold):
    module, inputs, batched = outputs(predictor, graphs, fold)
    with torch.inference_mode():
        each = torch.stack([plain(module, *parts(graphs, inputs, i)) for i in range(len(graphs))])
    torch.testing.assert_close(batched, each, rtol=1e-4, atol=1e-5)


def test_both_ways_is_the_sum_of_either_way():
    links = {
        way: Ragged(CELLS, ((way,),), Features("cell"), None, False).links[way] for way in ("adj", "adj_t", "both")
    }
    degree = {way: torch.from_numpy(ptr).diff() for way, (ptr, _) in links.items()}
    assert torch.equal(degree["both"], degree["adj"] + degree["adj_t"])


def test_a_linear_comparator_of_both_orders_is_best_as_a_difference_of_scores():
    """Full-batch descent on u . a + v . b + c over both orders of all pairs ends at v = -u and c = 0."""
    torch.manual_seed(0)
    x = torch.randn(12, 3)
    y = x @ torch.tensor([1.0, -2.0, 0.5]) + torch.randn(12)
    u, v, c = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True), torch.ones((), requires_grad=True)
    other = ~torch.eye(12, dtype=torch.bool)
    wins = (y[:, None] > y[None]).float()[other]
    optimiser = torch.optim.LBFGS([u, v, c], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = ((x @ u)[:, None] + (x @ v)[None] + c)[other]
        loss = F.binary_cross_entropy_with_logits(logits, wins)
        loss.backward()
        return loss

    loss = optimiser.step(closure)
    loss = closure()
    torch.testing.assert_close(v, -u, rtol=1e-3, atol=1e-3)
    assert c.abs().item() < 1e-3
    torch.testing.assert_close(bce(x @ u, y), loss, rtol=1e-4, atol=1e-6)


def test_brp_nas_learns_an_order_for_accuracies_and_values_for_costs():
    assert BRPNAS().recipe(9).loss == "bce"
    assert BRPNAS({}, "cost").recipe(9).loss == "l1"


def test_flan_attends_against_the_edges_as_released():
    kinds = [type(base.load("flan")(s).build(6).encoder.against[0]) for s in ({}, {"preset": "paper"})]
    assert kinds == [GatedFlow, Mean]


def test_flowerformer_meets_its_own_margin():
    """Scores that meet a margin of 0.5 by themselves meet the loss's 0.1 after scaling, and no others do."""
    model = base.load("flowerformer")({"margin": 0.5}).build(6)
    y = torch.tensor([1.0, 0.0])
    assert hinge(model.scale * torch.tensor([0.5, 0.0]), y) == pytest.approx(0, abs=1e-7)
    assert hinge(model.scale * torch.tensor([0.45, 0.0]), y) == pytest.approx(0.05 * model.scale)


@pytest.mark.parametrize("name", WITH_PAPER)
def test_a_papers_recipe_trains(name):
    """The preset as it is, but for the number of epochs; predictions are accuracies in percent."""
    y = synthetic_labels(CELLS, "accuracy")
    predictor = base.load(name)({"preset": "paper", "epochs": 2})
    assert type(predictor).presets["paper"]["epochs"] >= 150
    predictor.fit(CELLS[:16], y[:16])
    prediction = predictor.predict(CELLS)
    assert prediction.isfinite().all() and prediction.std() > 0
    if name == "nar_former_v2":
        assert (prediction > 0).all() and 20 < prediction.mean() < 200  # softplus(0) is 69 %


def test_relative_errors_are_learned_in_percent():
    """`relative` learns logarithms of fractions and answers in percent, nearer to the labels than their mean."""
    y = synthetic_labels(CELLS, "accuracy")
    predictor = NARFormerV2({"relative": True, "loss": "mspe", "dim": 32, "steps": 200})
    predictor.fit(CELLS, y)
    assert (predictor.predict(CELLS) / y - 1).abs().mean() < 0.9 * (y.mean() / y - 1).abs().mean()
