"""Transfer to a new device by a Gaussian process: features without labels, and how few labels are enough."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pipeline.core.graphs import Graphs, from_frame
from pipeline.spaces import blocks, cells
from predictors import base, device_gp
from predictors.kit.device_process import posterior_weights
from predictors.kit.devices import without_tails
from predictors.kit.groups import chain_length, entries_in_parts, feature_groups, folded, live_counts, place_one_hot
from tests.helpers.cell_graphs import graphs_of

META = {"op_vocab": list(blocks.VOCAB_FBNET), "attr_names": [], "out_shape_rank": 0}


def chains(n: int = 500, seed: int = 0) -> Graphs:
    codes = torch.randint(9, (n, 22), generator=torch.Generator().manual_seed(seed)).tolist()
    networks = [blocks.fbnet(row) for row in codes]
    flops, params = zip(*map(blocks.costs_fbnet, networks), strict=True)
    names = ["|".join(network) for network in networks]
    frame = cells.graphs_frame(names, "fbnet", list(map(blocks.chain, networks)), blocks.VOCAB_FBNET, flops, params)
    return from_frame(frame, META)


SPACE = chains()


def tables(device: str) -> torch.Tensor:
    """Made-up additive latencies of ``SPACE``: an entry a place and block; the new device is between the others."""
    if device == "new":
        return tables("server") + 2 * tables("phone")
    seed = {"server": 1, "phone": 2}[device]
    own = torch.rand(24 * len(SPACE.vocab), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 3 + place_one_hot(SPACE, 24) @ own


def few_shot(n_new: int, n_source: int = 400) -> tuple[Graphs, torch.Tensor]:
    names = ("server", "phone", "new")
    sizes = [n_source, n_source, n_new]
    rows = torch.cat([torch.arange(n) for n in sizes])
    platform = torch.cat([torch.full((n,), i) for i, n in enumerate(sizes)])
    y = torch.cat([tables(name)[:n] for name, n in zip(names, sizes, strict=True)])
    return dataclasses.replace(SPACE[rows], platforms=names, platform=platform), y


def spearman(a: torch.Tensor, b: torch.Tensor) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a.numpy(), b.numpy()).statistic)


def on_unseen(name: str, n_new: int, settings: dict | None = None) -> float:
    graphs, y = few_shot(n_new)
    predictor = base.load(name)(settings or {}, "cost", seed=0)
    predictor.fit(graphs, y)
    return spearman(predictor.predict(SPACE[400:].on_platform("new", graphs.platforms)), tables("new")[400:])


def test_flops_and_weights_of_the_smallest_and_a_hand_made_network():
    """Blocks left out cost nothing; a 3x3 block of 16 channels on 32 x 32 by hand."""
    bare, one = (blocks.costs_fbnet((first, *["skip"] * 21)) for first in ("skip", "k3_e1"))
    products, weights = 16 * 16 + 9 * 16 + 16 * 16, 16 * 16 + 9 * 16 + 16 * 16
    assert one[0] - bare[0] == 2 * products * 32**2
    assert one[1] - bare[1] == weights
    grouped = blocks.costs_fbnet(("k3_e1_g2", *["skip"] * 21))
    assert one[1] - grouped[1] == 16 * 16


def test_operations_off_every_path_are_not_live():
    rows = [
        ("nor_conv_3x3", "none", "none", "none", "none", "none"),
        ("nor_conv_3x3", *["none"] * 3, "skip_connect", "none"),
    ]
    rows.append(("none", "none", "none", "nor_conv_1x1", "none", "nor_conv_3x3"))
    graphs_201 = [cells.cell_201(row, executed=True) for row in rows]
    frame = cells.graphs_frame(list("abc"), "nasbench201", graphs_201, cells.VOCAB_201)
    graphs = from_frame(frame, {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0})
    live = dict(zip(graphs.vocab, live_counts(graphs).T.tolist(), strict=True))
    assert live["nor_conv_3x3"] == live["skip_connect"] == [0, 1, 0]
    assert live["nor_conv_1x1"] == [0, 0, 1]


def test_chains_are_known_by_their_edges():
    assert chain_length(SPACE) == 24
    assert chain_length(SPACE[:0]) == 0
    assert chain_length(dataclasses.replace(SPACE, dst=SPACE.dst.flip(0))) == 0


def test_parts_of_a_device_sum_to_it():
    """The kinds of blocks cut an additive device's cost into parts without a rest."""
    hot, said = place_one_hot(SPACE, 24), tables("server")[:, None]
    parts = hot @ entries_in_parts(hot, said, 24)
    kinds = parts[:, 2:].sum(1)
    assert torch.corrcoef(torch.stack([kinds, said[:, 0]]))[0, 1] > 0.99


