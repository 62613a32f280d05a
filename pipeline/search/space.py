"""What a search looks through: networks without labels, and the labels that it has to ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config.search_grid import Cost, Task
from pipeline.core import schema, table_checks
from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, from_frame
from pipeline.score.fronts import hypervolume, non_dominated
from pipeline.spaces import local_changes


@dataclass(frozen=True)
class Networks:
    """All networks of a data set, by their place in its table. No label is in here."""

    graphs: Graphs
    family: str
    names: tuple[str, ...]
    _places: dict = field(default_factory=dict, repr=False)
    _known: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def neighbours(self, network: int) -> np.ndarray:
        """The networks that differ from one in one choice, rising. Raises BenchError: unknown for this family."""
        if not self._places:
            self._places.update((local_changes.key(self.family, name), place) for place, name in enumerate(self.names))
        if network not in self._known:
            changed = local_changes.changes(self.family, self.names[network])
            found = {self._places.get(local_changes.key(self.family, name)) for name in changed} - {None, network}
            self._known[network] = np.array(sorted(found), dtype=np.int64)
        return self._known[network]


@dataclass(frozen=True)
class Labels:
    """What a network's query answers (n,), and what the network is judged by (n,); percent.

    `cost`, where there is a `limit` or a `front` is looked for: (n,), answered too; infinite where it was not measured.
    """

    query: np.ndarray
    report: np.ndarray
    cost: np.ndarray | None = None
    limit: float = np.inf
    front: bool = False

    @cached_property
    def allowed(self) -> np.ndarray:
        """Whether a search may choose each network, (n,)."""
        return np.ones(len(self.query), bool) if self.cost is None else self.cost <= self.limit

    @cached_property
    def value(self) -> np.ndarray:
        """What a search chooses by, (n,): the label queried, or, below all of these, how far the cost is too high."""
        if self.cost is None or self.front:
            return self.query
        return np.where(self.allowed, self.query, -self.cost / self.limit)

    @cached_property
    def judged(self) -> np.ndarray:
        """What a choice is worth, (n,): what the network is judged by, above the limit the least of those allowed."""
        return np.where(self.allowed, self.report, self.report[self.allowed].min())

    @property
    def floor(self) -> float:
        """Regret of a search that queried every network; of a front, the share of the hypervolume that it lacks."""
        if self.front:
            return 1 - self.volume(non_dominated(self.query, self.cost)) / self.volume(self.true_front)
        return float(self.judged.max() - self.judged[self.value.argmax()])

    def cost_quantile(self, share: float) -> float:
        """The cost that this share of the networks with a cost has or is below."""
        return float(np.quantile(self.cost[np.isfinite(self.cost)], share))

    @cached_property
    def reference(self) -> tuple[float, float]:
        """From where a front counts: lower quartile of what networks are judged by, upper quartile of their costs."""
        return float(np.quantile(self.report, 0.25)), self.cost_quantile(0.75)

    @cached_property
    def true_front(self) -> np.ndarray:
        """Whether each network is on the front of what networks are judged by, (n,)."""
        return non_dominated(self.report, self.cost)

    def volume(self, which: np.ndarray) -> float:
        """Hypervolume of networks in what they are judged by."""
        return hypervolume(self.report[which], self.cost[which], self.reference)

    def facts(self) -> dict:
        """What the measures of a search need to know of all networks, as JSON values."""
        facts = {"networks": int(self.allowed.sum()), "floor": self.floor, "limit": None}
        if self.front:
            points = np.unique(np.stack([self.cost, self.report], 1)[self.true_front], axis=0)
            return facts | {
                "best": self.volume(self.true_front), "reference": self.reference, "front": points.tolist(),
            }  # fmt: skip
        limit = None if self.cost is None else self.limit
        return facts | {
            "limit": limit, "best": float(self.judged.max()), "best_query": float(self.value.max()),
        }  # fmt: skip


def read(task: Task, data: Path) -> tuple[Networks, Labels, str]:
    """Networks, labels and version of a task's data set, from the tables under `data`.

    Raises BenchError: a file can't be read or is not as it was converted, or not every network has every label.
    """
    folder = data / "parquet" / task.dataset
    frame, meta, targets = table_checks.read(folder)
    report = [_labels(targets, target, frame.height, folder) for target in task.report]
    labels = Labels(_labels(targets, task.query, frame.height, folder), np.mean(report, axis=0))
    if task.cost:
        labels = replace(labels, cost=_costs(task.cost, frame["name"], data), front=task.front is not None)
    if task.limit:
        labels = replace(labels, limit=labels.cost_quantile(task.limit.share))
    family = frame["family"][0]
    return Networks(from_frame(frame, meta), family, tuple(frame["name"])), labels, meta["version"]


def _costs(about: Cost, names: pl.Series, data: Path) -> np.ndarray:
    """The costs of networks by name; infinite where there is none or it is marked as faulty."""
    folder = data / "parquet" / about.dataset
    theirs, _, targets = table_checks.read(folder)
    costs = schema.sound(targets).filter(target=about.target, device=about.device)
    by_name = dict(costs.join(theirs, on="graph_id").select("name", "value").iter_rows())
    found = np.array([by_name.get(name, np.inf) for name in names])
    if not np.isfinite(found).any():
        raise BenchError(f"{folder / 'targets.parquet'}: no cost of these networks; name another cost in the grid")
    return found


def _labels(targets: pl.DataFrame, target: str, n: int, folder: Path) -> np.ndarray:
    rows = targets.filter((pl.col("target") == target) & (pl.col("device") == "any")).sort("graph_id")
    if rows.height != n:
        raise BenchError(
            f"{folder / 'targets.parquet'}: {rows.height} labels {target} for {n} networks, "
            "and a search may ask for any; name a target that every network has in the search grid"
        )
    return rows["value"].to_numpy()
