"""Transformers over cells: their encodings by hand, their fast forms against plain ones, cells without labels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Dense
from pipeline.core.names import known_predictors
from predictors import base
from predictors.arch2vec import likeliest
from predictors.flowerformer import Predictor as FlowerPredictor
from predictors.flowerformer import Sweep, generations
from predictors.graph_transformer import Predictor as GraphTransformerPredictor
from predictors.graphormer import FAR, NO_PATH, distances
from predictors.kit.cells import CellPredictor
from predictors.kit.encodings import eigenvectors, laplacian_rows, shortest_paths
from predictors.kit.layers import Packing
from predictors.kit.pool import inner_nodes, mutated, on_a_path
from predictors.nar_former import NARFormer, random_order, sinusoids
from predictors.nar_former import Predictor as NARFormerPredictor
from predictors.pinat import InvariantModule
from predictors.tnasp import Predictor as TNASPPredictor
from predictors.tnasp import guess
from tests.helpers.cell_graphs import DIAMOND, adjacency, small_space
from tests.helpers.onnx_graphs import generated, made_up_latency

CELLS = small_space(90).dense()
KITE = [(0, 1), (1, 2), (0, 3), (2, 3), (3, 4)]  # a short and a long way from 0 to 3
CELL_PREDICTORS = [n for n in known_predictors() if issubclass(base.load(n), CellPredictor)] + ["arch2vec"]


def test_shortest_paths_of_a_kite():
    expected = [[0, 1, 2, 1, 2], [-1, 0, 1, 2, 3], [-1, -1, 0, 1, 2], [-1, -1, -1, 0, 1], [-1, -1, -1, -1, 0]]
    assert shortest_paths(adjacency(KITE, 5))[0].tolist() == expected


def test_generations_are_longest_paths():
    assert generations(adjacency(KITE, 5))[0].tolist() == [0, 1, 2, 3, 4]
    assert generations(adjacency(DIAMOND, 4))[0].tolist() == [0, 1, 1, 2]


def test_laplacian_rows_of_a_diamond():
    rows = laplacian_rows(adjacency(DIAMOND, 4), 6)[0]
    assert rows.tolist() == [[2, -1, -1, 0, 0, 0], [0, 1, 0, -1, 0, 0], [0, 0, 1, -1, 0, 0], [0] * 6]


def test_graphormer_codes_tell_both_ways_and_no_way():
    codes = distances(adjacency(DIAMOND, 4))[0]
    assert codes[0].tolist() == [FAR, FAR + 1, FAR + 1, FAR + 2]
    assert codes[3].tolist() == [FAR - 2, FAR - 1, FAR - 1, FAR]
    assert codes[1, 2] == codes[2, 1] == NO_PATH


def test_eigenvectors_do_not_depend_on_padding():
    """Three equal branches leave the solver a choice of basis, which padding must not change."""
    star = adjacency([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)], 5)
    alone = eigenvectors(star, torch.ones(1, 5, dtype=torch.bool), 4)
    padded = torch.zeros(1, 9, 9, dtype=torch.bool)
    padded[0, :5, :5] = star[0]
    beside = eigenvectors(padded, torch.arange(9)[None] < 5, 4)
    assert torch.equal(beside[:, :5], alone)
    assert not beside[:, 5:].any()


def test_graph_transformer_sees_neighbours_and_itself():
    dense = Dense(torch.zeros(1, 4, dtype=torch.long), adjacency(DIAMOND, 4), torch.ones(1, 4, dtype=torch.bool))
    allowed = GraphTransformerPredictor().encode(dense)[1][0]
    assert allowed.int().tolist() == [[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]]


def test_flow_attention_leaves_out_parallel_nodes():
    dense = Dense(torch.zeros(1, 4, dtype=torch.long), adjacency(DIAMOND, 4), torch.ones(1, 4, dtype=torch.bool))
    flow = FlowerPredictor().encode(dense)[3][0]
    assert flow.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1]]


def plain_sweep(sweep: Sweep, x: Tensor, heard: Tensor, level: Tensor) -> Tensor:
    """One graph, node by node in the order of its level."""
    out: dict[int, Tensor] = {}
    for node in level.argsort().tolist():
        neighbours = heard[node].nonzero()[:, 0].tolist()
        message = torch.zeros(x.shape[1])
        if neighbours:
            state = torch.stack([out[other] for other in neighbours])
            message = sweep.score(state)[:, 0].softmax(0) @ state
        out[node] = sweep.unit(x[node][None], message[None])[0]
    return torch.stack([out[node] for node in range(len(x))])


@pytest.mark.parametrize("against", [False, True])
def test_sweep_equals_node_by_node(against):
    torch.manual_seed(0)
    sweep = Sweep(8)
    x, mask = torch.randn(20, 8, 8), torch.arange(8) < torch.randint(2, 9, (20, 1))
    adj = ((torch.rand(20, 8, 8) < 0.3) & mask[:, None] & mask[:, :, None]).triu(1)
    level = torch.where(mask, generations(adj), -1)
    turns = [(level.flatten() == step).nonzero()[:, 0] for step in range(int(level.max()) + 1)]
    heard = adj if against else adj.mT
    fast = sweep(x.flatten(0, 1), heard, turns[::-1] if against else turns).view(20, 8, 8)
    for graph in range(20):
        n = int(mask[graph].sum())
        order = -level[graph, :n] if against else level[graph, :n]
        plain = plain_sweep(sweep, x[graph, :n], heard[graph, :n, :n], order)
        torch.testing.assert_close(fast[graph, :n], plain, rtol=1e-5, atol=1e-6)
        assert not fast[graph, n:].any()


def test_random_orders_keep_the_direction_and_reach_every_order():
    order = random_order(CELLS.adj, CELLS.mask)
    graph = torch.arange(len(order))[:, None, None]
    adj = CELLS.adj[graph, order[:, :, None], order[:, None, :]]
    assert not adj.tril().any()
    assert torch.equal(order.sort(1).values, torch.arange(order.shape[1]).expand_as(order))
    assert torch.equal(CELLS.mask.gather(1, order), CELLS.mask)
    many = random_order(adjacency(DIAMOND, 4).expand(64, -1, -1), torch.ones(64, 4, dtype=torch.bool))
    assert {tuple(o) for o in many.tolist()} == {(0, 1, 2, 3), (0, 2, 1, 3)}


def test_nar_former_tokens_of_a_diamond():
    model = NARFormer(6, NARFormerPredictor({"dim": 24, "heads": 2}).config)
    op = torch.tensor([[0, 2, 3, 1]])
    tokens = model.tokens(op, adjacency(DIAMOND, 4), torch.ones(1, 4, dtype=torch.bool))[0]
    assert tokens.shape == (5, 24)
    code = sinusoids(-1, 5, 8)
    torch.testing.assert_close(tokens[3, :8], sinusoids(3, 3, 8)[0])  # node 2 does operation 3
    torch.testing.assert_close(tokens[3, 8:16], code[3])
    torch.testing.assert_close(tokens[4, 16:], code[2] + code[3])  # node 3 hears nodes 1 and 2
    torch.testing.assert_close(tokens[1, 16:], code[0])  # node 0 hears none: -1
    assert code[1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_pinat_module_knows_no_order_of_nodes():
    torch.manual_seed(0)
    module, mask = InvariantModule(5, 4, 2, 6), torch.ones(1, 5, dtype=torch.bool)
    x, heard, rows = torch.randn(5, 5), adjacency(KITE, 5).mT.float() + torch.eye(5), Packing(mask)
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = module(x[order], heard[:, order][:, :, order], rows)
    torch.testing.assert_close(moved, module(x, heard, rows)[order])


def test_mutated_cells_are_whole_and_new():
    before = Dense(CELLS.op.clone(), CELLS.adj.clone(), CELLS.mask.clone())
    made = mutated(CELLS, 400, 3, torch.Generator().manual_seed(0))
    size = made.mask.sum(1)
    ends = torch.arange(400)
    whole = on_a_path(made.adj, size)
    connected = made.adj.flatten(1).any(1)
    assert (whole | ~made.mask)[connected].all()
    assert not made.adj.tril().any()
    assert not (made.adj & ~(made.mask[:, :, None] & made.mask[:, None, :])).any()
    assert (made.op[:, 0] == 0).all() and (made.op[ends, size - 1] == 1).all()
    assert set(made.op[inner_nodes(made.mask)].tolist()) <= set(CELLS.op[inner_nodes(CELLS.mask)].tolist())
    known = {(tuple(o), tuple(a)) for o, a in zip(CELLS.op.tolist(), CELLS.adj.flatten(1).int().tolist(), strict=True)}
    new = {(tuple(o), tuple(a)) for o, a in zip(made.op.tolist(), made.adj.flatten(1).int().tolist(), strict=True)}
    assert len(new - known) > 100
    for part in ("op", "adj", "mask"):
        assert torch.equal(getattr(before, part), getattr(CELLS, part))


def test_guessed_labels_keep_past_errors():
    """Both past predictions were off by 1 in the mean square: the label lies between them."""
    past = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    torch.testing.assert_close(guess(past, torch.tensor([1.0, 1.0])), torch.ones(2), rtol=0, atol=1e-2)
    torch.testing.assert_close(guess(past[:1], torch.zeros(1)), past[0])


def test_self_evolution_needs_labels_in_their_units():
    with pytest.raises(BenchError, match="evolution needs one of the losses"):
        TNASPPredictor({"preset": "se", "loss": "bce"})


def test_likeliest_noise_is_small_for_a_curve_and_large_for_noise():
    x = torch.linspace(0, 6, 60, dtype=torch.float64)[:, None]
    length, noise = likeliest(x, x[:, 0].sin())
    assert noise == 1e-4 and math.isfinite(length)
    drawn = torch.randn(60, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert likeliest(x, drawn)[1] == 1.0


@pytest.mark.parametrize("name", CELL_PREDICTORS)
def test_networks_are_unsupported(name):
    networks = generated(4)
    with pytest.raises(base.Unsupported, match="it predicts cells"):
        base.load(name)({}, "cost").fit(networks, made_up_latency(networks))
