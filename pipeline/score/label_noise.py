"""How well labels agree with themselves, measured from the data: a ceiling for correlations, a floor for errors.

Five measures. `second`: a second measurement of the same networks, the target second_<target> of a data set.
`repeats`: networks of one isomorphism class are the same network, trained or timed more than once; the first two of
each class (by graph_id) are one measurement and its repeat. `pairs`: two kinds of labels of the same networks, where
config/datasets.yaml names them; no predictor trained on one can rank the other better than that. `rerun`: the same chip
timed with other versions of its software, which the data set names, brought to one scale by the median ratio: what
versions change besides is in it. `additive`: costs as sums over the places of a network (`pipeline.score.additive`), a
ceiling for what adds up blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from pipeline.config import datasets
from pipeline.config.cell_spec import CellSpec
from pipeline.config.datasets import Dataset
from pipeline.config.nasflat import FEW_SHOT
from pipeline.core.targets import is_cost
from pipeline.score import metrics, score_table
from pipeline.spaces import additive

FEWEST = 50  # pairs; fewer say too little
FEWEST_SECOND = 20  # a second measurement knows what it compares; isomorphic cells are luck
SECOND = "second"
REPEATS = "repeats"
RERUN = "rerun"
ADDITIVE = "additive"  # `n` networks held out of the fit; `values` has r2 too
FAULTY = "faulty"  # no agreement: `n` labels cannot be and are left out, `share` percent of all
BUSY = "busy"  # no agreement: `n` labels, `share` percent, were timed beside other work, and never twice alike
HIGH_FLOOR = 5.0  # MAPE of a second measurement, %, from which on boards open with a warning
MANY_BUSY = 5.0  # share of BUSY labels, %, from which on they do


@dataclass(frozen=True)
class Noise:
    """One agreement of labels. `values` holds kendall_tau, and spearman, mape and acc10 for costs; `n`: networks."""

    dataset: str
    scored_on: str
    device: str
    kind: str  # REPEATS, SECOND, RERUN, ADDITIVE, FAULTY, BUSY, or the other label
    n: int
    values: dict[str, float]


def repeats(dataset: str, scored_on: str, device: str, iso: np.ndarray, values: np.ndarray) -> Noise | None:
    """Agreement of two measurements of one network; `iso` and `values` have shape (m,), ordered by graph_id.

    None with fewer than 50 classes of two or more networks, or where a metric is undefined.
    """
    order = np.argsort(iso, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(iso[order]) != 0])
    firsts = starts[np.diff(np.r_[starts, len(order)]) > 1]
    return _noise(dataset, scored_on, device, REPEATS, values[order[firsts + 1]], values[order[firsts]])


def pairs(dataset: str, scored_on: str, device: str, other: str, a: np.ndarray, b: np.ndarray) -> Noise | None:
    """Agreement of two kinds of labels of the same networks, both (m,)."""
    return _noise(dataset, scored_on, device, other, a, b)


def _noise(dataset: str, scored_on: str, device: str, kind: str, a: np.ndarray, b: np.ndarray) -> Noise | None:
    if len(a) < (FEWEST_SECOND if kind == SECOND else FEWEST):
        return None
    names = ["kendall_tau", *(("spearman", "mape", "acc10") if is_cost(scored_on) else ())]
    values = {name: metrics.for_target(scored_on)[name](a, b) for name in names}
    if None in values.values():
        return None
    return Noise(dataset, scored_on, device, kind, len(a), {name: round(value, 6) for name, value in values.items()})


def of_cells(cells: Sequence[CellSpec], data) -> list[Noise]:
    """All agreements for the labels that `cells` are scored on or transfer from; `data`: a `score.Data`."""
    known = datasets.load()
    scored = {
        (c.dataset, label, device): None
        for c in cells
        for label in score_table.scored_on(c.protocol, c.target)
        for device in (c.device, *(c.sources.besides(c.device) if c.sources and c.protocol in FEW_SHOT else ()))
    }
    return [noise for dataset, label, device in scored for noise in measure(data, known[dataset], label, device)]


def measure(data, about: Dataset, scored_on: str, device: str) -> list[Noise]:
    """All agreements for one label."""
    labels = data.labels(about.name, scored_on, device)
    agreements = [repeats(about.name, scored_on, device, data.graphs(about.name)[labels.ids], labels.values)]
    if device in about.targets.get(f"second_{scored_on}", ()):
        agreements.append(_with(data, about, scored_on, device, f"second_{scored_on}", SECOND))
    for ceiling in about.ceilings:
        both = not ceiling.other_dataset and all(device in about.targets.get(name, ()) for name in ceiling.labels)
        if both and scored_on in ceiling.labels:
            other = next(name for name in ceiling.labels if name != scored_on)
            agreements.append(_with(data, about, scored_on, device, other, other))
    if device in about.reruns and is_cost(scored_on):
        ours, theirs = _of_both(data, about.name, (scored_on, device), (scored_on, about.reruns[device]))
        scale = float(np.median(ours / theirs)) if len(ours) else 1.0
        agreements.append(_noise(about.name, scored_on, device, RERUN, theirs * scale, ours))
    agreements.append(_additive(data, about, scored_on, device) if is_cost(scored_on) else None)
    counts = {FAULTY: data.n_faulty(about.name, scored_on, device), BUSY: data.n_busy(about.name, scored_on, device)}
    n_all = counts[FAULTY] + len(labels.ids)
    for kind, n in counts.items():
        if n:
            agreements.append(Noise(about.name, scored_on, device, kind, n, {"share": round(100 * n / n_all, 6)}))
    return [noise for noise in agreements if noise]


def _additive(data, about: Dataset, scored_on: str, device: str) -> Noise | None:
    """Labels beside sums over places; None where the networks' names don't list places."""
    chosen = data.places(about.name)
    if chosen is None:
        return None
    labels = data.labels(about.name, scored_on, device)
    predicted, true = additive.held_out(chosen[labels.ids], labels.values)
    found = _noise(about.name, scored_on, device, ADDITIVE, predicted, true)
    return found and replace(found, values=found.values | {"r2": round(additive.r2(predicted, true), 6)})


def _with(data, about: Dataset, scored_on: str, device: str, other: str, kind: str) -> Noise | None:
    """Agreement of the label `scored_on` with that called `other`, as if the other predicted it."""
    ours, theirs = _of_both(data, about.name, (scored_on, device), (other, device))
    return pairs(about.name, scored_on, device, kind, theirs, ours)


def _of_both(data, dataset: str, *labels: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Two kinds of labels, each a (target, device), of the networks that have both."""
    ours, theirs = (data.labels(dataset, *label) for label in labels)
    _, i, j = np.intersect1d(ours.ids, theirs.ids, return_indices=True)
    return ours.values[i], theirs.values[j]


