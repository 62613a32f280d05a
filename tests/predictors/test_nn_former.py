"""NN-Former: hand-worked masks, and the fast form against the plain one of the paper's equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.core.errors import BenchError
from predictors.kit.encodings import laplacian_encoding
from predictors.kit.nn_former_cells import NNFormer, attention_masks, with_tokens
from predictors.nn_former import Predictor
from tests.helpers.cell_graphs import DIAMOND, adjacency, small_space


def pairs(mask: Tensor) -> set[tuple[int, int]]:
    return {(i, j) for i, j in mask.nonzero().tolist() if i != j}


def test_masks_of_a_diamond():
    """0 -> {1, 2} -> 3: the middle nodes share a parent and a child, no other pair does."""
    real = torch.ones(1, 4, dtype=torch.bool)
    masks = attention_masks(adjacency(DIAMOND, 4), real, ("adj", "adj_t", "share_child", "share_parent", "global"))[0]
    assert pairs(masks[0]) == set(DIAMOND)
    assert pairs(masks[1]) == {(j, i) for i, j in DIAMOND}
    assert pairs(masks[2]) == {(1, 2), (2, 1)}
    assert pairs(masks[3]) == {(1, 2), (2, 1)}
    assert masks[4].all()
    assert masks.diagonal(dim1=-2, dim2=-1).all()


def test_sibling_kinds_differ_where_only_one_end_is_shared():
    """0 -> 1, 0 -> 2 share a parent; 1 -> 3, 4 -> 3 share a child."""
    masks = attention_masks(
        adjacency([(0, 1), (0, 2), (1, 3), (4, 3)], 5),
        torch.ones(1, 5, dtype=torch.bool),
        ("share_child", "share_parent"),
    )[0]
    assert pairs(masks[0]) == {(1, 4), (4, 1)}
    assert pairs(masks[1]) == {(1, 2), (2, 1)}


def test_tokens_do_not_make_siblings_of_all_nodes():
    """The masks inside the model keep the bare adjacency's siblings among real nodes."""
    seen = []
    predictor = Predictor({"tokens": True, "layers": 1, "dim": 16})
    model = predictor.build(4)
    model.blocks[0].attention.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    adj, real = adjacency(DIAMOND, 4), torch.ones(1, 4, dtype=torch.bool)
    masks = attention_masks(adj, real, predictor.config.masks)
    model(torch.tensor([[0, 1, 2, 3]]), adj, masks, real)
    allowed = torch.isfinite(seen[0][0])
    assert torch.equal(allowed[:, 2:, 2:], masks[0])
    assert allowed[:, :2].all() and allowed[:, :, :2].all()


def plain_forward(model: NNFormer, op: Tensor, adj: Tensor, position: Tensor | None = None) -> Tensor:
    """One graph, no padding, the paper's equations term by term; masks and products made anew in every layer."""
    c = model.c
    x = model.embed.weight[op]
    if position is not None:
        x = x + model.position(position)
    a = adj.float()
    if c.tokens:
        x = torch.cat([model.class_token[0], model.depth_token.weight[None, len(op)], x])
    if c.published:
        x = F.layer_norm(x, (c.dim,), model.embed_norm.weight, model.embed_norm.bias)
    n, extra = len(x), len(x) - len(op)
    for block in model.blocks:
        y = block.norm1(x)
        heads = []
        kinds = {
            "adj": a,
            "adj_t": a.T,
            "share_child": a @ a.T,
            "share_parent": a.T @ a,
            "global": torch.ones_like(a),
        }
        masks = {}
        for kind in c.masks:
            masks[kind] = torch.ones(n, n)
            masks[kind][extra:, extra:] = ((kinds[kind] > 0) | torch.eye(len(op), dtype=torch.bool)).float()
        for h in range(c.heads):
            d = c.dim // c.heads
            rows = slice(h * d, (h + 1) * d)
            wq, wk, wv = model_chunks(block.attention.qkv.weight, rows)
            bq, bk, bv = (None,) * 3 if c.published else model_chunks(block.attention.qkv.bias, rows)
            q, k, v = F.linear(y, wq, bq), F.linear(y, wk, bk), F.linear(y, wv, bv)
            score = q @ k.T / math.sqrt(d)
            if c.soft:
                *held, itself = block.relations[h]
                score = (
                    score + sum(w * masks[kind] for w, kind in zip(held, c.masks, strict=True)) + itself * torch.eye(n)
                )
            else:
                score = score.masked_fill(masks[c.masks[h % len(c.masks)]] == 0, -torch.inf)
            heads.append(score.softmax(-1) @ v)
        x = x + block.attention.out(torch.cat(heads, -1))
        y = block.norm2(x)
        big = torch.zeros(n, n)  # no edge leads to a token
        big[extra:, extra:] = a
        halves = []
        for up, along in zip(block.ffn.up, (big, big.T), strict=True):
            if c.ffn == "plain":
                halves.append(up(y))
                continue
            along = {"both": along, "adj": big, "adj_t": big.T}[c.ffn]
            own, graph = up.weight[:, : c.dim], up.weight[:, c.dim :]
            shift = 0 if c.published else up.bias
            halves.append(y @ own.T + shift + along @ (y @ graph.T))
        x = x + block.ffn.down(F.relu(torch.cat(halves, -1)))
    x = model.norm(x)
    if c.tokens:
        return model.head(x[0]).squeeze(-1)
    return model.head(x.mean(0) if c.published else torch.cat([x.mean(0), x[-1]])).squeeze(-1)


