"""A grid of benchmark cells: read a config file, check it, list its cells.

A cell is one trained predictor: data set, target, device, label with its overrides, training size, seed. Its
predictions file does not depend on the grid that asked for it, so grids that share a cell share the work. No torch and
no data are needed here: the workflow reads a grid each time it starts.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import jsonschema

from pipeline.config import datasets
from pipeline.config.budget import Sources, n_labels
from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT

SCHEMA = ROOT / "workflow" / "schemas" / "grid.schema.json"
SOURCE_PROTOCOLS = ("few_shot", "transfer_platform", "multi_platform")


@dataclass(frozen=True)
class Cell:
    """One trained predictor.

    `overrides` is JSON with sorted keys; `train` says on what it is trained and what is held out, and `sources` which
    labels of other devices it has besides (JSON): see `pipeline.config.budget`.
    """

    dataset: str
    protocol: str
    target: str
    device: str
    label: str
    overrides: str
    train: str
    seed: int
    sources: str = "{}"

    @property
    def predictor(self) -> str:
        """Module name in predictors/."""
        return predictor_of(self.label)

    @property
    def variant(self) -> str:
        """Folder of the predictor: its label, and a hash of the overrides where there are any."""
        if self.overrides == "{}":
            return self.label
        return f"{self.label}-{hashlib.blake2b(self.overrides.encode(), digest_size=4).hexdigest()}"

    @property
    def path(self) -> str:
        """Predictions file, relative to the project's root; the protocol is not part of it."""
        folder = f"results/predictions/{self.dataset}/{self.target}/{self.device}/{self.variant}/{self.train}"
        return f"{folder}/{self.seed}.parquet"


@dataclass(frozen=True)
class Grid:
    """A checked grid. `mirror` is a folder or None; `timeout_s` limits the training of one cell."""

    name: str
    path: str
    torch_device: str
    timeout_s: int
    mirror: str | None
    cells: tuple[Cell, ...]


def load_grid(path: str | Path) -> Grid:
    """Read and check a grid config. Raises BenchError (one line: which file, what is wrong, what to do)."""
    raw = read_yaml(path, "give a grid of config/")
    _check_schema(path, raw)
    predictors = known_predictors()
    for label in raw["predictors"]:
        name = predictor_of(label)
        if name not in predictors:
            known = ", ".join(predictors)
            raise BenchError(f"{path}: predictors.{label}: there is no predictors/{name}.py; known: {known}")
    known_datasets = datasets.load()
    cells: dict[tuple, Cell] = {}
    for position, task in enumerate(raw["tasks"]):
        where = f"{path}: tasks[{position}]"
        for cell, n in _task_cells(where, raw, task, known_datasets):
            key = (cell.dataset, cell.protocol, cell.target, cell.device, cell.label, n, cell.seed)
            if key in cells:
                name = f"{cell.dataset} {cell.protocol} {cell.target} {cell.device} {cell.label}"
                raise BenchError(
                    f"{where}: duplicate cell: {name}, {n} labels, seed {cell.seed}; remove one of the two"
                )
            cells[key] = cell
    return Grid(
        name=raw["grid"],
        path=str(path),
        torch_device=raw.get("torch_device", "auto"),
        timeout_s=raw.get("timeout_s", 3600),
        mirror=raw.get("mirror"),
        cells=tuple(cells.values()),
    )


def kept(grid: Grid, known: dict[str, datasets.Dataset]) -> list[Cell]:
    """The cells whose predictors are saved: latencies of networks in families, of protocol in_domain; for each data
    set, target, device and label the one with the most labels (the source's own training marks before any number), of
    the first seed, without sources."""

    def rank(cell: Cell) -> tuple[float, int]:
        n = n_labels(cell.train, known[cell.dataset].n_graphs)
        return math.inf if n is None else n, -cell.seed

    best: dict[tuple, Cell] = {}
    for cell in grid.cells:
        of_networks = cell.target.endswith("_ms") and known[cell.dataset].families
        if of_networks and cell.protocol == "in_domain" and cell.sources == "{}":
            key = cell.dataset, cell.target, cell.device, cell.label
            if key not in best or rank(cell) > rank(best[key]):
                best[key] = cell
    return list(best.values())


def known_predictors(folder: Path = ROOT / "predictors") -> list[str]:
    """Names of the predictor files in a folder: every module but base.py and those that start with an underscore."""
    names = (path.stem for path in folder.glob("*.py"))
    return sorted(name for name in names if name != "base" and not name.startswith("_"))


def predictor_of(label: str) -> str:
    """The predictor (module name) of a label `<predictor>` or `<predictor>-<variant>`."""
    return label.split("-", 1)[0]


