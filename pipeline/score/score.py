"""Predictions to score rows: python -m pipeline.score --grid config/benchmark.yaml --data data --out scores.parquet

Every cell of the grid must have its predictions file, and the file must say it is that cell: a score is never
attributed by its path alone. Nothing is trained here, so mending a metric costs seconds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from tqdm import tqdm

from pipeline.config import datasets
from pipeline.config import grid as grids
from pipeline.config.cell_spec import CellSpec
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError, quoted, short
from pipeline.core.targets import is_cost
from pipeline.score import label_noise, likeness, messages, metrics, score_table
from pipeline.spaces import additive
from pipeline.spaces import cells as spaces
from pipeline.split import training_set

PREDICTIONS = pl.Schema({"graph_id": pl.UInt32, "prediction": pl.Float32})
COUNTS = ("n_train", "n_val", "n_source")
MEASURED = ("config_hash", "message", *COUNTS, *score_table.RUN_METRICS)
MAX_COUNT = 2**32 - 1
PROVENANCE = ("torch_device", "host_cpu", "host_gpu", "torch_version", "code_rev", "finished_at")


@dataclass(frozen=True)
class Labels:
    """The labelled graphs of one (dataset, target, device): ids sorted, shape (m,), and their values."""

    ids: np.ndarray
    values: np.ndarray


class Data:
    """Reads the canonical tables once each; splits and training sets are kept for all cells that share them."""

    def __init__(self, root: Path):
        self.root = root
        self.graphs = lru_cache(maxsize=None)(self._graphs)
        self.functions = lru_cache(maxsize=None)(self._functions)
        self.labels = lru_cache(maxsize=None)(self._labels)
        self.places = lru_cache(maxsize=None)(self._places)
        self._split_masks = lru_cache(maxsize=None)(self._make_split_masks)
        self._training_set = lru_cache(maxsize=256)(self._make_training_set)
        self._tables = lru_cache(maxsize=None)(self._read_tables)
        self._split = lru_cache(maxsize=None)(self._read_split)

    def targets_path(self, dataset: str) -> Path:
        """Where the labels of `dataset` are."""
        return self.root / "parquet" / dataset / "targets.parquet"

    def _graphs(self, dataset: str) -> np.ndarray:
        """Isomorphism class of each graph, shape (n_graphs,), indexed by graph_id."""
        return self._checked(dataset)["iso"].to_numpy()

    def _functions(self, dataset: str) -> np.ndarray | None:
        """Class of the function that each graph computes, as `_graphs`; None where no identity operation is named."""
        about = datasets.load().get(dataset)
        if about is None or not about.identity:
            return None
        graphs, meta = table_checks.read_graphs(self.root / "parquet" / dataset / table_checks.GRAPHS_FILE)
        return spaces.function_classes(graphs, meta["op_vocab"], about.identity)

    def _read_tables(self, dataset: str) -> tuple[pl.DataFrame, dict, pl.DataFrame]:
        graphs, meta, targets = table_checks.read(self.root / "parquet" / dataset)
        return graphs.select("graph_id", "iso", "family", "name"), meta, targets

    def _checked(self, dataset: str) -> pl.DataFrame:
        return self._tables(dataset)[0]

    def _targets(self, dataset: str) -> pl.DataFrame:
        return self._tables(dataset)[2]

    def _places(self, dataset: str) -> np.ndarray | None:
        """What stands at each place of each graph, (n_graphs, F), where names say it: see `additive.places`."""
        return additive.places(self._checked(dataset)["name"].to_list())

    def version(self, dataset: str) -> str:
        """The version of a data set."""
        return self._tables(dataset)[1]["version"]

    def _read_split(self, dataset: str, seed: int) -> pl.DataFrame:
        path = self.root / "splits" / dataset / f"{seed}.parquet"
        graphs, meta, _ = self._tables(dataset)
        return table_checks.read_split(path, graphs.height, meta, dataset, seed)

    def _labels(self, dataset: str, target: str, device: str, faulty: bool = False) -> Labels:
        rows = (
            schema.sound(self._targets(dataset), faulty)
            .filter(pl.col("target") == target, pl.col("device") == device)
            .sort("graph_id")
        )
        path = self.targets_path(dataset)
        if rows.is_empty():
            raise BenchError(f"{path}: no labels for target {target} on device {device}; check the grid")
        return Labels(rows["graph_id"].to_numpy(), rows["value"].to_numpy())

    def n_faulty(self, dataset: str, target: str, device: str) -> int:
        """How many labels are marked as faulty."""
        every = self._targets(dataset).filter(pl.col("target") == target, pl.col("device") == device)
        return every.height - schema.sound(every).height

    def n_busy(self, dataset: str, target: str, device: str) -> int:
        """How many labels were timed beside other work, and never twice alike."""
        busy = (pl.col("target") == target, pl.col("device") == device, pl.col("stage") == schema.BUSY)
        return self._targets(dataset).filter(*busy).height

    def training_set(self, cell: CellSpec) -> training_set.TrainingSet:
        """What the cell was trained on; the same for all predictors."""
        return self._training_set(_without_predictor(cell))

    def _make_training_set(self, cell: CellSpec) -> training_set.TrainingSet:
        tables = self._targets(cell.dataset), self._checked(cell.dataset), self._split(cell.dataset, cell.seed)
        return training_set.make(cell, *tables)

    def split_masks(self, cell: CellSpec, scored_on: str) -> dict[str, np.ndarray]:
        """Which labelled graphs (of `scored_on`) belong to each split: boolean arrays of shape (m,)."""
        return self._split_masks(_without_predictor(cell), scored_on)

    def _make_split_masks(self, cell: CellSpec, scored_on: str) -> dict[str, np.ndarray]:
        ids, iso = self.labels(cell.dataset, scored_on, cell.device, cell.budget.faulty).ids, self.graphs(cell.dataset)
        trained = self.training_set(cell)
        labelled = np.concatenate([rows["graph_id"].to_numpy() for rows in (trained.rows, trained.val_rows)])
        masks = {
            "test": np.isin(ids, trained.test),
            "all": np.ones(len(ids), dtype=bool),
            "novel": ~np.isin(iso[ids], iso[labelled]),
        }
        function = None if is_cost(scored_on) else self.functions(cell.dataset)  # an identity costs time
        if function is not None:
            masks["novel_function"] = ~np.isin(function[ids], function[labelled])
        return masks


def _without_predictor(cell: CellSpec) -> CellSpec:
    return replace(cell, label="mean", overrides="{}", protocol="direct")


def check_meta(path: Path, meta: dict, cell: CellSpec, data: Data) -> None:
    """Raise BenchError when a predictions file does not say it is `cell`, made from the data at hand."""
    trained = data.training_set(cell)
    expected = {
        "dataset": cell.dataset,
        "dataset_version": data.version(cell.dataset),
        "target": cell.target,
        "device": cell.device,
        "predictor": cell.label,
        "budget": str(cell.budget),
        "n_train": trained.n_train,
        "seed": cell.seed,
    }
    config = meta.get("config") if isinstance(meta.get("config"), dict) else {}
    stated = {name: meta.get(name) for name in expected}
    settings = {} if meta.get("status") == "error" else cell.settings  # a predictor that can't be made has none
    for name in settings.keys() - {"preset"}:
        expected[f"config.{name}"], stated[f"config.{name}"] = settings[name], config.get(name)
    for name, value in expected.items():
        if stated[name] != value:
            raise BenchError(
                f"{path}: it says {name} is {short(stated[name])}, the grid and data say {short(value)}; "
                "delete it and run again"
            )
    if meta.get("status") not in score_table.STATUSES:
        raise BenchError(f"{path}: unknown status {short(meta.get('status'))}; delete it and run again")
    for name in (*MEASURED, *PROVENANCE):
        if not _is_plain(name, meta.get(name)):
            raise BenchError(f"{path}: {name} is {short(meta.get(name))}; delete it and run again")


def _is_plain(name: str, value: object) -> bool:
    """Whether a value of a predictions file's metadata is of its kind: None where not measured, no half a character."""
    if name in COUNTS:
        return type(value) is int and 0 <= value <= MAX_COUNT
    if name in score_table.RUN_METRICS:
        return value is None or (score_table.is_number(value) and value >= 0)
    text = isinstance(value, str) and (name == "message" or value == value.encode(errors="ignore").decode())
    return text or (value is None and name in PROVENANCE)