def model_chunks(weight: Tensor, rows: slice) -> list[Tensor]:
    return [part[rows] for part in weight.chunk(3)]


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"preset": "paper", "layers": 3},
        {"preset": "released", "layers": 2, "heads": 8},
        {"preset": "released", "layers": 2, "dim": 32, "tokens": False},
        {"ffn": "plain", "masks": ["global"]},
        {"ffn": "adj", "masks": ["adj", "adj_t"]},
        {"ffn": "adj_t", "laplacian": 3},
        {"soft": True},
        {"tokens": True, "masks": ["adj", "share_child"]},
    ],
    ids=str,
)
def test_fast_form_equals_the_plain_form(overrides):
    torch.manual_seed(0)
    predictor = Predictor(overrides)
    graphs = small_space(40, seed=5)
    dense = graphs.dense()
    model = predictor.build(len(graphs.vocab)).eval()
    for block in model.blocks:
        if predictor.config.soft:
            torch.nn.init.normal_(block.relations)
    if predictor.config.published:  # at their own scale of 0.02 the answers of all graphs are nearly alike
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    inputs = predictor.encode(dense)
    with torch.inference_mode():
        fast = model(*inputs)
        for g in range(len(graphs)):
            n = int(graphs.n_nodes[g])
            position = inputs[4][g, :n] if predictor.config.laplacian else None
            plain = plain_forward(model, dense.op[g, :n], dense.adj[g, :n, :n], position)
            torch.testing.assert_close(fast[g], plain.reshape(()), rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing():
    predictor = Predictor({"tokens": True})
    graphs = small_space(20, seed=2)
    model = predictor.build(len(graphs.vocab)).eval()
    with torch.inference_mode():
        tight, wide = (model(*predictor.encode(graphs.dense(size))) for size in (8, 14))
    torch.testing.assert_close(tight, wide, rtol=1e-5, atol=1e-5)


def test_an_isomorphic_drawing_gets_the_same_prediction():
    predictor = Predictor()
    model = predictor.build(4).eval()
    adj, real = adjacency([(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)], 4), torch.ones(1, 4, dtype=torch.bool)
    order = torch.tensor([0, 2, 1, 3])
    op = torch.tensor([[0, 2, 3, 1]])
    from pipeline.core.graphs import Dense

    with torch.inference_mode():
        one = model(*predictor.encode(Dense(op, adj, real)))
        two = model(*predictor.encode(Dense(op[:, order], adj[:, order][:, :, order], real)))
    torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


def test_paper_preset_has_the_published_size():
    """12 layers of 160: about 4.9 M parameters."""
    model = Predictor({"preset": "paper"}).build(6)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(4.9e6, rel=0.02)


@pytest.mark.parametrize(
    "overrides", [{"masks": ["uncles"]}, {"masks": []}, {"heads": 3}, {"dim": 30}, {"ffn": "sideways"}], ids=str
)
def test_impossible_settings_are_one_clear_error(overrides):
    with pytest.raises(BenchError, match="nn_former"):
        Predictor(overrides)


def test_released_sibling_heads_see_everything():
    """The released code adds its tokens before it forms A A^T and A^T A, so every pair of nodes shares them."""
    predictor = Predictor({"preset": "released"})
    adj, real = adjacency(DIAMOND, 4), torch.ones(1, 4, dtype=torch.bool)
    a = with_tokens(attention_masks(adj, real, ("adj",)), real)[0, 0].float()
    used = with_tokens(attention_masks(adj, real, predictor.config.masks), real)[0]
    assert torch.equal(used[2], a @ a.T > 0) and torch.equal(used[3], a.T @ a > 0)


def test_published_labels_are_fractions_less_a_half():
    assert Predictor({"preset": "paper"}).standardise(torch.tensor([90.0, 91.0])) == (50.0, 100.0)
    assert Predictor({"preset": "paper"}, task="cost").standardise(torch.tensor([1.0, 1.0])) == (0.0, 1.0)


def test_laplacian_encoding_of_a_path():
    """A path of 3: eigenvectors of the normalised Laplacian are (1, 0, -1) / sqrt 2 and (1, -sqrt 2, 1) / 2."""
    adj = torch.nn.functional.pad(adjacency([(0, 1), (1, 2)], 3), (0, 2, 0, 2))
    mask = torch.tensor([[True, True, True, False, False]])
    code = laplacian_encoding(adj, mask, 4)[0]
    assert code.shape == (5, 4)
    assert code[3:].abs().max() == 0 and code[:, 2:].abs().max() == 0
    torch.testing.assert_close(code[:3, 0].abs(), torch.tensor([0.5**0.5, 0.0, 0.5**0.5]), atol=1e-6, rtol=0)
    torch.testing.assert_close(code[:3, 1], torch.tensor([-0.5, 0.5**0.5, -0.5]), atol=1e-6, rtol=0)
