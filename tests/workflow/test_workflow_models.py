"""The workflow saves predictors: one run gives predictions and model, and `pipeline.predict.model` finds it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from safetensors.numpy import load_file

from pipeline.config import datasets
from pipeline.config.grid import cells_to_save, left_out_cells, load_grid
from pipeline.core.paths import ROOT
from pipeline.predict import saved
from tests.helpers.onnx_networks import networks
from tests.helpers.project_copy import copy_project, predictions, run, snakemake

CONVERTER = '''"""Generated networks with made-up latencies: synthetic, for tests."""
import polars as pl
from pipeline.config import datasets
from pipeline.core import schema
from pipeline.convert import _common, nnlqp
from pipeline.convert._made_up import networks
from pipeline.onnx.columns import frame, pack
from pipeline.onnx.graph import read_graph


def convert(raw, out):
    files = networks(40)
    packed = [pack(read_graph(content, family)) for family, content in files]
    graphs, meta = frame(packed, [f"net-{i}" for i in range(40)], [family for family, _ in files])
    rows = [
        (i, "latency_ms", device, 1, share * (1 + packed[i].flops / 1e9), None)
        for i in range(40)
        for device, share in (("fast", 1.0), ("slow", 3.0))
    ]
    targets = pl.DataFrame(rows, schema=schema.TARGETS, orient="row")
    nnlqp.publish("made_up", datasets.get("made_up").version, out, graphs, targets, meta)


_common.cli("made_up", convert)
'''
BLOCK = {
    "version": "1",
    "description": "generated networks with made-up latencies",
    "citation": "none",
    "synthetic": True,
    "n_graphs": 40,
    "targets": {"latency_ms": {"devices": ["fast", "slow"]}},
    "families": ["resnet18", "vgg16", "mobilenetv3", "googlenet", "vit"],
    "test_fraction": 0.4,
    "sources": [],
}
GRID = {
    "grid": "benchmark",
    "seeds": 2,
    "torch_device": "cpu",
    "timeout_s": 120,
    "tasks": [
        {"dataset": "made_up", "protocol": "in_domain", "target": "latency_ms", "devices": ["fast", "slow"],
         "budgets": [12, 24], "predictors": ["flops", "nn_former"]},
        {"dataset": "made_up", "protocol": "leave_one_family_out", "target": "latency_ms", "devices": ["fast"],
         "budgets": ["without-vit"], "seeds": 1, "predictors": ["flops"]},
    ],
    "predictors": {"flops": {}, "nn_former": {"preset": "latency", "steps": 20, "dim": 16, "heads": 4}},
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A copy of the project whose default grid, of networks, has run."""
    folder = copy_project(tmp_path_factory.mktemp("models") / "bench", GRID)
    (folder / "pipeline/convert/made_up.py").write_text(CONVERTER)
    shutil.copy(ROOT / "tests/helpers/onnx_networks.py", folder / "pipeline/convert/_made_up.py")
    config = folder / "config/datasets.yaml"
    config.write_text(config.read_text() + "\n" + yaml.safe_dump({"made_up": BLOCK}))
    snakemake(folder)
    return folder


def predict(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "pipeline.predict", *arguments).stdout


def test_one_model_for_each_predictor_and_device(finished):
    assert len(predictions(finished)) == 2 * 2 * 2 * 2 + 1
    rows = [row for row in json.loads(predict(finished, "--list", "--json")) if row["device"] in ("fast", "slow")]
    found = sorted((row["device"], row["predictor"], row["n_train"], row["calibration"]["n"]) for row in rows)
    assert found == [(device, label, 24, 16) for device in ("fast", "slow") for label in ("flops", "nn_former")]
    folders = {(row["device"], row["predictor"]): Path(row["folder"]) for row in rows}
    left_out = {key: load_file(folder / saved.NETWORKS)["left_out"] for key, folder in folders.items()}
    assert {key for key, table in left_out.items() if table.shape[1]} == {("fast", "flops")}
    assert "Nothing to be done" in snakemake(finished).stdout


def test_the_model_says_what_the_predictions_file_says(finished, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(networks(40)[3][1])
    for device in ("fast", "slow"):
        (table,) = finished.glob(f"results/predictions/made_up/latency_ms/{device}/nn_former-*/n24/0.parquet")
        said = pl.read_parquet(table).filter(pl.col("graph_id") == 3)["prediction"][0]
        answer = json.loads(predict(finished, str(path), "--device", device, "--json"))
        assert answer["latency_ms"] == pytest.approx(said, rel=1e-4)


def test_a_lost_model_is_made_again_and_nothing_else(finished, tmp_path):
    folder = Path(shutil.copytree(finished, tmp_path / "bench"))
    before = predictions(folder)
    (model,) = folder.glob("results/models/made_up/latency_ms/slow/flops/n24/0")
    shutil.rmtree(model)
    snakemake(folder, "models")
    assert (model / "model.safetensors").is_file()
    changed = {path for path, stamp in predictions(folder).items() if stamp != before[path]}
    assert changed == {"results/predictions/made_up/latency_ms/slow/flops/n24/0.parquet"}


def test_which_cells_are_cells_to_save(finished, monkeypatch):
    monkeypatch.chdir(finished)
    known = datasets.load(finished / "config/datasets.yaml")
    monkeypatch.setattr(datasets, "load", lambda: known)
    cells = cells_to_save(load_grid("config/benchmark.yaml"), known)
    assert [(c.device, c.label, str(c.budget), c.seed) for c in cells] == [
        ("fast", "flops", "n24", 0),
        ("fast", "nn_former", "n24", 0),
        ("slow", "flops", "n24", 0),
        ("slow", "nn_former", "n24", 0),
    ]
    grid = load_grid("config/benchmark.yaml")
    assert [[str(c.budget) for c in left_out_cells(grid, cell)] for cell in cells] == [["without-vit"], [], [], []]
    nnlqp = load_grid(ROOT / "config/full/nnlqp.yaml")
    found = cells_to_save(nnlqp, known)
    assert {c.dataset for c in found} == {"nnlqp_unseen"} and {str(c.budget) for c in found} == {"stage"}
    assert len(found) == len({c.label for c in nnlqp.cells})


def test_a_grid_without_networks_saves_nothing():
    assert cells_to_save(load_grid(ROOT / "config/smoke.yaml"), datasets.load()) == []
