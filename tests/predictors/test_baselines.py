"""What NAO, ReNAS, CTNAS and the Gaussian process see and compute, against hand-worked values."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm

from pipeline.spaces import cells
from predictors import base
from predictors.gp import subtrees
from predictors.kit.features import normal_scores
from predictors.nao import NAO, spelling
from predictors.nao import Predictor as NAOPredictor
from predictors.renas import costs, images, table
from tests.helpers.cell_graphs import EMPTY, TWO_WAYS, graphs_of, small_space, synthetic_labels
from tests.helpers.onnx_graphs import generated

GRAPHS, N_TRAIN = small_space(90), 40
V = len(cells.VOCAB_201)
INPUT, OUTPUT, SKIP, CONV1, CONV3, POOL = range(V)


def test_a_cell_is_spelled_as_sources_and_operations_in_turn():
    """Tokens: operation o is o + 1, place p is V + 1 + p."""
    tokens = spelling(graphs_of(TWO_WAYS, EMPTY).dense(), V)
    place = [V + 1 + p for p in range(5)]
    nodes = [[INPUT + 1], [place[0], CONV3 + 1], [place[0], SKIP + 1], [place[2], CONV1 + 1]]
    expected = [t for node in nodes for t in node] + [place[1], place[3], OUTPUT + 1]
    assert tokens[0].tolist() == expected
    assert tokens[1].tolist() == [INPUT + 1, OUTPUT + 1] + [0] * (len(expected) - 2)


def test_padding_is_not_spelled_and_changes_no_code():
    torch.manual_seed(0)
    model = NAO(1 + V + 64, NAOPredictor.Config()).eval()
    tokens = spelling(graphs_of(TWO_WAYS).dense(), V)
    wide = torch.nn.functional.pad(tokens, (0, 4))
    (steps, code), (wide_steps, wide_code) = model.encode(tokens), model.encode(wide)
    torch.testing.assert_close(wide_code, code)
    torch.testing.assert_close(model.spelled(wide, wide_steps, wide_code), model.spelled(tokens, steps, code))
    torch.testing.assert_close(code.norm(dim=1), torch.ones(1))


def test_the_decoder_learns_to_repeat_the_sequence():
    """Cross-entropy far below that of guessing among the operations."""
    torch.manual_seed(0)
    predictor = NAOPredictor({"steps": 150, "batch_size": 8, "dropout": 0.0, "lr": 0.01})
    train = GRAPHS[:8]
    predictor.fit(train, synthetic_labels(train, "accuracy"))
    tokens = predictor.encode(train.dense())[0]
    with torch.inference_mode():
        loss = predictor.module.spelled(tokens, *predictor.module.encode(tokens))
    assert loss < 0.5 * math.log(V)


def test_images_hold_the_values_of_sources_where_edges_run():
    graphs = graphs_of(TWO_WAYS, EMPTY)
    x = images(graphs, 8)
    assert x.shape == (2, V + 6, 8, 8)
    assert not x[1].any()
    ones = {(i, j): int(x[0, :V, i, j].argmax()) for i, j in x[0, :V].any(0).nonzero().tolist()}
    # nodes 0 to 3 keep their place, the output (node 4) is in the last row and column
    assert ones == {(0, 1): INPUT, (0, 2): INPUT, (1, 7): CONV3, (2, 3): SKIP, (3, 7): CONV1}
    torch.testing.assert_close(x[0, V:, 1, 7], torch.ones(6))
    assert images(graphs, 8, one_hot=False)[0, 0, 2, 3] == SKIP + 1
    small = images(graphs, 3)  # nodes 2 and 3 are cut off, the output is not
    assert small[0, :V].any(0).nonzero().tolist() == [[0, 1], [1, 2]]


def test_costs_of_operations_by_name():
    """One convolution 1 x 1 costs a ninth of one 3 x 3; pooling 9 C of 9 C^2, without weights."""
    t = table(cells.VOCAB_201)
    assert not t[[INPUT, OUTPUT, SKIP]].any()
    torch.testing.assert_close(t[CONV3], torch.ones(6))
    torch.testing.assert_close(t[CONV1], torch.full((6,), 1 / 9))
    torch.testing.assert_close(t[POOL], torch.tensor([1 / 16, 1 / 32, 1 / 64, 0, 0, 0]))
    assert table(cells.VOCAB_101)[cells.VOCAB_101.index("conv3x3-bn-relu")].tolist() == [1.0] * 6


def test_networks_bring_their_own_costs():
    graphs = generated(30)[:3]
    flops = graphs.attrs[:, graphs.attr_names.index("flops")]
    torch.testing.assert_close(costs(graphs)[:, 0], (1 + flops).log() / 20)


def trained(name: str, settings: dict) -> base.BasePredictor:
    predictor = base.load(name)({"steps": 60, "batch_size": 32, **settings}, "accuracy", 1)
    predictor.fit(GRAPHS[:N_TRAIN], synthetic_labels(GRAPHS[:N_TRAIN], "accuracy"))
    return predictor


@pytest.mark.parametrize("head", [0, 8])
def test_scores_are_mean_chances_against_the_references(head):
    module = trained("ctnas", {"head": head, "references": 16}).module
    assert module.references.shape[0] == 16
    inputs = base.load("ctnas")({}).encode(GRAPHS.dense())
    with torch.inference_mode():
        a, scores = module.features(*inputs), module(*inputs)
        chances = [[float(module.against(a[i : i + 1], r[None]).sigmoid()) for r in module.references] for i in (0, 50)]
    torch.testing.assert_close(scores[[0, 50]], torch.tensor(chances).mean(1))


def test_a_linear_comparator_orders_cells_whatever_it_compares_them_with():
    """Its logit is s(a) + t(b)."""
    module = trained("ctnas", {"head": 0, "references": 16}).module
    inputs = base.load("ctnas")({}).encode(GRAPHS.dense())
    with torch.inference_mode():
        order = module.left(module.features(*inputs))[:, 0].argsort(stable=True)
        assert (module(*inputs)[order].diff() >= -1e-6).all()


def test_the_comparator_learns_which_cell_wins():
    predictor = trained("ctnas", {"steps": 200, "lr": 0.005})
    y = synthetic_labels(GRAPHS, "accuracy")
    p = predictor.predict(GRAPHS)
    better = y[:, None] > y[None]
    assert ((p[:, None] > p[None])[better]).float().mean() > 0.85


def test_normal_scores_share_ties():
    z = torch.tensor([3.0, 1.0, 1.0, -50.0])
    expected = torch.tensor(norm.ppf([0.875, 0.5, 0.5, 0.125]))
    torch.testing.assert_close(normal_scores(z), expected)


def test_subtrees_tell_surroundings_apart_and_nothing_else():
    """Two drawings of one cell have the same hashes; a node's hash of radius r knows what is r edges away, not more."""
    chain = [
        cells.Cell(("input", a, b, c, "output"), ((0, 1), (1, 2), (2, 3), (3, 4)))
        for a, b, c in (
            ("skip_connect", "nor_conv_1x1", "nor_conv_3x3"),
            ("skip_connect", "nor_conv_1x1", "avg_pool_3x3"),
        )
    ]
    redrawn = cells.Cell(
        ("input", "skip_connect", "nor_conv_3x3", "nor_conv_1x1", "output"), ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4))
    )
    levels = subtrees(graphs_of(*chain, TWO_WAYS, redrawn), 2)
    first, second = slice(0, 5), slice(5, 10)
    same = [(level[first] == level[second]).tolist() for level in levels]
    assert same == [
        [True, True, True, False, True],
        [True, True, False, False, False],
        [True, False, False, False, False],
    ]
    for level in levels:
        assert sorted(level[10:15].tolist()) == sorted(level[15:20].tolist())


def test_parents_and_children_are_not_the_same():
    before = cells.Cell(("input", "skip_connect", "nor_conv_1x1", "output"), ((0, 1), (1, 2), (2, 3)))
    after = cells.Cell(("input", "nor_conv_1x1", "skip_connect", "output"), ((0, 1), (1, 2), (2, 3)))
    level = subtrees(graphs_of(before, after), 1)[1]
    assert not set(level[:4].tolist()) & set(level[4:].tolist())


def test_the_process_returns_to_its_training_labels():
    """Close to them where there is next to no noise, and in their order."""
    y = synthetic_labels(GRAPHS[:N_TRAIN], "cost")
    predictor = base.load("gp")({"depth": 2}, "cost")
    predictor.fit(GRAPHS[:N_TRAIN], y)
    torch.testing.assert_close(predictor.predict(GRAPHS[:N_TRAIN]), y, rtol=0.02, atol=0)


def test_it_learns_from_no_more_labels_than_it_may():
    predictor = base.load("gp")({"most": 10}, "accuracy")
    predictor.fit(GRAPHS[:N_TRAIN], synthetic_labels(GRAPHS[:N_TRAIN], "accuracy"))
    assert predictor.n_params == 12
