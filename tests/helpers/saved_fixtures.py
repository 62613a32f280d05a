"""A folder of saved predictors over generated networks with made-up latencies: synthetic, to test predicting."""

from __future__ import annotations

import subprocess
from pathlib import Path

import polars as pl

from pipeline.config.cell_spec import CellSpec
from pipeline.core import schema
from pipeline.onnx.columns import frame, pack
from pipeline.onnx.graph import read_graph
from pipeline.predict import model
from pipeline.predict import save as saving
from pipeline.split import splits
from pipeline.train import cell as training
from tests.helpers.in_process import run_module
from tests.helpers.onnx_graphs import generated, made_up_latency
from tests.helpers.onnx_networks import networks
from tests.helpers.tiny_tables import write_all

DATASET, DEVICE, N = "synthetic", "synthetic-device", 120
SETTINGS = {"nn_former": {"preset": "latency", "steps": 60, "dim": 32}, "nn_meter": {"passes": 1, "rounds": 5}}


def write_tables(folder: Path, n: int = N, device: str = DEVICE) -> Path:
    """graphs.parquet, targets.parquet and split.parquet of `n` networks; half the labels of seed 0 are held out."""
    files = networks(n)
    packed = [pack(read_graph(content, family)) for family, content in files]
    graphs, meta = frame(packed, [f"net-{i:03}" for i in range(n)], [family for family, _ in files])
    latency = made_up_latency(generated(n)).tolist()
    rows = [(i, "latency_ms", device, 1, value, None) for i, value in enumerate(latency)]
    targets = pl.DataFrame(rows, schema=schema.TARGETS, orient="row")
    return write_all(
        folder,
        graphs,
        {"dataset": DATASET, "version": "1", **meta},
        targets,
        splits.make_split(n, DATASET, 0, test=0.5),
    )


def save(
    data: Path, saved: Path, label: str, settings: dict | None = None, n: int = N // 2, device: str = DEVICE
) -> training.Trained:
    """Train a predictor on `n` labels of `data` and save it below `saved`."""
    config = SETTINGS.get(label, {}) if settings is None else settings
    spec = CellSpec.from_values(DATASET, "latency_ms", label, n, device=device, overrides=config)
    cell = training.train(spec, training.Tables.read(data, data / "split.parquet", DATASET, 0), "cpu")
    saving.save(saved / DATASET / "latency_ms" / device / label / f"n{n}" / "0", cell)
    return cell


def asked(folder: Path, label: str = "flops") -> model.Model:
    """The saved predictor of a label below `folder`, ready to predict."""
    return model.load(DEVICE, label, models=folder)


def cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command that predicts, run to its end."""
    return run_module("pipeline.predict", *arguments)
