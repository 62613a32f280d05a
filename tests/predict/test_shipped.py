"""The predictors that come with the package: small, the same answers as when they were made, held to what they say."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from pipeline.config import datasets
from pipeline.convert import _timm
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.graphs import from_frame
from pipeline.core.paths import ROOT
from pipeline.predict import lean_trees, neighbours, one_network, saved, ship
from pipeline.predict.interval import Errors, Pairs
from pipeline.predict.model import Model
from pipeline.split import splits

KEPT = ROOT / "data/kept/timm_latency/networks.parquet"
MOST_BYTES = 3 * 10**6


@pytest.fixture(scope="module")
def kept():
    """All graphs of the data set's networks."""
    frame, meta = io.read_parquet(KEPT), io.read_meta(KEPT)
    return frame["name"].to_list(), from_frame(frame, meta)


def test_every_chip_is_there_and_all_are_small():
    entries, broken = saved.entries(saved.SHIPPED)
    assert not broken
    assert {entry.device for entry in entries} == set(ship.CHIPS) and len(entries) == len(ship.CHIPS)
    assert {entry.status for entry in entries} == {"ok"}
    files = [path for path in saved.SHIPPED.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert {path.suffix for path in files} == {".json", ".gz", ".safetensors"}


@pytest.mark.parametrize("device", ship.CHIPS)
def test_it_says_what_it_said_when_it_was_made(kept, device):
    names, graphs = kept
    (entry,) = saved.shipped(device)
    predictor = one_network.load(entry.folder, entry.predictor)
    assert (list(graphs.vocab), list(graphs.attr_names)) == (entry.vocab, entry.attr_names)
    assert len(entry.examples) == ship.EXAMPLES
    for name, said in entry.examples.items():
        i = names.index(name)
        assert float(predictor.predict(graphs[i : i + 1])[0]) == pytest.approx(said, rel=1e-6)


def test_what_it_says_of_itself(kept):
    count = dict(zip(kept[0], kept[1].n_nodes.tolist(), strict=True))
    columns = neighbours.columns(())
    for entry in saved.shipped():
        version = datasets.get(ship.DATASET).version
        assert (entry.dataset, entry.dataset_version, entry.target) == (ship.DATASET, version, ship.TARGET)
        assert "Apache-2.0" in entry.licence and len(entry.code) == 16
        assert 85 <= entry.tested["coverage"] <= 95 and entry.tested["mape"] < 10
        assert 80 <= entry.left_out["coverage"] <= 97 and len(entry.lineages) >= 7
        assert all(one["n"] >= ship.LEAST for one in entry.lineages.values())
        networks, _ = saved.read_networks(entry)
        assert len(networks.names) == entry.n_train
        assert len(networks.errors.held_out) == entry.tested["n"] == entry.calibration["n"]
        assert networks.errors.left_out.weight.sum() == pytest.approx(len(entry.lineages), rel=1e-5)
        for level in (0.5, 0.8, 0.9, 0.95):
            near, far = networks.errors.half_widths(np.array([0.05, 2.0]), level)
            assert 0 < near < far < 2.5
        nodes = np.expm1(networks.rows[:, columns.index("nodes")]).round()
        assert nodes.tolist() == [count[name] for name in networks.names]
        holds = f"{entry.tested['coverage']:.0f} % of them, {entry.left_out['coverage']:.0f} % of lineages left out"
        assert f"90 % interval holds {holds}" in entry.line


def test_the_page_has_the_figures_of_each():
    page = (ROOT / "docs/predict.md").read_text()
    off = warned = both = n = 0
    for entry in saved.shipped():
        tested, left_out, each = entry.tested, entry.left_out, entry.lineages
        least = min(each, key=lambda name: each[name]["coverage"])
        head = [f"`{entry.device}`", f"{entry.n_train:,}", str(tested["n"]), f"{tested['mape']:.1f}"]
        head += [f"{tested['acc10']:.1f}", f"{tested['coverage']:.1f}", f"{tested['factor']:.2f}"]
        worst = f"{least} {each[least]['coverage']:.0f}"
        tail = [f"{left_out['coverage']:.1f}", f"{left_out['factor']:.2f}", worst]
        tail += ["-" if left_out[key] is None else f"{left_out[key]:.0f}" for key in ("precision", "recall")]
        assert f"| {' | '.join([*head, *tail])} |\n" in page
        off, warned = off + left_out["off"], warned + left_out["warned"]
        n += left_out["n"]
        both += sum(one["warned_off"] for one in each.values())
    assert f"{100 * both / warned:.0f} % of the networks with a warning" in page
    assert f"{100 * both / off:.0f} % of those that were had one, where {100 * off / n:.0f} %" in page


@pytest.mark.real_data
def test_held_out_labels_say_the_same(kept, mirror):
    """From timm's own table: the error on held-out networks, and how many of them intervals hold, each half's by those
    that the other makes."""
    path = mirror / "timm/benchmark-infer-amp-nchw-pt291-cu130-5090.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    (entry,) = saved.shipped("rtx5090_amp_nchw_eager_pt291")
    names, graphs = kept
    numbered = json.loads((saved.SHIPPED / saved.SHARED).read_text())["names"]  # in the order of graph_id
    rows = _timm.read_table(path, set(numbered))
    label = dict(zip(rows["name"], rows["step_ms"] / rows["batch_size"], strict=True))
    split = splits.make_split(len(numbered), ship.DATASET, 0, datasets.get(ship.DATASET).test_fraction)
    order = split.filter(role="test").sort("rank")["graph_id"].to_list()
    held_out = [numbered[graph] for graph in order if numbered[graph] in label]
    networks, _ = saved.read_networks(entry)
    assert not set(held_out) & set(networks.names)
    picked = graphs[torch.tensor([names.index(name) for name in held_out])]
    predicted = one_network.load(entry.folder, entry.predictor).predict(picked).numpy()
    true = np.array([label[name] for name in held_out])
    known = networks.errors.held_out
    np.testing.assert_allclose(known.error, np.abs(np.log(true / predicted)), atol=1e-4)
    inside = []
    for half in (0, 1):
        other = Pairs.of(known.distance[1 - half :: 2], known.error[1 - half :: 2])
        widths = Errors(other, networks.errors.left_out).half_widths(known.distance[half::2], 0.9)
        inside += (known.error[half::2] <= widths).tolist()
    assert 100 * np.abs(predicted / true - 1).mean() == pytest.approx(entry.tested["mape"], rel=1e-4)
    assert 100 * np.mean(inside) == pytest.approx(entry.tested["coverage"])


def test_a_chip_names_all_its_platforms_and_a_platform_itself():
    assert [entry.device for entry in saved.shipped("rtx5090")] == [
        "rtx5090_amp_nchw_dynamo_pt291",
        "rtx5090_amp_nchw_eager_pt291",
    ]
    assert [entry.device for entry in saved.shipped(ship.CHIPS[0])] == [ship.CHIPS[0]]
    assert saved.shipped("rtx") == []


@pytest.mark.parametrize("name", [saved.SHARED, saved.NETWORKS, f"{ship.CHIPS[0]}/{one_network.ZIPPED}"])
def test_damage_is_one_line(tmp_path, monkeypatch, name):
    shutil.copytree(saved.SHIPPED, tmp_path / "shipped")
    monkeypatch.setattr(saved, "SHIPPED", tmp_path / "shipped")
    path = tmp_path / "shipped" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BenchError, match="make it again|train it again") as caught:
        Model(saved.shipped(ship.CHIPS[0])[0])
    assert "\n" not in str(caught.value)