def _task_cells(
    where: str, raw: dict, task: dict, known_datasets: dict[str, datasets.Dataset]
) -> Iterator[tuple[Cell, int | str]]:
    """The cells of one task, each with its number of labels, or with its word where the data decide the number."""
    _check_known(where, "data set", task["dataset"], known_datasets)
    dataset = known_datasets[task["dataset"]]
    _check_known(where, "target", task["target"], dataset.targets)
    devices = task.get("devices", ["any"])
    for device in devices:
        _check_known(where, "device", device, dataset.targets[task["target"]])
    if task["protocol"] == "tnasp" and (task["target"] != "val_acc" or "test_acc" not in dataset.targets):
        raise BenchError(f"{where}: protocol tnasp trains on val_acc and scores on test_acc; write direct instead")
    labels = task.get("predictors", list(raw["predictors"]))
    for label in labels:
        _check_known(where, "predictor", label, raw["predictors"])
    sizes = [_size(f"{where}.train[{position}]", size, dataset) for position, size in enumerate(task["train"])]
    for train, _ in sizes:
        _check_protocol(where, task, train)
    for device in devices:
        sources = _sources(where, task, device, dataset)
        for label in labels:
            overrides = json.dumps(raw["predictors"][label], sort_keys=True)
            for train, n in sizes:
                for seed in range(task.get("seeds", raw["seeds"])):
                    cell = Cell(
                        dataset=task["dataset"],
                        protocol=task["protocol"],
                        target=task["target"],
                        device=device,
                        label=label,
                        overrides=overrides,
                        train=train + (sources.suffix if sources else ""),
                        seed=seed,
                        sources=sources.dump() if sources else "{}",
                    )
                    yield cell, n


def _check_protocol(where: str, task: dict, train: str) -> None:
    """Each protocol has its own way to say what is trained on; the others are mistakes."""
    protocol = task["protocol"]
    kind = "stage" if train == "stage" else "without" if train.startswith("without-") else "size"
    expected = {
        "in_domain": ("stage", "size"),
        "leave_one_family_out": ("without",),
        "multi_platform": ("stage", "size"),
    }
    allowed = expected.get(protocol, ("size",))
    if kind not in allowed:
        raise BenchError(f"{where}: protocol {protocol} cannot train on {train!r}; see pipeline/config/budget.py")
    if (protocol in SOURCE_PROTOCOLS) != ("sources" in task):
        needs = "needs" if protocol in SOURCE_PROTOCOLS else "takes no"
        raise BenchError(f"{where}: protocol {protocol} {needs} sources; see config/devices.yaml for an example")


def _sources(where: str, task: dict, device: str, dataset: datasets.Dataset) -> Sources | None:
    """The sources of a task: the devices named, or all of the target's."""
    if "sources" not in task:
        return None
    known = dataset.targets[task["target"]]
    named = task["sources"].get("devices", list(known))
    for name in named:
        _check_known(f"{where}.sources", "device", name, known)
    labels = task["sources"]["labels"]
    sources = Sources(tuple(named), None if labels == "all" else labels)
    if not sources.others(device):
        raise BenchError(f"{where}.sources: no device is left besides {device}; name others")
    return sources


def _size(where: str, size: str | int, dataset: datasets.Dataset) -> tuple[str, int | str]:
    """A training size of the config as (wildcard, number of labels or the word itself)."""
    train = f"n{size}" if isinstance(size, int) else size
    if isinstance(size, str) and size.startswith("without-"):
        _check_known(where, "family", size.removeprefix("without-"), dataset.families)
    if train == "stage" or train.startswith("without-"):
        return train, train
    if isinstance(size, str):
        if not re.fullmatch(r"[0-9]+\.[0-9]+", size):
            raise BenchError(f'{where}: {size!r} is not a fraction; write "0.05", or an integer number of labels')
        if not 0 < Decimal(size) <= 1:
            raise BenchError(f'{where}: fraction {size} is not above 0 and at most 1; write a part, such as "0.05"')
    n = n_labels(train, dataset.n_graphs)
    held_out = sum(int(part * dataset.n_graphs + 0.5) for part in (dataset.split.val, dataset.split.test))
    n_pool = dataset.n_graphs - held_out
    if n < 1:
        raise BenchError(f"{where}: {size} of {dataset.n_graphs} graphs is less than one label; take a larger size")
    if n > n_pool:
        raise BenchError(f"{where}: {size} is {n} labels, the pool of {dataset.name} has {n_pool}; take a smaller size")
    return train, n


def _check_known(where: str, kind: str, name: str, known) -> None:
    if name not in known:
        raise BenchError(f"{where}: unknown {kind} {name!r}; known: {', '.join(known)}")


def _check_schema(path: str | Path, raw: object) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(raw))
    if error is None:
        return
    where = error.json_path.removeprefix("$").removeprefix(".") or "top level"
    message = error.message
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        extra = ", ".join(sorted(str(key) for key in error.instance if key not in known))
        message = f"unknown key {extra}; known keys: {', '.join(known)}"
    elif isinstance(error.instance, float) and ".train" in where:
        message = f'{error.instance} is not quoted; write a fraction as a string, "{error.instance}"'
    elif "description" in error.schema:
        message = f"{message}; it is: {error.schema['description']}"
    raise BenchError(f"{path}: {where}: {message}")
