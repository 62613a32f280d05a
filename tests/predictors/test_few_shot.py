"""Latency of cells on several devices: the table of labels, the look-up table, and transfer to a new device."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pipeline.core.graphs import Graphs, from_frame
from pipeline.spaces import cells
from predictors import base, shared_backbone
from predictors.kit.devices import above_zero, column_scale, device_table, ridge
from predictors.kit.features import op_counts
from predictors.kit.stand_in import most_alike, with_stand_in
from tests.helpers.cell_graphs import small_space
from tests.helpers.trained import short

COSTS = {  # ms per operation of four made-up devices, in the order of the vocabulary
    "gpu": [1.0, 0.5, 0.1, 0.5, 2.0, 0.8],
    "cpu": [2.0, 1.0, 0.3, 2.0, 9.0, 1.5],
    "phone": [5.0, 0.5, 0.2, 4.0, 12.0, 7.0],
    "new": [3.0, 1.5, 0.3, 1.5, 6.0, 2.4],  # three times gpu
}
SPACE = small_space(300, seed=5)


def latency(graphs: Graphs, device: str) -> torch.Tensor:
    return op_counts(graphs) @ torch.tensor(COSTS[device], dtype=torch.float64)


def few_shot(n_source: int = 120, n_new: int = 10, devices: tuple[str, ...] = ("gpu", "cpu", "phone")):
    """Training rows: the first cells on each source device, and fewer of them on the new one, which comes last."""
    platforms = (*devices, "new")
    parts, labels = [], []
    for device in platforms:
        part = SPACE[: n_new if device == "new" else n_source]
        parts.append(torch.full((len(part),), platforms.index(device)))
        labels.append(latency(part, device))
    rows = torch.cat([torch.arange(len(p)) for p in parts])
    return dataclasses.replace(SPACE[rows], platforms=platforms, platform=torch.cat(parts)), torch.cat(labels)


def spearman(a: torch.Tensor, b: torch.Tensor) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a.numpy(), b.numpy()).statistic)


def test_the_table_has_a_row_a_cell_and_the_new_devices_cells_first_in_order():
    graphs, y = few_shot(n_source=5, n_new=2)
    order = torch.tensor([16, 15, 2, 3, 0, 4, 1, 7, 8, 5, 6, 9, 10, 11, 12, 13, 14])
    table = device_table(graphs[order], y[order])
    assert table.devices == ("gpu", "cpu", "phone", "new")
    assert table.graphs.graph_id.tolist() == [1, 0, 2, 3, 4]
    assert table.new_rows.tolist() == [0, 1]
    for column, device in enumerate(table.devices):
        known = ~table.labels[:, column].isnan()
        assert known.sum() == (2 if device == "new" else 5)
        assert torch.equal(table.labels[known, column], latency(table.graphs[known], device))


def test_a_source_with_less_than_two_labels_is_no_source():
    graphs, y = few_shot(n_source=5, n_new=3)
    keep = (graphs.platform != 1) | (torch.arange(len(graphs)) == 5)
    assert device_table(graphs[keep], y[keep]).devices == ("gpu", "phone", "new")
    with pytest.raises(base.Diverged, match="no label of the new device new"):
        device_table(graphs[graphs.platform != 3], y[graphs.platform != 3])


def test_column_scale_by_hand():
    nan = float("nan")
    mean, scale = column_scale(torch.tensor([[1.0, 5.0], [3.0, nan], [nan, 5.0]]))
    assert mean.tolist() == [2.0, 5.0]
    assert scale.tolist() == [1.0, 1.0]


def test_above_zero_keeps_order_and_large_values():
    cost = above_zero(torch.tensor([-50.0, -1.0, 0.0, 1.9, 2.0, 7.0]), 2.0)
    assert (cost > 0).all()
    assert (cost.diff() > 0).all()
    assert cost[-2:].tolist() == [2.0, 7.0]


def test_ridge_finds_a_line_without_noise_and_shrinks_on_noise():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(50, 3, generator=draw, dtype=torch.float64)
    true = torch.tensor([1.0, -2.0, 0.0], dtype=torch.float64)
    weight, shift = ridge(x, x @ true + 4)
    torch.testing.assert_close(weight, true, atol=1e-3, rtol=0)
    assert float(shift) == pytest.approx(4, abs=1e-3)
    y = torch.randn(8, generator=draw, dtype=torch.float64)
    plain = torch.linalg.lstsq(x[:8] - x[:8].mean(0), (y - y.mean())[:, None]).solution[:, 0]
    assert ridge(x[:8], y)[0].norm() < plain.norm()
    assert ridge(x[:5], torch.full((5,), 2.0, dtype=torch.float64))[0].abs().max() == 0


def test_layerwise_reads_the_table_off_hand_made_latencies():
    """10 ms fixed, 1 ms a 1x1 convolution, 4 ms a 3x3: four networks with zero to three operations."""
    ops = [
        ("none",) * 6,
        ("nor_conv_1x1", *("none",) * 5),
        ("nor_conv_3x3", *("none",) * 5),
        ("nor_conv_3x3", "nor_conv_1x1", "none", "nor_conv_1x1", "none", "none"),
    ]
    graphs_201 = [cells.cell_201(row, executed=True) for row in ops]
    frame = cells.graphs_frame(list("abcd"), "nasbench201", graphs_201, cells.VOCAB_201)
    graphs = from_frame(frame, {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0})
    predictor = base.load("layerwise")({}, "cost")
    predictor.fit(graphs, torch.tensor([10.0, 11.0, 14.0, 16.0]))
    entry = dict(zip(cells.VOCAB_201, predictor.tensors["table"].tolist(), strict=True))
    assert entry["nor_conv_1x1"] == pytest.approx(1, abs=0.02)
    assert entry["nor_conv_3x3"] == pytest.approx(4, abs=0.02)
    assert entry["skip_connect"] == entry["input"] == 0
    assert float(predictor.tensors["fixed"]) == pytest.approx(10, abs=0.02)
    assert predictor.predict(graphs)[3] == pytest.approx(16, abs=0.05)


def test_layerwise_reads_the_new_devices_labels_only():
    graphs, y = few_shot(n_new=60)
    own = graphs.platform == 3
    one, all_devices = (base.load("layerwise")({}, "cost") for _ in range(2))
    one.fit(dataclasses.replace(graphs[own], platforms=("new",), platform=graphs.platform[own] * 0), y[own])
    all_devices.fit(graphs, y)
    assert torch.equal(one.predict(SPACE), all_devices.predict(SPACE))


@pytest.mark.parametrize("name", ["help", "multipredict", "nasflat", "shared_backbone"])
def test_learns_a_scaled_copy_of_a_source_device_from_ten_labels(name):
    """Three times as slow as the GPU: unseen cells are put in order, and by the closed form in their unit too."""
    settings = {
        "help": {"pretrain_steps": 150, "lr": 5e-3},
        "multipredict": {"steps": 150},
        "nasflat": {"steps": 150},
        "shared_backbone": {"steps": 30},
    }
    graphs, y = few_shot()
    predictor = base.load(name)(settings[name], "cost", seed=0)
    predictor.fit(graphs, y)
    unseen = SPACE[120:]
    predicted, true = predictor.predict(unseen.on_platform("new", graphs.platforms)), latency(unseen, "new")
    assert spearman(predicted, true) > 0.9
    if name == "shared_backbone":
        assert ((predicted / true - 1).abs() < 0.05).double().mean() > 0.95


@pytest.mark.parametrize("name", ["help", "multipredict", "nasflat", "shared_backbone"])
def test_labels_of_the_source_devices_matter(name):
    graphs, y = few_shot(n_source=30, n_new=6)
    changed = torch.where(graphs.platform == 2, y.flip(0), y)
    out = []
    for labels in (y, changed):
        predictor = base.load(name)(short(name), "cost", seed=0)
        predictor.fit(graphs, labels)
        out.append(predictor.predict(SPACE.on_platform("new", graphs.platforms)))
    assert not torch.equal(*out)


def test_help_needs_cells_in_common():
    graphs, y = few_shot(n_source=30, n_new=6)
    apart = graphs.graph_id >= 6
    rows = apart | (graphs.platform == 3)
    with pytest.raises(base.Unsupported, match="labelled on every device"):
        base.load("help")({"pretrain_steps": 2}, "cost").fit(graphs[rows], y[rows])


@pytest.mark.parametrize("name", ["multipredict", "nasflat"])
def test_a_new_device_starts_from_the_source_that_ranks_alike(name):
    graphs, y = few_shot(n_source=120, n_new=30)
    predictor = base.load(name)({"steps": 150, "tune_steps": 0}, "cost")
    predictor.fit(graphs, y)
    weight = predictor.tensors["device.weight"]
    assert torch.equal(weight[3], weight[0])  # of gpu, of which it is a multiple


def test_the_plain_shared_backbone_has_neither_table_nor_counts():
    graphs, y = few_shot(n_source=30, n_new=6)
    predictor = shared_backbone.Predictor({"preset": "plain", "steps": 5}, "cost")
    predictor.fit(graphs, y)
    assert not any("table" in key for key in predictor.tensors)
    assert predictor.tensors["head.counts"].abs().max() == 0


def test_the_device_most_like_the_others_by_hand():
    """Correlations of the first with the second .8, with the third -.5, of these two -1, on what both have."""
    nan = float("nan")
    labels = torch.tensor([[1.0, 2, 3, 4], [2.0, 1, 3, 4], [3.0, 4, 2, nan]], dtype=torch.float64).T
    assert most_alike(labels[:, :2]) == 0
    assert [most_alike(labels[:, order]) for order in ([2, 1, 0], [2, 0, 1], [0])] == [2, 1, 0]
    assert most_alike(torch.tensor([[1, 3, 2], [1, 1, 1], [1, 1, 2], [1, 2, 2]]).T.double()) == 3  # equals share a rank


def test_a_source_stands_in_for_a_device_without_labels_and_for_no_other():
    graphs, y = few_shot(n_new=0)
    stood, labels = with_stand_in(graphs, y)
    source = most_alike(device_table(graphs, y, zero_shot=True).labels[:, :-1])
    assert torch.equal(stood.platform == 3, graphs.platform == source) and torch.equal(labels, y)
    graphs, y = few_shot(n_new=1)
    assert with_stand_in(graphs, y)[0] is graphs


@pytest.mark.parametrize("name", ["shared_backbone", "help", "multipredict", "nasflat"])
def test_without_a_label_a_new_device_has_the_order_of_those_that_are_known(name):
    graphs, y = few_shot(n_new=0)
    predictor = base.load(name)(short(name), "cost", seed=0)
    predictor.fit(graphs, y)
    predicted = predictor.predict(SPACE[200:].on_platform("new", graphs.platforms))
    assert spearman(predicted, latency(SPACE[200:], "cpu")) > 0.3 and (predicted > 0).all()
