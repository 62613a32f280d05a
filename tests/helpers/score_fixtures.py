"""Small synthetic data, predictions and score rows for the tests of scoring and reporting: no number is a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config.budget import Budget
from pipeline.config.cell_spec import CellSpec
from pipeline.core import io, schema, table_checks
from pipeline.score import score_table

DATASET = "synthetic_toy"
VERSION = "v0"
N_GRAPHS = 20
# Four pairs of graphs share a class: 0=10, 1=11, 2=12, 3=13.
ISO = [i % 10 if i < 14 else i for i in range(N_GRAPHS)]
# result.yaml of a result from outside, of the synthetic cells.
RESULT = {
    "name": "mine",
    "by": "Jane Doe",
    "source": "https://example.org",
    "dataset": "synthetic201",
    "version": "1",
    "target": "test_acc",
    "labels": 60,
    "training_set": "suite",
    "other_labels": "none",
    "predictions": [{"seed": 0, "file": "0.csv"}],
}


def make_data(root: Path, seeds: int = 1) -> Path:
    """Tables of 20 graphs; returns the data folder. Test: graphs 16..19; pool: 0..15 in order.

    Labels: val_acc = 50 + id, test_acc = 60 - id, lat_ms = 1 + id; graph 1 has no latency.
    """
    data = root / "data"
    ids = pl.Series("graph_id", range(N_GRAPHS), dtype=pl.UInt32)
    chain = {"n_nodes": 2, "op": [0, 1], "src": [0], "dst": [1], "attrs": [], "out_shape": []}
    rows = [{"graph_id": i, "name": f"{i}", "family": "f", "iso": iso, **chain} for i, iso in enumerate(ISO)]
    meta = {"dataset": DATASET, "version": VERSION, "op_vocab": ["a", "b"], "attr_names": [], "out_shape_rank": 0}
    folder = data / "parquet" / DATASET
    values = np.arange(N_GRAPHS, dtype=float)
    parts = [("val_acc", "any", 50 + values), ("test_acc", "any", 60 - values), ("lat_ms", "phone", 1 + values)]
    targets = pl.concat(
        pl.DataFrame({"graph_id": ids}).with_columns(
            target=pl.lit(t),
            device=pl.lit(d),
            batch_size=pl.lit(1, pl.UInt16),
            value=pl.Series(v),
            stage=pl.lit(None, pl.String),
        )  # fmt: skip
        for t, d, v in parts
    ).filter(~((pl.col("target") == "lat_ms") & (pl.col("graph_id") == 1)))
    table_checks.publish(folder, pl.DataFrame(rows, schema=schema.GRAPHS), meta, targets)
    split = pl.DataFrame(
        {
            "graph_id": ids,
            "role": ["pool"] * 16 + ["test"] * 4,
            "rank": pl.Series([*range(16), *range(4)], dtype=pl.UInt32),
        }
    )
    graphs = io.read_meta(folder / "graphs.parquet")["content"]
    for seed in range(seeds):
        path = data / "splits" / DATASET / f"{seed}.parquet"
        table_checks.write(path, split, {"dataset": DATASET, "seed": seed}, graphs)
    return data


def rewrite(data: Path, change=lambda frame: frame, targets=lambda frame: frame, **meta) -> None:
    """Convert and split the synthetic data again, with changed graphs, targets or metadata of the graphs."""
    folder = data / "parquet" / DATASET
    graphs, about, labels = table_checks.read(folder)
    table_checks.publish(folder, change(graphs), about | meta, targets(labels))
    content = io.read_meta(folder / "graphs.parquet")["content"]
    for path in (data / "splits" / DATASET).glob("*.parquet"):
        table_checks.write(path, io.read_parquet(path), io.read_meta(path), content)


def make_cell(**changes) -> CellSpec:
    """A cell of the synthetic data; four labels of val_acc unless said otherwise."""
    return CellSpec.from_values(
        **{"dataset": DATASET, "target": "val_acc", "label": "linear", "budget": "n4", **changes}
    )


def write_predictions(cell: CellSpec, values, frame: pl.DataFrame | None = None, **changes) -> Path:
    """Write the predictions file of `cell` under the working folder; `changes` replace metadata."""
    meta = {
        "dataset": cell.dataset, "dataset_version": VERSION, "target": cell.target, "device": cell.device,
        "predictor": cell.label, "config_hash": "c0ffee00", "config": {"depth": 2}, "budget": str(cell.budget),
        "n_train": cell.budget.n_labels(N_GRAPHS), "n_val": 0, "n_source": 0,
        "seed": cell.seed, "status": "ok", "message": "",
        "fit_s": 1.5, "fit_cpu_s": 2.5, "predict_s": 0.25, "predict_cpu_s": 0.5, "n_params": 7, "peak_mem_mb": 64.0,
        "torch_device": "cpu", "host_cpu": "Test CPU", "host_gpu": None, "torch_version": "2.0", "code_rev": "abc1234",
        "finished_at": "2025-01-01T00:00:00+00:00", **changes,
    }  # fmt: skip
    if frame is None:
        frame = pl.DataFrame(
            {
                "graph_id": pl.Series(range(len(values)), dtype=pl.UInt32),
                "prediction": pl.Series(list(values), dtype=pl.Float32),
            }
        )
    path = Path(cell.path)
    io.write_parquet(path, frame, meta)
    return path


def score_rows_of(values: dict, **common) -> pl.DataFrame:
    """Hand-made score rows: `values` maps (predictor, budget, seed) to a tau, None, or a status other than ok.

    Splits test, all and novel get the tau minus 0.02, the tau, and the tau minus 0.05; every run costs 10 CPU-seconds.
    """
    base = {
        "dataset": DATASET, "dataset_version": VERSION, "protocol": "direct", "target": "test_acc",
        "scored_on": "test_acc", "device": "any", "config_hash": "c0ffee00", "n_val": 0, "n_source": 0,
        "torch_device": "cpu",
        "host_cpu": "Test CPU", "host_gpu": None, "torch_version": "2.0", "code_rev": "abc1234",
        "finished_at": "2025-01-01T00:00:00+00:00", **common,
    }  # fmt: skip
    rows = []
    for (predictor, budget, seed), value in values.items():
        status = value if isinstance(value, str) else "ok"
        tau = None if isinstance(value, str) else value
        row = {**base, "predictor": predictor, "budget": budget, "seed": seed, "status": status}
        row["n_train"] = Budget.parse(budget).n_labels(1000)
        for split, less in (("test", 0.02), ("all", 0.0), ("novel", 0.05)):
            shown = None if tau is None else tau - less
            rows.append({**row, "split": split, "metric": "kendall_tau", "value": shown})
        costs = {"fit_s": 5.0, "fit_cpu_s": 10.0, "predict_s": 0.5, "predict_cpu_s": 1.0, "n_params": 1234.0}
        rows += [{**row, "split": "run", "metric": name, "value": number} for name, number in costs.items()]
    return pl.DataFrame(rows, schema=score_table.SCHEMA, strict=False)