def test_a_damaged_one_is_named_and_the_others_answer(tmp_path, monkeypatch):
    shutil.copytree(saved.SHIPPED, tmp_path / "shipped")
    monkeypatch.setattr(saved, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "shipped" / ship.CHIPS[0] / saved.ABOUT).write_text("{")
    with pytest.warns(UserWarning, match=f"{ship.CHIPS[0]}/{saved.ABOUT}"):
        assert [entry.device for entry in saved.shipped()] == sorted(ship.CHIPS[1:])


def test_an_index_that_points_nowhere_is_one_line(tmp_path, monkeypatch):
    shutil.copytree(saved.SHIPPED, tmp_path / "shipped")
    monkeypatch.setattr(saved, "SHIPPED", tmp_path / "shipped")
    shared = tmp_path / "shipped" / saved.SHARED
    lists = json.loads(shared.read_text())
    shared.write_text(json.dumps({**lists, "names": lists["names"][:10]}))
    with pytest.raises(BenchError, match="make it again"):
        Model(saved.shipped(ship.CHIPS[0])[0])


def test_lean_trees_answer_the_same():
    import lightgbm

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = x[:, 0] * x[:, 1] + x[:, 2]
    trees = lightgbm.train({"verbosity": -1, "num_threads": 1}, lightgbm.Dataset(x, y), 30)
    text = trees.model_to_string()
    lean = lean_trees.lean_trees(text)
    assert len(lean) < 0.5 * len(text)
    again = lightgbm.Booster(model_str=lean)
    assert np.abs(again.predict(x) - trees.predict(x)).max() < 1e-4
    assert again.num_trees() == 30