def test_tails_are_cut_and_the_rest_is_left_alone():
    labels = torch.tensor([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, float("nan")], [1000.0, 9.0]], dtype=torch.float64)
    cut = without_tails(labels, 3.0)
    assert torch.equal(cut[:4].nan_to_num(), labels[:4].nan_to_num())
    assert cut[4, 0] == pytest.approx(3 + 3 * 1.4826)
    assert cut[4, 1] == 9  # most are equal: no deviation, no tails


def test_the_group_that_explains_the_labels_takes_the_weight():
    draw = torch.Generator().manual_seed(0)
    useful, useless = (x - x.mean(0) for x in torch.randn(2, 30, 4, generator=draw, dtype=torch.float64))
    z = useful @ torch.tensor([1.0, -1.0, 0.5, 0.0], dtype=torch.float64)
    (first, second), shift = posterior_weights([useful, useless], (z - z.mean()) / z.std(), [(-2.0, 2.0)] * 3)
    assert first.norm() > 5 * second.norm()
    assert abs(shift) < 0.01


def test_a_label_that_the_others_do_not_expect_counts_for_less():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(20, 1, generator=draw, dtype=torch.float64)
    z = x[:, 0].clone()
    z[x[:, 0].argmax()] -= 6  # what else costs most is said to be cheap
    (once,), _ = posterior_weights([x], z, [(0.0, 1.5), (-3.0, 1.5)])
    (again,), _ = posterior_weights([x], z, [(0.0, 1.5), (-3.0, 1.5)], looks=3)
    assert abs(float(again) - 1) < 0.5 * abs(float(once) - 1)
    (plain,), _ = posterior_weights([x], x[:, 0], [(0.0, 1.5), (-3.0, 1.5)])
    (same,), _ = posterior_weights([x], x[:, 0], [(0.0, 1.5), (-3.0, 1.5)], looks=3)
    assert float(same) == pytest.approx(float(plain))


def test_folded_cells_cost_what_is_on_a_path():
    """Costs that are a table of counts, and the same table of the operations on a path, standardised."""
    rows = torch.randint(5, (90, 6), generator=torch.Generator().manual_seed(0)).tolist()
    space = graphs_of(*(cells.cell_201([cells.OPS_201[o] for o in row], executed=True) for row in rows))
    groups = feature_groups(space, 0)
    entries = torch.arange(groups["counts"].shape[1]).double()
    weight = torch.cat([entries, torch.zeros(sum(x.shape[1] for x in groups.values()) - len(entries))])
    beside = (torch.cat(list(groups.values()), 1) @ folded(groups, weight))[:, 0]
    live, whole = groups["live"] @ entries, groups["counts"] @ entries
    expected = live / live.std(correction=0) - whole / whole.std(correction=0)
    assert (live - whole).abs().max() > 1
    assert torch.corrcoef(torch.stack([beside, expected]))[0, 1] > 0.999


def test_more_labels_of_the_new_device_order_unseen_chains_better():
    none, ten, many = (on_unseen("device_gp", n, {}) for n in (0, 10, 100))
    assert 0.3 < none < many and ten < many
    assert many > 0.95


def test_few_labels_leave_an_order_much_as_it_is_without_any():
    assert min(on_unseen("device_gp", n) for n in (1, 2, 3)) > on_unseen("device_gp", 0) - 0.1


def test_the_share_that_sources_leave_of_one_another():
    x = torch.randn(400, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    apart = torch.linalg.qr(torch.cat([x, torch.roll(x, 1), torch.ones_like(x)], 1))[0].flip(1)[:, 1:]
    apart = apart - apart.mean(0)
    assert device_gp._left(apart) == pytest.approx(1, abs=0.02)
    assert device_gp._left(x) == 1  # alone: nothing to be explained by
    assert device_gp._left(torch.cat([x, 2 * x], 1)) == pytest.approx(0.02)  # the least


def test_the_scale_of_few_labels_is_near_that_of_the_sources():
    """Sources deviate by a tenth and two fifths of their means: by a fifth, geometrically."""
    mean, spread = torch.tensor([10.0, 5.0]).double(), torch.tensor([1.0, 2.0]).double()
    one, many = torch.tensor([100.0]).double(), 100 + torch.tensor([-1.0, 1.0]).double().repeat(300)
    assert device_gp._scale(one, mean, spread) == (100, pytest.approx((3 * 20**2 / 4) ** 0.5))
    assert device_gp._scale(many, mean, spread)[1] == pytest.approx(((3 * 400 + 600) / 603) ** 0.5)
    assert device_gp._scale(one, mean[:0], spread[:0]) == (100, 1)


def test_the_look_up_table_by_place_is_exact_on_summed_tables_and_the_plain_one_is_not():
    graphs, y = few_shot(400)
    exact, plain = (base.load("layerwise")({"places": places}, "cost") for places in (True, False))
    exact.fit(graphs, y)
    plain.fit(graphs, y)
    unseen, true = SPACE[400:], tables("new")[400:]
    error = [(p.predict(unseen) / true - 1).abs().max() for p in (exact, plain)]
    assert error[0] < 0.02 < error[1]
