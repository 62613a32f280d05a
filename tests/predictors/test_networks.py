"""Predictors over ONNX graphs: batches against one graph at a time, folding, platforms, and that they learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.latency_throughput import RELEASED, Loop
from pipeline.core.graphs import Graphs
from predictors import base
from predictors.kit import kernels
from predictors.kit.nn_former_latency import LatencyModel, Networks, over_all
from predictors.kit.node_features import Features
from predictors.kit.ragged import Ragged, Whole
from predictors.nn_former import Predictor as NNFormer
from tests.helpers.cell_graphs import small_space
from tests.helpers.onnx_graphs import generated, made_up_latency


def one_platform(graphs: Graphs) -> torch.Tensor:
    return torch.zeros(len(graphs), dtype=torch.long)


def latency_model(overrides: dict) -> tuple[Networks, LatencyModel]:
    """An untrained model whose layers matter: the layer scale of 1e-4 would hide a fault in them."""
    torch.manual_seed(0)
    settings = Networks({"layers": 2, "dropout": 0.0, **overrides}, task="cost")
    model = settings.build_module(192, 40, 1).eval()
    for layer in model.layers:
        torch.nn.init.normal_(layer.scale)
    torch.nn.init.normal_(model.reduce.down.bias)
    return settings, model


@pytest.mark.parametrize("fold", [True, False])
def test_released_size_in_batches_equals_a_loop_over_graphs(fold):
    graphs = generated(30)[:16]
    settings, model = latency_model(RELEASED)
    batched = Ragged(graphs, settings.hops, Features("nn_former"), one_platform(graphs), fold)
    index = torch.arange(16)
    outputs = model(*batched.take(index)), Loop(model, graphs, dropout=0.0).eval()(index)
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
    gradients = []
    for output in outputs:
        model.zero_grad()
        output.square().mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "overrides",
    [
        {"masks": ("global",)},
        {"masks": ("adj", "global")},
        {"masks": ("adj", "share_parent"), "heads": 4},
        {"ffn": "plain"},
        {"ffn": "adj_t"},
    ],
    ids=str,
)
def test_every_switch_folds_exactly(overrides):
    graphs = generated(30)[:12]
    settings, model = latency_model({"dim": 32, **overrides})
    outputs = []
    for fold in (True, False):
        inputs = Ragged(graphs, settings.hops, Features("nn_former"), one_platform(graphs), fold)
        with torch.inference_mode():
            outputs.append(model(*inputs.take(torch.arange(12))))
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-6)


def test_all_pairs_are_heard_as_if_each_were_listed():
    """Of two graphs, one row folded: against softmax over every node of the graph, written out."""
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(rows, 2, 4, generator=draw) for rows in (3, 4, 4))
    rows = (torch.tensor([0, 2]), torch.tensor([1]))
    heard = (torch.tensor([0, 1, 1]), torch.tensor([2, 3]))  # two nodes of the first graph are one row
    found = over_all(q, k, v, Whole(rows, heard))
    for of_graph, nodes in zip(rows, heard, strict=True):
        for row in of_graph:
            weight = ((q[row][None] * k[nodes]).sum(-1) / 2).softmax(0)  # (nodes, heads)
            torch.testing.assert_close(found[row], (weight[..., None] * v[nodes]).sum(0))


def test_equal_nodes_are_one_row_and_only_equal_ones():
    """Rows start as one an operation and only ever split; a graph given twice costs nothing more."""
    graphs = small_space(40)
    inputs = Ragged(graphs, (("adj", "adj_t"),) * 2, Features("cell"), one_platform(graphs))
    (batch,) = inputs.take(torch.arange(len(graphs)))
    assert len(batch.x) == len(graphs.op.unique())
    rows = [len(r.unique()) for r in batch.node_rows]
    assert rows == sorted(rows) and rows[-1] < len(graphs.op)
    (twice,) = inputs.take(torch.tensor([3, 3, 5]))
    n = int(graphs.n_nodes[3])
    assert all(torch.equal(r[:n], r[n : 2 * n]) for r in twice.node_rows)
    assert torch.equal(batch.x[batch.node_rows[0]].argmax(1), graphs.op)


def test_a_data_set_is_cut_into_portions_of_bounded_size(monkeypatch):
    graphs = generated(30)
    inputs = Ragged(graphs, (), Features("nnlp"), one_platform(graphs))
    monkeypatch.setattr("predictors.kit.ragged.PORTION", 500)
    portions = inputs.portions()
    assert sorted(torch.cat(portions).tolist()) == list(range(30))
    assert all(len(p) == 1 or graphs.n_nodes[p].sum() <= 1000 for p in portions)


@pytest.mark.parametrize("name", ["nnlp", "nn_former", "nar_former_v2"])
def test_few_labels_of_a_new_platform_are_learned_from_the_others(name):
    """The new platform is 3 times as fast as one of two sources: 8 labels are enough after fine-tuning."""
    graphs = generated(30)
    y = {"slow": made_up_latency(graphs), "other": made_up_latency(graphs, 4.0), "new": made_up_latency(graphs) / 3}
    platforms = tuple(y)
    rows = [(p, torch.arange(30)) for p in platforms[:2]] + [("new", torch.arange(8))]
    train = graphs[torch.cat([index for _, index in rows])]
    of = torch.cat([torch.full((len(index),), platforms.index(p)) for p, index in rows])
    train = replace(train, platforms=platforms, platform=of)
    settings = {"preset": "latency", "dim": 16} if name == "nn_former" else {}
    predictor = base.load(name)({**settings, "steps": 60, "batch_size": 8}, "cost")
    predictor.fit(train, torch.cat([y[p][index] for p, index in rows]))
    mape = (predictor.predict(graphs.on_platform("new", platforms)) / y["new"] - 1).abs().mean()
    floor = (y["new"].log().mean().exp() / y["new"] - 1).abs().mean()
    assert mape < 0.7 * floor


@pytest.mark.parametrize(
    ("name", "settings", "most"),
    [
        ("params", {}, 0.7),
        ("flops", {}, 0.4),
        ("flops", {"log": True}, 0.6),
        ("flops_mac", {}, 0.25),
        ("roofline", {}, 0.3),
        ("nn_meter", {"passes": 2, "rounds": 20}, 0.15),
        ("nn_meter", {"passes": 2, "rounds": 20, "padded": True}, 0.15),
        ("table", {}, 0.15),
        ("gbdt", {"table": True}, 0.15),
        ("nnlp", {"steps": 150}, 0.5),
        ("nar_former_v2", {"steps": 100, "batch_size": 16}, 0.5),
        ("tpu", {"steps": 80, "width": 16, "batch_size": 16, "lr": 0.01}, 0.5),
        ("nn_former", {"preset": "latency", "dim": 32, "steps": 160, "lr": 0.003}, 0.5),
    ],
    ids=str,
)
def test_made_up_latencies_are_learned(name, settings, most):
    """Error on unseen networks relative to that of the mean predictor (MAPE of about 90 %)."""
    graphs = generated(120, 1)
    y = made_up_latency(graphs)
    train, test = slice(0, 90), slice(90, 120)
    errors = []
    for predictor in (base.load(name)(settings, "cost"), base.load("mean")({}, "cost")):
        predictor.fit(graphs[train], y[train])
        errors.append(float((predictor.predict(graphs[test]) / y[test] - 1).abs().mean()))
    assert errors[0] < most * errors[1]


def test_a_roofline_is_found_again():
    """4 TFLOPs/s, 64 GB/s, 2 microseconds an operation: in ms, and 64 FLOPs a byte at the ridge."""
    graphs = generated(40, 2)
    flops, size = (graphs.attrs[:, graphs.attr_names.index(name)].double() for name in ("flops", "memory_bytes"))
    time = torch.maximum(flops / 4.0e9, size / 6.25e7) + 0.002
    y = torch.stack([part.sum() for part in time.split(graphs.n_nodes.tolist())])
    predictor = base.load("roofline")({}, "cost")
    predictor.fit(graphs[:30], y[:30])
    assert predictor.notes["ridge"] == 64
    assert predictor.predict(graphs[30:]).tolist() == pytest.approx(y[30:].tolist(), rel=1e-6)
    _, per_flop, per_operation = predictor.tensors["weight"].tolist()
    assert (per_flop * 4.0e9, per_operation) == pytest.approx((1, 0.002), rel=1e-3)


def test_kernels_of_a_convolution_chain():
    """Input, Conv, BatchNormalization, Relu, MaxPool, Flatten, Gemm: three kernels, nothing for Input and Flatten."""
    graphs = generated(30)[:1]
    ops = [graphs.vocab[o] for o in graphs.op]
    assert ops[:5] == ["Input", "Conv", "BatchNormalization", "Relu", "MaxPool"]
    found = kernels.find(graphs)
    kinds = [found.kinds[k] for k in found.kind]
    assert kinds[:2] == ["Conv", "MaxPool"] and "BatchNormalization" not in kinds and "Flatten" not in kinds
    assert set(kinds) == {"Conv", "MaxPool", "GlobalAveragePool", "Gemm"}  # every Add joins its last convolution
    names = list(graphs.attr_names)
    flops = np.expm1(found.x[:, len(kernels.ROOT) + 4]).sum()
    free = [o in kernels.FREE for o in ops]
    assert flops == pytest.approx(float(graphs.attrs[:, names.index("flops")].double()[~torch.tensor(free)].sum()))


def test_nn_former_loads_what_it_saved_for_networks_and_cells(tmp_path):
    graphs = generated(30)[:10]
    predictor = NNFormer({"preset": "latency", "dim": 16, "steps": 2}, "cost")
    predictor.fit(graphs, made_up_latency(graphs))
    predictor.save(tmp_path)
    assert torch.equal(NNFormer.load(tmp_path).predict(graphs), predictor.predict(graphs))