def floor(
    noise: Sequence[Noise], dataset: str, scored_on: str, devices: Sequence[str], kind: str = SECOND
) -> dict[str, float]:
    """Metrics between a first and a second measurement, mean over `devices`; {} where one of them has no second.

    The same for the agreements of another `kind`.
    """
    by_device = {n.device: n.values for n in noise if (n.dataset, n.scored_on, n.kind) == (dataset, scored_on, kind)}
    values = [by_device[device] for device in devices if device in by_device]
    if not values or len(values) < len(devices):
        return {}
    return {name: float(np.mean([v[name] for v in values])) for name in values[0] if all(name in v for v in values)}


def doubtful(noise: Sequence[Noise]) -> list[Noise]:
    """Second measurements that disagree by more than HIGH_FLOOR on average, and counts of over MANY_BUSY labels."""
    most = {SECOND: ("mape", HIGH_FLOOR), BUSY: ("share", MANY_BUSY)}
    limits = ((n, *most[n.kind]) for n in noise if n.kind in most)
    return [n for n, name, limit in limits if n.values.get(name, 0.0) > limit]


def dump(noise: list[Noise]) -> list[dict]:
    """As JSON values, for the metadata of the table of scores."""
    return [asdict(agreement) for agreement in noise]


def parse(raw: list[dict] | None) -> list[Noise]:
    """From the metadata of a table of scores; [] where it has none. Raises TypeError or ValueError: it is none such."""
    found = [Noise(**item) for item in raw or []]
    for noise in found:
        if not all(isinstance(word, str) for word in (noise.dataset, noise.scored_on, noise.device, noise.kind)):
            raise TypeError("a noise is not of a data set, label and device")
        if not all(map(score_table.is_number, (noise.n, *noise.values.values()))) or type(noise.n) is not int:
            raise ValueError(f"the noise of {noise.dataset} has no finite numbers")
        if lacking := _needed(noise) - noise.values.keys():
            raise ValueError(f"the noise of {noise.dataset} lacks {min(lacking)}")
    return found


def _needed(noise: Noise) -> set[str]:
    """What boards quote of a noise."""
    if noise.kind in (FAULTY, BUSY):
        return {"share"}
    errors = {"mape", "acc10"} if is_cost(noise.scored_on) else set()
    return {"kendall_tau"} | errors | ({"r2"} if noise.kind == ADDITIVE else set())
