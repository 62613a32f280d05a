"""How well labels agree with themselves, measured from the data: a ceiling for correlations, a floor for errors.

Two measures. `repeats`: networks of one isomorphism class are the same network, trained or timed more than once; the
first two of each class (by graph_id) are one measurement and its repeat. `pairs`: two kinds of labels of the same
networks, where config/datasets.yaml names them; no predictor trained on one can rank the other better than that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from pipeline import metrics
from pipeline.datasets import Dataset

FEWEST = 50  # pairs; fewer say too little


@dataclass(frozen=True)
class Noise:
    """One agreement of labels. `values` holds kendall_tau, and mape and acc10 for costs; `n` counts networks."""

    dataset: str
    scored_on: str
    device: str
    kind: str  # repeats, or the other label
    n: int
    values: dict[str, float]


def repeats(dataset: str, scored_on: str, device: str, iso: np.ndarray, values: np.ndarray) -> Noise | None:
    """Agreement of two measurements of one network; `iso` and `values` have shape (m,), ordered by graph_id.

    None with fewer than 50 classes of two or more networks, or where a metric is undefined.
    """
    order = np.argsort(iso, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(iso[order]) != 0])
    firsts = starts[np.diff(np.r_[starts, len(order)]) > 1]
    return _noise(dataset, scored_on, device, "repeats", values[order[firsts + 1]], values[order[firsts]])


def pairs(dataset: str, scored_on: str, device: str, other: str, a: np.ndarray, b: np.ndarray) -> Noise | None:
    """Agreement of two kinds of labels of the same networks, both (m,)."""
    return _noise(dataset, scored_on, device, other, a, b)


def _noise(dataset: str, scored_on: str, device: str, kind: str, a: np.ndarray, b: np.ndarray) -> Noise | None:
    if len(a) < FEWEST:
        return None
    names = ["kendall_tau", *(("mape", "acc10") if metrics.is_cost(scored_on) else ())]
    found = {name: metrics.for_target(scored_on)[name](a, b) for name in names}
    if None in found.values():
        return None
    return Noise(dataset, scored_on, device, kind, len(a), {name: round(value, 6) for name, value in found.items()})


def measure(data, about: Dataset, scored_on: str, device: str) -> list[Noise]:
    """All agreements for one label; `data` is a `pipeline.score.Data`."""
    labels = data.labels(about.name, scored_on, device)
    found = [repeats(about.name, scored_on, device, data.graphs(about.name)[labels.ids], labels.values)]
    for ceiling in about.ceilings:
        names = ceiling.between.split(" and ")
        if scored_on in names and all(device in about.targets.get(name, ()) for name in names):
            other = next(name for name in names if name != scored_on)
            theirs = data.labels(about.name, other, device)
            _, i, j = np.intersect1d(labels.ids, theirs.ids, return_indices=True)
            found.append(pairs(about.name, scored_on, device, other, labels.values[i], theirs.values[j]))
    return [noise for noise in found if noise]


def dump(found: list[Noise]) -> list[dict]:
    """As JSON values, for the metadata of the table of scores."""
    return [asdict(noise) for noise in found]


def parse(raw: list[dict] | None) -> list[Noise]:
    """From the metadata of a table of scores; [] where it has none."""
    return [Noise(**item) for item in raw or []]