def read_predictions(path: Path, n_graphs: int, status: str) -> np.ndarray | None:
    """Predictions of shape (n_graphs,) indexed by graph_id, or None when the run did not end well.

    Raises BenchError unless an `ok` file has one finite prediction for every graph.
    """
    frame = io.read_parquet(path)
    if status != "ok":
        return None
    if frame.schema != PREDICTIONS:
        found = short(dict(frame.schema))
        raise BenchError(f"{path}: columns are {found}, not {dict(PREDICTIONS)}; delete it and run again")
    frame = frame.sort("graph_id")
    if not np.array_equal(frame["graph_id"].to_numpy(), np.arange(n_graphs)):
        raise BenchError(
            f"{path}: {frame.height} predictions, not one for each of {n_graphs} graphs; delete it and run again"
        )
    values = frame["prediction"]
    if values.null_count() or not values.is_finite().all():
        raise BenchError(f"{path}: a prediction is NaN, infinite or missing; delete it and run again")
    return values.cast(pl.Float64).to_numpy()


def score_cell(cell: CellSpec, data: Data) -> list[dict]:
    """The score rows of one cell. Raises BenchError when its predictions are missing or not its own."""
    path = Path(cell.path)
    meta = io.read_meta(path)
    check_meta(path, meta, cell, data)
    status = meta["status"]
    predictions = read_predictions(path, len(data.graphs(cell.dataset)), status)
    rows = []
    for scored_on in score_table.scored_on(cell.protocol, cell.target):
        common = {
            "dataset": cell.dataset,
            "dataset_version": meta["dataset_version"],
            "protocol": cell.protocol,
            "target": cell.target,
            "scored_on": scored_on,
            "device": cell.device,
            "predictor": cell.label,
            "config_hash": meta["config_hash"],
            "budget": str(cell.budget),
            "n_train": meta["n_train"],
            "n_val": meta["n_val"],
            "n_source": meta["n_source"],
            "seed": cell.seed,
            "status": status,
            **{name: meta.get(name) for name in PROVENANCE},
        }
        labels = data.labels(cell.dataset, scored_on, cell.device, cell.budget.faulty)
        for split, mask in data.split_masks(cell, scored_on).items():
            true = labels.values[mask]
            predicted = None if predictions is None else predictions[labels.ids[mask]]
            for name, metric in metrics.for_target(scored_on).items():
                value = None if predicted is None else metric(predicted, true)
                rows.append({**common, "split": split, "metric": name, "value": value})
            count = None if predicted is None else float(mask.sum())
            rows.append({**common, "split": split, "metric": "n_scored", "value": count})
        rows += [
            {**common, "split": "run", "metric": name, "value": meta.get(name)} for name in score_table.RUN_METRICS
        ]
    return rows


