"""What NN-Former looks at: weights within the masks, siblings by hand, and the picture."""

import polars as pl
import pytest
import torch

from pipeline.convert import synthetic201
from pipeline.core import io, table_checks
from pipeline.core.errors import BenchError
from pipeline.core.graphs import from_frame
from pipeline.report.plots import attention as attention_plot
from pipeline.report.plots import style
from pipeline.spaces import cells
from pipeline.split import splits
from pipeline.train import attention
from predictors.nn_former import MASKS, Predictor
from tests.helpers.cell_graphs import small_space, synthetic_labels

DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3)]


def test_siblings_of_a_diamond_by_hand():
    """1 and 2 share the parent 0 and the child 3."""
    assert attention_plot.siblings(4, DIAMOND) == ([(1, 2)], [(1, 2)])
    assert attention_plot.siblings(4, [(0, 2), (1, 2), (2, 3)]) == ([(0, 1)], [])


def test_the_layout_goes_down_and_keeps_nodes_apart():
    places = attention_plot.layout(4, DIAMOND)
    assert places[:, 1].tolist() == [0, -1, -1, -2] and places[1, 0] < 0 < places[2, 0]
    assert len({tuple(place) for place in places}) == 4


def test_the_richest_cell_by_hand():
    """Six operations beat five; of two and three kinds of operations three win, and then the larger label."""
    three, two, five = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1"), ("nor_conv_3x3", "skip_connect"), ("none",)
    rows = [[kinds[i % len(kinds)] for i in range(6)] for kinds in (two, three, three)]
    rows.append([*five, *rows[1][1:]])
    frame = cells.graphs_frame(list("abcd"), "nasbench201", [cells.cell_201(row) for row in rows], cells.VOCAB_201)
    graphs = from_frame(frame, {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0})
    assert attention.richest(graphs, torch.tensor([94.0, 92.0, 93.0, 95.0])) == 2


@pytest.fixture(scope="module")
def trained():
    graphs = small_space(60)
    predictor = Predictor({"steps": 20, "layers": 2, "tokens": False, "pretrain_steps": 12})
    predictor.fit(graphs[:40], synthetic_labels(graphs, "accuracy")[:40])
    return predictor, graphs


def test_attention_keeps_to_the_masks_and_sums_to_one(trained):
    predictor, graphs = trained
    at = attention.richest(graphs, torch.zeros(len(graphs)))
    graph = graphs[at : at + 1]
    assert int(graph.n_nodes) == int(graphs.n_nodes.max())
    weights = attention.attention(predictor, graph)
    n = int(graph.n_nodes)
    assert weights.shape == (2, 4, n, n)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 4, n), atol=1e-5)
    rows = attention.table(weights, graph, MASKS)
    assert rows.height == 2 * 4 * n * n and rows.filter(~pl.col("allowed"))["weight"].max() == 0.0
    edges = set(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    along = rows.filter(pl.col("mask") == "adj", "allowed", block=0).select("node", "other").iter_rows()
    assert {(i, j) for i, j in along if i != j} == edges


@torch.no_grad()
def test_the_weights_are_those_the_model_uses(trained):
    """They mix the values into what every attention layer gives out."""
    predictor, graphs = trained
    graph = graphs[:1]
    calls = []
    hooks = [
        block.attention.register_forward_hook(lambda module, inputs, output: calls.append((module, inputs, output)))
        for block in predictor.module.blocks
    ]
    weights = attention.attention(predictor, graph)
    for hook in hooks:
        hook.remove()
    n = int(graph.n_nodes)
    for (module, (x, *_), output), weight in zip(calls, weights, strict=True):
        x, output = x.clone(), output.clone()
        values = module.qkv(x)[:, 2 * x.shape[1] :].view(n, module.heads, -1)
        mixed = torch.einsum("hij,jhd->ihd", weight, values).flatten(1)
        assert torch.allclose(module.out(mixed), output, atol=1e-5)


def test_looking_changes_no_prediction(trained):
    predictor, graphs = trained
    before = predictor.predict(graphs)
    attention.attention(predictor, graphs[:1])
    assert torch.equal(predictor.predict(graphs), before)
    assert not any(block.attention._forward_pre_hooks for block in predictor.module.blocks)


def test_tokens_are_left_out():
    graphs = small_space(30)
    predictor = Predictor({"steps": 5, "layers": 1, "pretrain_steps": 12})
    predictor.fit(graphs[:20], synthetic_labels(graphs, "accuracy")[:20])
    weights = attention.attention(predictor, graphs[:1])
    n = int(graphs.n_nodes[0])
    assert weights.shape == (1, 4, n, n) and (weights.sum(-1) < 1).all()


def test_the_picture_shows_the_mean_over_blocks(trained, tmp_path):
    predictor, graphs = trained
    weights = attention.attention(predictor, graphs[:1])
    about = {
        "kind": "attention", "dataset": "synthetic", "dataset_version": "0", "target": "test_acc", "n_train": 40,
        "true": 90.0, "predicted": 91.25, "seed": 0, "network": "a cell",
        "ops": [graphs.vocab[op] for op in graphs[:1].op.tolist()],
        "edges": torch.stack([graphs[:1].src, graphs[:1].dst], 1).tolist(), "host_cpu": "Test CPU",
        "torch_version": "0", "code_rev": "abc1234",
    }  # fmt: skip
    io.write_parquet(tmp_path / "seen.parquet", attention.table(weights, graphs[:1], MASKS), about)
    with style.style():
        drawn, made_with = attention_plot.picture(tmp_path / "seen.parquet", {"synthetic"})
        words = [t.get_text() for t in drawn.figure.findobj(style.matplotlib.text.Text)]
    shown = drawn.data.sort("head", "node", "other")["weight"].to_numpy()
    assert shown == pytest.approx(weights.mean(0).flatten().numpy(), abs=1e-6)
    assert "code abc1234" in made_with and any("SYNTHETIC" in word for word in words)
    assert any("test_acc 90.00, predicted 91.25" in word for word in words)
    assert {"Head 3: siblings with a child in common", "Head 4: siblings with a parent in common"} <= set(words)


def test_another_table_is_refused(tmp_path):
    io.write_parquet(tmp_path / "other.parquet", pl.DataFrame({"a": [1]}), {"kind": "scores"})
    with pytest.raises(BenchError, match=r"other\.parquet: not a table of attention; delete it"):
        attention_plot.picture(tmp_path / "other.parquet")


def test_the_command_on_the_synthetic_cells(tmp_path, monkeypatch):
    synthetic201.convert(tmp_path, tmp_path / "data")
    _, meta = table_checks.read_graphs(tmp_path / "data/graphs.parquet")
    split, about = splits.make_split(300, "synthetic201", 0), {"dataset": "synthetic201", "seed": 0}
    table_checks.write(tmp_path / "0.parquet", split, about, meta["content"])
    arguments = ["synthetic201", "test_acc", "nn_former", "n40", "--overrides", '{"steps": 5, "pretrain_steps": 12}']
    places = ["--data", tmp_path / "data", "--split", tmp_path / "0.parquet", "--out", tmp_path / "seen.parquet"]
    monkeypatch.setattr("sys.argv", ["seen", *arguments, *map(str, places)])
    attention.main()
    about = io.read_meta(tmp_path / "seen.parquet")
    assert (about["n_train"], about["dataset"], len(about["ops"])) == (40, "synthetic201", 8)
    with style.style():
        drawn, made_with = attention_plot.picture(tmp_path / "seen.parquet")
        paths = style.save(drawn, made_with, tmp_path / "picture.png", tmp_path / "picture.svg")
    assert all(path.is_file() for path in paths)
