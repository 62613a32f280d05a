"""A grid of benchmark cells: read a config file, check it, list its cells.

A cell's predictions file does not depend on the grid that asked for it, so grids that share a cell share the work. No
torch and no data are needed here: the workflow reads a grid each time it starts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.config import datasets, overrides
from pipeline.config.budget import Budget, Kind, Sources
from pipeline.config.cell_spec import CellSpec
from pipeline.config.grid_file import GridFile, Task, read
from pipeline.config.nasflat import FEW_SHOT, NASFLAT
from pipeline.config.references import REFERENCES
from pipeline.core.errors import BenchError
from pipeline.core.names import known_predictors, outside_predictors, predictor_of
from pipeline.core.paths import ROOT
from pipeline.core.targets import is_cost

SHARED_LABELS = ROOT / "config" / "predictors.yaml"
DEFAULT_GRID = "benchmark"
MAX_CELLS = 200_000
SOURCE_PROTOCOLS = (*FEW_SHOT, "transfer_platform", "multi_platform")
DRAWN = (Kind.FRACTION, Kind.COUNT)
BUDGETS = {  # of each protocol; the others draw from the pool
    "in_domain": (*DRAWN, Kind.WHOLE, Kind.MARKED),
    "leave_one_family_out": (Kind.FAMILY,),
    "multi_platform": (*DRAWN, Kind.MARKED),
}


@dataclass(frozen=True)
class Grid:
    """A checked grid. `mirror` is a folder or None; `timeout_s` limits the training of one cell.

    `looked_at`: of (dataset, protocol, target, label), how many seeds had been seen when the others were added.
    `pairs`: labels that the board compares two by two.
    """

    name: str
    path: str
    torch_device: str
    timeout_s: int
    mirror: str | None
    cells: tuple[CellSpec, ...]
    looked_at: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()


def load_grid(path: str | Path) -> Grid:
    """Read and check a grid config. Raises BenchError (one line: which file, what is wrong, what to do)."""
    file = read(path)
    labels = file.labels(path, SHARED_LABELS)
    predictors = [*known_predictors(), *outside_predictors()]
    for label, settings in labels.items():
        overrides.check(f"{path}: predictors.{label}", settings)
        name = predictor_of(label)
        if name not in predictors:
            known = ", ".join(predictors)
            raise BenchError(
                f"{path}: predictors.{label}: there is no predictors/{name}.py and no package has it; known: {known}"
            )
    known_datasets = datasets.load()
    _check_size(path, file)
    cells: dict[tuple, CellSpec] = {}
    looked_at: dict[tuple[str, str, str, str], int] = {}
    for position, task in enumerate(file.tasks):
        where = f"{path}: tasks[{position}]"
        for cell in _task_cells(where, file, task, labels, known_datasets):
            n = cell.budget.n_labels(known_datasets[cell.dataset].n_graphs) or str(cell.budget)
            key = (
                cell.dataset,
                cell.protocol,
                cell.target,
                cell.device,
                cell.label,
                n,
                cell.budget.n_val,
                cell.seed,
                cell.budget.faulty,
                cell.budget.references,
            )
            if key in cells:
                name = f"{cell.dataset} {cell.protocol} {cell.target} {cell.device} {cell.label}"
                raise BenchError(
                    f"{where}: duplicate cell: {name}, {n} labels, seed {cell.seed}; remove one of the two"
                )
            cells[key] = cell
            if task.looked_at:
                looked_at[cell.dataset, cell.protocol, cell.target, cell.label] = task.looked_at
    trained = {cell.label for cell in cells.values()}
    unused = [label for label in labels if label not in trained]
    if unused:
        raise BenchError(f"{path}: predictors.{unused[0]}: no task trains it; name it in one, or take it out")
    for position, pair in enumerate(file.pairs):
        for label in pair:
            _check_known(f"{path}: pairs[{position}]", "predictor", label, labels)
    about = (file.grid, str(path), file.torch_device, file.timeout_s, file.mirror)
    return Grid(*about, tuple(cells.values()), looked_at, file.pairs)


def _check_size(path: str | Path, file: GridFile) -> None:
    """Refuse a grid of too many cells before one is made."""
    n = 0
    for task in file.tasks:
        chosen = len(file.predictors) if task.predictors is None else len(task.predictors)
        n += len(task.devices) * chosen * len(task.budgets) * (task.seeds or file.seeds)
    if n > MAX_CELLS:
        raise BenchError(f"{path}: {n:,} cells, over the limit of {MAX_CELLS:,}; ask for fewer seeds or budgets")


def cells_to_save(grid: Grid, known: dict[str, datasets.Dataset]) -> list[CellSpec]:
    """The cells whose predictors are saved: costs of networks in families, of protocol in_domain; for each data set,
    target, device and label the one with the most labels (the source's own training marks before any number), of the
    first seed, without labels of other devices."""

    def rank(cell: CellSpec) -> tuple[float, int]:
        n = cell.budget.n_labels(known[cell.dataset].n_graphs)
        return math.inf if n is None else n, -cell.seed

    best: dict[tuple, CellSpec] = {}
    for cell in grid.cells:
        of_networks = is_cost(cell.target) and known[cell.dataset].families
        if of_networks and cell.protocol == "in_domain" and cell.sources is None:
            key = cell.dataset, cell.target, cell.device, cell.label
            if key not in best or rank(cell) > rank(best[key]):
                best[key] = cell
    return list(best.values())


def left_out_cells(grid: Grid, saved: CellSpec) -> list[CellSpec]:
    """The cells that are as a saved one but leave a family out of training."""
    same = (saved.dataset, saved.target, saved.device, saved.variant, saved.seed, saved.sources)
    return [
        cell
        for cell in grid.cells
        if cell.protocol == "leave_one_family_out"
        and (cell.dataset, cell.target, cell.device, cell.variant, cell.seed, cell.sources) == same
    ]


def _task_cells(
    where: str, file: GridFile, task: Task, labels: dict[str, dict], known_datasets: dict[str, datasets.Dataset]
) -> Iterator[CellSpec]:
    _check_known(where, "data set", task.dataset, known_datasets)
    dataset = known_datasets[task.dataset]
    _check_known(where, "target", task.target, dataset.targets)
    for device in task.devices:
        _check_known(where, "device", device, dataset.targets[task.target])
    if task.protocol == "tnasp" and (task.target != "val_acc" or "test_acc" not in dataset.targets):
        raise BenchError(f"{where}: protocol tnasp trains on val_acc and scores on test_acc; write direct instead")
    if task.looked_at and task.looked_at >= (task.seeds or file.seeds):
        raise BenchError(f"{where}: looked_at {task.looked_at}: no seed is left; ask for more seeds or take it out")
    chosen = list(file.predictors) if task.predictors is None else task.predictors
    for label in chosen:
        _check_known(where, "predictor", label, labels)
    for position, budget in enumerate(task.budgets):
        _check_budget(f"{where}.budgets[{position}]", budget, dataset, task.protocol)
        _check_protocol(where, task, budget)
    for device in task.devices:
        sources = _sources(where, task, device, dataset)
        for label in chosen:
            for budget in task.budgets:
                word = str(replace(budget, faulty=task.faulty))
                first = CellSpec.from_values(
                    task.dataset, task.target, label, word, 0, device, labels[label], sources, task.protocol
                )
                for seed in range(task.seeds or file.seeds):
                    yield replace(first, seed=seed)


def _check_protocol(where: str, task: Task, budget: Budget) -> None:
    """Each protocol has its own way to say what is trained on; the others are mistakes."""
    protocol = task.protocol
    if budget.references and (protocol != "few_shot_help" or task.dataset not in REFERENCES):
        raise BenchError(
            f"{where}: {str(budget)!r} is for protocol few_shot_help on {', '.join(REFERENCES)}; write a number alone"
        )
    if budget.kind not in BUDGETS.get(protocol, DRAWN):
        raise BenchError(f"{where}: protocol {protocol} cannot train on {str(budget)!r}; see docs/protocols.md")
    if (protocol in SOURCE_PROTOCOLS) != (task.sources is not None):
        needs = "needs" if protocol in SOURCE_PROTOCOLS else "takes no"
        raise BenchError(f"{where}: protocol {protocol} {needs} sources; see config/devices.yaml for an example")


def _sources(where: str, task: Task, device: str, dataset: datasets.Dataset) -> Sources | None:
    """The sources of a task: the devices named, or all of the target's."""
    if task.sources is None:
        return None
    known = dataset.targets[task.target]
    named = known if task.sources.devices is None else task.sources.devices
    for name in named:
        _check_known(f"{where}.sources", "device", name, known)
    if task.protocol in NASFLAT and device in named:
        raise BenchError(f"{where}.sources: the target {device} is among its sources; take it out of one of the two")
    pool = _pool(dataset)
    if task.sources.labels != "all" and task.sources.labels > pool:
        raise BenchError(
            f"{where}.sources: {task.sources.labels} labels, the pool of {dataset.name} has {pool}; ask for fewer"
        )
    sources = Sources(tuple(named), None if task.sources.labels == "all" else task.sources.labels)
    if not sources.besides(device):
        raise BenchError(f"{where}.sources: no device is left besides {device}; name others")
    return sources


def _check_budget(where: str, budget: Budget, dataset: datasets.Dataset, protocol: str) -> None:
    """Refuse a budget that the data set can't give, and no label where other devices have none either."""
    if budget.family is not None:
        _check_known(where, "family", budget.family, dataset.families)
    n = budget.n_labels(dataset.n_graphs)
    if n is None:
        return
    pool = _pool(dataset)
    if n == 0 and budget.kind is Kind.COUNT and not budget.n_val and protocol in (*FEW_SHOT, "transfer_platform"):
        return  # a device is predicted from others alone
    if n < 1:
        raise BenchError(
            f"{where}: {budget.amount} of {dataset.n_graphs} graphs is less than one label; take a larger size"
        )
    if n + budget.n_val > pool:
        size = f"{budget.amount} is {n} labels{f' and {budget.n_val} for validation' if budget.n_val else ''}"
        raise BenchError(f"{where}: {size}, the pool of {dataset.name} has {pool}; take a smaller size")


def _pool(dataset: datasets.Dataset) -> int:
    """How many networks a split does not hold out."""
    return dataset.n_graphs - int(dataset.test_fraction * dataset.n_graphs + 0.5)


def _check_known(where: str, kind: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise BenchError(f"{where}: unknown {kind} {name!r}; known: {', '.join(known)}")
