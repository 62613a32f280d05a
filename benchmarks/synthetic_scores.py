"""Made-up score rows of a large board, for measuring and looking at it: no number is a result.

Twenty predictors; accuracy at five label budgets; latency on 6 devices at four, on 33 devices at one; ten families left
out in turn: with three seeds some 107,000 rows.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.config import grid as grids
from pipeline.config.cell_spec import CellSpec
from pipeline.config.datasets import Dataset
from pipeline.score import score_table

PREDICTORS = [
    "nn_former", "nn_former-plain_ffn", "nn_former-adj_only", "nn_former-global", "nar_former_v2", "gates", "ta_gates",
    "flan", "graf", "pinat", "tnasp", "nar_former", "neural_predictor", "nnlp", "brp_nas", "gbdt", "mlp", "nn_meter",
    "op_counts", "mean",
]  # fmt: skip
DEVICES = [
    f"{kind}_{batch}" for kind in ("1080ti", "2080ti", "titan_rtx", "titanx", "titanxp") for batch in (1, 32, 256)
]
DEVICES += [
    "essential_ph_1", "eyeriss", "fpga", "gold_6226", "gold_6240", "pixel2", "pixel3", "raspi4", "samsung_a50",
    "samsung_s7", "silver_4114", "silver_4210r", "edgegpu", "edgetpu", "atlas300_acl_fp16", "mul270_neuware_int8",
    "gpu_t4_trt7_1_fp32", "hi3559a_nnie11_int8",
]  # fmt: skip
FAMILIES = (
    "alexnet", "efficientb0", "googlenet", "mnasnet", "mobilenetv2", "mobilenetv3", "nasbench201", "resnet18",
    "squeezenet", "vgg16",
)  # fmt: skip
FRACTIONS = ["0.005", "0.01", "0.03", "0.05", "0.1"]


def about(name: str, targets: dict[str, tuple[str, ...]], families: tuple[str, ...] = ()) -> Dataset:
    """A data set that does not exist."""
    return Dataset(
        name=name, version="0", description="Made-up numbers, for measuring the board", citation="none",
        synthetic=True, n_graphs=15625, targets=targets, test_fraction=0.2, families=families,
        ceilings=(), files=(),
    )  # fmt: skip


def datasets() -> dict[str, Dataset]:
    """The data sets of the made-up grid, by name."""
    made_up = [
        about("synthetic_cells", {"val_acc": ("any",), "test_acc": ("any",)}),
        about("synthetic_more", {"test_acc": ("any",)}),
        about("synthetic_latency", {"latency_ms": tuple(DEVICES)}),
        about("synthetic_families", {"latency_ms": ("gpu",)}, FAMILIES),
    ]
    return {dataset.name: dataset for dataset in made_up}


def grid(seeds: int = 3) -> grids.Grid:
    """The made-up grid."""
    tasks = [
        ("synthetic_cells", "tnasp", "val_acc", ["any"], FRACTIONS, PREDICTORS),
        ("synthetic_more", "direct", "test_acc", ["any"], FRACTIONS, PREDICTORS),
        ("synthetic_latency", "direct", "latency_ms", DEVICES[:6], ["n50", "n100", "n500", "n900"], PREDICTORS[:14]),
        ("synthetic_latency", "few_shot", "latency_ms", DEVICES, ["n10"], PREDICTORS),
        ("synthetic_families", "in_domain", "latency_ms", ["gpu"], ["stage"], PREDICTORS),
        ("synthetic_families", "leave_one_family_out", "latency_ms", ["gpu"], [f"without-{f}" for f in FAMILIES],
         PREDICTORS[:14]),
    ]  # fmt: skip
    cells = tuple(
        CellSpec.from_values(dataset, target, label, word, seed, device, protocol=protocol)
        for dataset, protocol, target, devices, sizes, labels in tasks
        for device in devices
        for label in labels
        for word in sizes
        for seed in range(seeds)
    )
    return grids.Grid("synthetic", "config/synthetic.yaml", "cpu", 60, None, cells)


def rows(board: grids.Grid, seed: int = 0) -> pl.DataFrame:
    """Score rows of every cell: predictors early in the list are better, more labels help, costs grow."""
    random = np.random.default_rng(seed)
    columns: dict[str, list] = {name: [] for name in score_table.SCHEMA}
    for cell in board.cells:
        place = PREDICTORS.index(cell.label)
        n = _n_train(str(cell.budget))
        for scored_on in score_table.scored_on(cell.protocol, cell.target):
            for split, metric, value in _values(random, cell, place, n, scored_on):
                row = {
                    "dataset": cell.dataset, "dataset_version": "0", "protocol": cell.protocol, "target": cell.target,
                    "scored_on": scored_on, "device": cell.device, "predictor": cell.label,
                    "config_hash": f"{place:08x}", "budget": str(cell.budget),
                    "n_train": n, "n_val": 0, "n_source": 0,
                    "seed": cell.seed, "split": split, "metric": metric, "value": value, "status": "ok",
                    "torch_device": "cpu", "host_cpu": "Made-up CPU, 2 cores", "host_gpu": None,
                    "torch_version": "0", "code_rev": "0000000000", "finished_at": "2000-01-01T00:00:00+00:00",
                }  # fmt: skip
                for name, column in columns.items():
                    column.append(row[name])
    return pl.DataFrame(columns, schema=score_table.SCHEMA)


def attention() -> tuple[pl.DataFrame, dict]:
    """A made-up table of attention, as `pipeline.train.attention` writes it, and what it says of itself."""
    n, names = 8, ("adj", "adj_t", "share_child", "share_parent")
    weights = np.random.default_rng(0).dirichlet(np.ones(n), (4, len(names), n))
    block, head, node, other = (index.ravel() for index in np.indices(weights.shape))
    columns = {"block": block, "head": head, "node": node, "other": other, "weight": weights.ravel()}
    frame = pl.DataFrame(columns).with_columns(mask=pl.Series([names[h] for h in head]), allowed=True)
    return frame, {
        "kind": "attention", "dataset": "synthetic_cells", "dataset_version": "0", "target": "test_acc", "seed": 0,
        "n_train": 781, "true": 0.0, "predicted": 0.0, "network": "made up", "ops": ["none"] * n,
        "edges": [(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)],
        "host_cpu": "Made-up CPU, 2 cores", "torch_version": "0", "code_rev": "0000000000",
    }  # fmt: skip


def _n_train(word: str) -> int:
    if word.startswith("n"):
        return int(word[1:])
    return round(float(word) * 15625) if word[0] == "0" else 18000


def _values(random: np.random.Generator, cell: CellSpec, place: int, n: int, scored_on: str):
    """(split, metric, value) of one cell."""
    tau = float(np.clip(0.95 - 0.02 * place - 0.9 / n**0.4 + random.normal(0, 0.012), -0.2, 0.97))
    tau = None if cell.label == "mean" else tau
    error = float(np.exp(0.9 + 0.12 * place + 6.0 / n**0.5 + 0.25 * (hash_of(cell) % 7) + random.normal(0, 0.06)))
    for split in score_table.QUALITY_SPLITS:
        less = {"test": 0.01, "all": 0.0, "novel": 0.04, "novel_function": 0.05}[split]
        yield split, "kendall_tau", None if tau is None else tau - less
        yield split, "spearman", None if tau is None else min(1.15 * (tau - less), 0.99)
        if scored_on.endswith("_ms"):
            within = 100.0 * float(np.exp(-error / 25.0))
            near = {"mape": error, "rmspe": 1.4 * error, "acc10": within, "acc5": 0.6 * within}
            yield from ((split, name, value) for name, value in near.items())
        yield split, "n_scored", 3125.0
    seconds = float(np.exp(4.0 - 0.5 * place + random.normal(0, 0.1)) * (n / 100) ** 0.5)
    costs = {
        "fit_s": seconds, "fit_cpu_s": seconds, "predict_s": seconds / 9, "predict_cpu_s": seconds / 9,
        "n_params": 2e6 / (1 + place) ** 2, "peak_mem_mb": 500.0,
    }  # fmt: skip
    yield from (("run", name, value) for name, value in costs.items())


def hash_of(cell: CellSpec) -> int:
    """A number that differs between devices and families, the same in every process."""
    return sum(map(ord, cell.device + str(cell.budget)))
