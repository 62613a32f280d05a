"""Tables of costs: node costs add up, and a table that holds is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.measure.builder import INPUT, Builder
from pipeline.measure.precisions import Quantized
from predictors.kit import cost_table, kernels
from predictors.nn_former import Predictor
from tests.helpers.onnx_graphs import generated, graphs_of, made_up_latency

N_TRAIN = 100


def summed(graphs, each):
    """Sums of what ``each`` node costs over the graphs."""
    graph = torch.arange(len(graphs)).repeat_interleave(graphs.n_nodes)
    return torch.zeros(len(graphs), dtype=torch.float64).index_add_(0, graph, each)


def column(graphs, name):
    return graphs.attrs[:, graphs.attr_names.index(name)].double()


def flops_and_bytes(graphs):
    return summed(graphs, 1e-3 + 1e-9 * column(graphs, "flops") + 1e-8 * column(graphs, "memory_bytes"))


def padded_flops(graphs):
    return summed(graphs, 1e-3 + 1e-9 * column(graphs, "flops") * torch.from_numpy(kernels.padding(graphs)))


@pytest.mark.parametrize(("costs", "seed"), [(flops_and_bytes, 2), (padded_flops, 6)])
def test_costs_that_are_sums_over_nodes_are_found(costs, seed):
    """With so many networks the penalty on prices costs less than a hundredth."""
    graphs = generated(N_TRAIN + 20, seed)
    y = costs(graphs)
    table = cost_table.learn(graphs[:N_TRAIN], y[:N_TRAIN])
    found = cost_table.cost(table, graphs[N_TRAIN:])
    above = found > table["least"]
    assert above.sum() > 15 and float((found / y[N_TRAIN:] - 1)[above].abs().max()) < 0.01


def test_costs_of_nodes_add_up_to_the_graphs():
    graphs = generated(30, 3)
    table = cost_table.learn(graphs, made_up_latency(graphs))
    each = cost_table.node_costs(table, graphs)
    assert (each >= 0).all() and len(each) == len(graphs.op)
    sums = torch.stack([part.sum() for part in each.split(graphs.n_nodes.tolist())])
    torch.testing.assert_close(sums.clamp(min=table["least"]), cost_table.cost(table, graphs))


def test_before_any_step_nn_former_answers_what_the_table_says():
    graphs = generated(30, 4)
    y = made_up_latency(graphs)
    predictor = Predictor({"preset": "latency", "dim": 16, "steps": 1, "lr": 0.0}, "cost")
    predictor.fit(graphs, y)
    said = cost_table.cost(predictor.notes["table"], graphs)
    ratio = predictor.predict(graphs) / said
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-4, atol=0)


def test_an_operation_never_seen_costs_what_all_cost_on_average():
    graphs = generated(60, 5)
    y = flops_and_bytes(graphs)
    table = cost_table.learn(graphs, y)
    del table["nodes"]["Conv"]
    found = cost_table.cost(table, graphs)
    above = found > table["least"]
    assert float((found / y - 1)[above].abs().max()) < 0.05


def test_a_kind_that_graphs_hardly_show_gets_no_great_price():
    """Costs with errors of 5 %, to which one kind of operation adds a millionth: fitted without a penalty, its price
    would be whatever makes up for the errors."""
    rng = np.random.default_rng(0)
    values = rng.uniform(1, 2, (60, 2, 1)) * np.array([[1.0], [1e-6]])
    kind, graph = np.tile([0, 1], 60), np.repeat(np.arange(60), 2)
    y = values.sum((1, 2)) * rng.uniform(0.95, 1.05, 60) - 0.01
    weights = kernels.linear_costs(values.reshape(-1, 1), kind, 3, graph, y)
    assert weights[0, 0] == pytest.approx(1, abs=0.05)
    assert weights[1, 0] < 10 and weights[2, 0] == 0


def test_padding_on_hand_worked_nodes():
    """Channels of convolutions fill vectors of 16: of the output, and of the input where a group has 16 or more."""
    made = (  # what the builder adds, and the expected factor of its last node
        (lambda b, x: b.conv(x, 24, 3), 32 / 24),  # an image's 3 channels are not padded
        (lambda b, x: b.conv(b.conv(x, 24, 1), 40, 1), (32 / 24) * (48 / 40)),
        (lambda b, x: b.conv(b.conv(x, 24, 1), 24, 3, groups=24), 32 / 24),
        (lambda b, x: b.conv(b.conv(x, 64, 1), 32, 1), 1.0),
        (lambda b, x: b.linear(b.flatten(b.mean(b.conv(x, 24, 1))), 1000), 1.0),
    )
    files = []
    for add, _ in made:
        builder = Builder(8)
        files.append(("made", builder.model(add(builder, INPUT)).SerializeToString()))
    graphs = graphs_of(files)
    found = kernels.padding(graphs)[graphs.node_ptr[1:].numpy() - 1]
    np.testing.assert_allclose(found, [expected for _, expected in made], rtol=1e-6)


def test_kinds_of_hand_worked_nodes():
    """What reads rounded numbers alone is of another kind, and so is a grouped convolution."""
    quantized, plain = Quantized(8), Builder(8)
    for b in (quantized, plain):
        y = b.relu(b.conv(b.conv(INPUT, 16, 1), 16, 3, groups=4))
        output = b.linear(b.flatten(b.mean(b.add(y, b.op("Softmax", y, axis=1)))), 2)
        b.content = b.model(output).SerializeToString()
    graphs = graphs_of([("plain", plain.content), ("quantized", quantized.content)])
    kinds, names = kernels.node_kinds(graphs)
    found = [names[kind] for kind in kinds]
    plain_kinds = ["Input", "Conv", "grouped Conv", "Relu", "Softmax", "Add", "GlobalAveragePool", "Flatten", "Gemm"]
    assert found[: graphs.n_nodes[0]] == plain_kinds
    in_integers = [name for name in found[graphs.n_nodes[0] :] if name.startswith("8-bit ")]
    assert {"8-bit Conv", "8-bit grouped Conv", "8-bit Add", "8-bit Gemm"} <= set(in_integers)
    assert "8-bit QuantizeLinear" not in in_integers


def test_a_kind_that_the_table_lacks_costs_as_the_nearest_it_has():
    table = {"nodes": {"Conv": [1.0], "grouped Conv": [2.0], "8-bit Conv": [3.0]}, "other": [4.0]}
    kinds = ("8-bit Conv", "8-bit grouped Conv", "grouped ConvInteger", "8-bit Relu")
    assert [cost_table._entry(table, kind) for kind in kinds] == [[3.0], [2.0], [4.0], [4.0]]
    del table["nodes"]["grouped Conv"]
    assert cost_table._entry(table, "8-bit grouped Conv") == [1.0]