def score(cells: list[CellSpec], data: Data) -> pl.DataFrame:
    """All rows of `cells`, in their order. Raises BenchError naming the first file that is missing or refused."""
    missing = sorted({str(cell.path) for cell in cells if not Path(cell.path).is_file()})
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BenchError(f"{missing[0]}{more}: predictions are missing; run `snakemake` to make them")
    rows = []
    for cell in tqdm(cells, desc="score", unit="cell", mininterval=0.5):
        rows += score_cell(cell, data)
    return pl.DataFrame(rows, schema=score_table.SCHEMA, strict=False)


def refuse_failures(cells: list[CellSpec]) -> None:
    """Raise BenchError naming the cells that ended as error or timeout, with the first one's message."""
    found = [(cell.path, io.read_meta(cell.path)) for cell in cells]
    failed = [(path, meta) for path, meta in found if meta.get("status") in ("error", "timeout")]
    if failed:
        first = failed[0][1]
        paths, said = ", ".join(path for path, _ in failed), quoted(first.get("message"))
        raise BenchError(f"{paths}: {first['status']}: {said}; mend it, delete the file and run again")


def main() -> None:
    """Command line of the scoring step."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.score", description="Score the predictions of a grid.")
    parser.add_argument("--grid", required=True, type=Path, help="a grid, e.g. config/benchmark.yaml")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/ and splits/")
    parser.add_argument("--out", required=True, type=Path, help="table of scores to write")
    parser.add_argument("--strict", action="store_true", help="refuse cells that ended as error or timeout")
    args = parser.parse_args()
    cells, data = list(grids.load_grid(args.grid).cells), Data(args.data)
    if args.strict:
        refuse_failures(cells)
    rows = score(cells, data)
    about = (
        label_noise.dump(label_noise.of_cells(cells, data)),
        messages.dump(messages.of_cells(cells)),
        likeness.dump(likeness.of_cells(cells, data)),
    )
    score_table.write(args.out, rows, *about)
