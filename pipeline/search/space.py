"""What a search looks through: networks without labels, and the labels that it has to ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config.search_grid import Task
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, from_frame
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
    """What a network's query answers (n,), and what the network is judged by (n,); percent."""

    query: np.ndarray
    report: np.ndarray

    @property
    def floor(self) -> float:
        """Regret of a search that queried every network."""
        return float(self.report.max() - self.report[self.query.argmax()])


def read(task: Task, data: Path) -> tuple[Networks, Labels, str]:
    """Networks, labels and version of a task's data set, from the tables under `data`.

    Raises BenchError: a file can't be read, or not every network has every label.
    """
    folder = data / "parquet" / task.dataset
    frame, meta = io.read_parquet(folder / "graphs.parquet"), io.read_meta(folder / "graphs.parquet")
    targets = io.read_parquet(folder / "targets.parquet")
    report = [_labels(targets, target, frame.height, folder) for target in task.report]
    labels = Labels(_labels(targets, task.query, frame.height, folder), np.mean(report, axis=0))
    family = frame["family"][0]
    return Networks(from_frame(frame, meta), family, tuple(frame["name"])), labels, meta["version"]


def _labels(targets: pl.DataFrame, target: str, n: int, folder: Path) -> np.ndarray:
    rows = targets.filter((pl.col("target") == target) & (pl.col("device") == "any")).sort("graph_id")
    if rows.height != n:
        raise BenchError(
            f"{folder / 'targets.parquet'}: {rows.height} labels {target} for {n} networks, "
            "and a search may ask for any; name a target that every network has in the search grid"
        )
    return rows["value"].to_numpy()
