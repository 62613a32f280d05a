"""Data sets: fetched and converted once, into a folder of the user's cache."""

from __future__ import annotations

import hashlib
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nnfb.arrays import GraphArray
from pipeline import convert
from pipeline.config import datasets
from pipeline.config.cell_spec import CellSpec
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError
from pipeline.core.graphs import from_frame
from pipeline.fetch.fetch import fetch
from pipeline.split import splits, training_set


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as polars frames: `graphs` and `targets`, in the schemas of pipeline/core/schema.py.

    `meta`: vocabulary of operations and names of attributes. `about`: its block of config/datasets.yaml.
    `folder`: where graphs.parquet and targets.parquet are.
    """

    about: datasets.Dataset
    graphs: pl.DataFrame
    targets: pl.DataFrame
    meta: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """Its name in config/datasets.yaml."""
        return self.about.name

    def __len__(self) -> int:
        return self.graphs.height

    def labels(self, target: str, device: str = "any") -> pl.DataFrame:
        """graph_id and value of every sound label of a target and device. Raises BenchError: there is none."""
        rows = schema.sound(self.targets).filter(pl.col("target") == target, pl.col("device") == device)
        if rows.is_empty():
            known = self.targets.select("target", "device").unique().sort("target", "device").rows()
            listed = ", ".join(f"{a} on {b}" for a, b in known[:12]) + (", ..." if len(known) > 12 else "")
            raise BenchError(f"{self.name}: no labels of {target} on {device}; there are: {listed}")
        return rows.select("graph_id", "value").sort("graph_id")

    def array(self, ids: np.ndarray | None = None) -> GraphArray:
        """Graphs for estimators: those with the given graph_ids, in their order, or all."""
        every = GraphArray(from_frame(self.graphs, self.meta))
        return every if ids is None else every[np.asarray(ids, dtype=np.int64)]

    def labelled(self, target: str, device: str = "any") -> tuple[GraphArray, np.ndarray]:
        """X, y for estimators: the graphs with a label, and the labels (n,). Raises BenchError as `labels`."""
        rows = self.labels(target, device)
        return self.array(rows["graph_id"].to_numpy()), rows["value"].to_numpy()

    def split(self, target: str, n_labels: int, seed: int = 0, device: str = "any") -> tuple[np.ndarray, np.ndarray]:
        """graph_ids to train on and graph_ids held out, as every predictor of the boards got them for this seed.

        Raises BenchError: no such labels, or fewer than `n_labels` outside the held-out networks.
        """
        frame = splits.make_split(len(self), self.name, seed, self.about.test_fraction)
        cell = CellSpec.from_values(self.name, target, "mean", n_labels, seed, device)
        made = training_set.make(cell, self.targets, self.graphs, frame)
        return made.rows["graph_id"].to_numpy(), made.test


def cache_folder() -> Path:
    """Where data sets are kept: NNFB_CACHE, else nnfb below XDG_CACHE_HOME, else ~/.cache/nnfb."""
    if own := os.environ.get("NNFB_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nnfb"


def list_datasets() -> pl.DataFrame:
    """Every data set. Columns: dataset, version, networks, targets, synthetic (made-up labels), cached, description."""
    rows = [
        {
            "dataset": about.name,
            "version": about.version,
            "networks": about.n_graphs,
            "targets": list(about.targets),
            "synthetic": about.synthetic,
            "cached": _is_made(_place(about, cache_folder())),
            "description": about.description,
        }
        for about in datasets.load().values()
    ]
    return pl.DataFrame(rows)


def load_dataset(
    name: str, folder: Path | str | None = None, mirror: Path | str | None = None, cache: Path | str | None = None
) -> Dataset:
    """A data set of `list_datasets`, fetched and converted the first time, from the cache afterwards.

    `folder`: read graphs.parquet and targets.parquet there instead, such as data/parquet/measured of a clone. `mirror`:
    folder of source files (default: BENCH_MIRROR); size and SHA-256 are checked wherever a file comes from. `cache`:
    instead of `cache_folder`. Raises BenchError: no such data set, a source that can't be had, no space.
    """
    about = datasets.get(name)
    place = Path(folder) if folder else _place(about, Path(cache) if cache else cache_folder())
    if folder is None and not _is_made(place):
        environment = os.environ.get("BENCH_MIRROR")
        _make(about, place, Path(mirror) if mirror else Path(environment) if environment else None)
    return _read(about, place)


def _place(about: datasets.Dataset, cache: Path) -> Path:
    """A folder for what config says of the data set: when that changes, it is fetched and converted again."""
    says = f"{about!r} {table_checks.CONTENT}"  # tables of before have no digest of it
    return cache / about.name / f"{about.version}-{hashlib.sha256(says.encode()).hexdigest()[:8]}"


def _is_made(place: Path) -> bool:
    return all((place / name).is_file() for name in (table_checks.GRAPHS_FILE, table_checks.TARGETS_FILE))


def _make(about: datasets.Dataset, place: Path, mirror: Path | None) -> None:
    """Fetch into a folder beside `place`, where what was fetched stays after a failure, and convert."""
    if about.made:
        raise BenchError(
            f"{about.name}: timed by the machine that asks, in a clone: snakemake data --cores 2; "
            f"then give folder='data/parquet/{about.name}'"
        )
    raw = place.with_name(f"{place.name}.raw")
    fetch(about, raw, mirror)
    with io.atomic_folder(place) as temporary:
        importlib.import_module(f"{convert.__name__}.{about.name}").convert(raw, temporary)
    for file in about.files:
        (raw / file.path).unlink(missing_ok=True)


def _read(about: datasets.Dataset, place: Path) -> Dataset:
    graphs, meta, targets = table_checks.read(place)
    if meta["dataset"] != about.name:
        raise BenchError(
            f"{place / 'graphs.parquet'}: of data set {meta['dataset']!r}, not {about.name!r}; give another folder"
        )
    return Dataset(about, graphs, targets, meta, place)
