"""How alike devices are: Spearman's correlation of the same networks' costs on every two devices of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from pipeline.config import datasets
from pipeline.config.cell_spec import CellSpec
from pipeline.config.nasflat import FEW_SHOT
from pipeline.score import metrics, score_table

FEWEST = 20  # networks with a label on both


@dataclass(frozen=True)
class Likeness:
    """`rho`: of every two of `devices`, (0, 1), (0, 2), ..., (1, 2), ...; NaN-free."""

    dataset: str
    target: str
    devices: tuple[str, ...]
    rho: tuple[float, ...]

    @property
    def matrix(self) -> np.ndarray:
        """(devices, devices), symmetric, ones on the diagonal."""
        return squareform(np.array(self.rho)) + np.eye(len(self.devices))

    @property
    def tree(self) -> np.ndarray:
        """Average linkage of the distances 1 - rho, as scipy writes it, near leaves side by side."""
        distance = np.clip(1 - np.array(self.rho), 0, None)
        return hierarchy.linkage(distance, "average", optimal_ordering=True)

    def nearest(self, device: str) -> tuple[str, float]:
        """The device most like one, and their rho."""
        row = self.matrix[self.devices.index(device)]
        row[self.devices.index(device)] = -np.inf
        return self.devices[int(row.argmax())], float(row.max())


def of_cells(cells: Sequence[CellSpec], data) -> list[Likeness]:
    """Of all devices of each data set that `cells` transfer between; `data` is a `pipeline.score.score.Data`."""
    known = datasets.load()
    named = {(c.dataset, c.target): None for c in cells if c.protocol in FEW_SHOT}
    found = [measure(data, name, target, known[name].targets[target]) for name, target in named]
    return [alike for alike in found if alike]


def measure(data, dataset: str, target: str, devices: Sequence[str]) -> Likeness | None:
    """Of all `devices`, faulty labels left out; None with fewer than three, or where two share too little to say."""
    labels = [data.labels(dataset, target, device) for device in devices]
    rho = []
    for i, ours in enumerate(labels):
        for theirs in labels[i + 1 :]:
            _, a, b = np.intersect1d(ours.ids, theirs.ids, assume_unique=True, return_indices=True)
            rho.append(metrics.spearman(ours.values[a], theirs.values[b]) if len(a) >= FEWEST else None)
    if len(devices) < 3 or None in rho:
        return None
    return Likeness(dataset, target, tuple(devices), tuple(round(value, 4) for value in rho))


def dump(found: Sequence[Likeness]) -> list[dict]:
    """As JSON values, for the metadata of the table of scores."""
    return [asdict(likeness) for likeness in found]


def parse(raw: list[dict] | None) -> list[Likeness]:
    """From the metadata of a table of scores; [] where it has none. Raises TypeError or ValueError: it is none such."""
    found = [
        Likeness(item["dataset"], item["target"], tuple(item["devices"]), tuple(item["rho"])) for item in raw or []
    ]
    for alike in found:
        n = len(alike.devices)
        if n < 2 or not all(isinstance(word, str) for word in (alike.dataset, alike.target, *alike.devices)):
            raise TypeError("a likeness is not of the devices of a data set")
        if len(alike.rho) != n * (n - 1) // 2 or not all(
            score_table.is_number(rho) and abs(rho) <= 1 for rho in alike.rho
        ):
            raise ValueError(f"the likeness of devices of {alike.dataset} has not a number for every two")
    return found
