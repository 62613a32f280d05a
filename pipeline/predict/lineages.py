"""Lineages left out: what a predictor that had none of a lineage is off by on it, and how well that foretells errors.

The checks are nested: what is said of a lineage's networks comes from the other lineages alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.predict import interval, neighbours
from pipeline.predict.interval import OFF_BY, Errors, Pairs
from pipeline.score import metrics
from pipeline.train.cell import Trained

LEVEL = 0.9  # of the intervals that are checked
SAME = ("dataset", "dataset_version", "target", "device", "predictor", "config_hash")


@dataclass(frozen=True)
class Predicted:
    """Networks with a label: `predicted` and `true` costs and `distance` to the nearest training network, (m,)."""

    predicted: np.ndarray
    true: np.ndarray
    distance: np.ndarray

    def part(self, which: np.ndarray) -> Predicted:
        """Those at some places or of a mask (m,)."""
        return Predicted(self.predicted[which], self.true[which], self.distance[which])

    @property
    def pairs(self) -> Pairs:
        """Their errors by distance."""
        return Pairs.of(self.distance, interval.errors(self.predicted, self.true))

    @property
    def accuracy(self) -> dict:
        """How many they are, and how well they are predicted, in percent."""
        mape, acc10 = (measure(self.predicted, self.true) for measure in (metrics.mape, metrics.acc10))
        return {"n": len(self.true), "mape": mape, "acc10": acc10}

    def held(self, half_widths: np.ndarray) -> dict:
        """`coverage`: how many intervals of half widths (m,) hold the label, in percent; `factor`: the mean of what the
        predictions are multiplied and divided by."""
        inside = self.pairs.error <= half_widths
        return {"coverage": 100 * float(inside.mean()), "factor": float(np.exp(half_widths).mean())}


@dataclass(frozen=True)
class LeftOut:
    """A predictor that learned from no network of a lineage, asked about all its `networks` with a label. `learnable`:
    which of them (m,) the final predictor may learn from, the others are held out; `held_out`: networks of the other
    lineages that are."""

    lineage: str
    networks: Predicted
    learnable: np.ndarray
    held_out: Predicted


def pairs(left_out: Sequence[LeftOut]) -> Pairs:
    """What intervals learn from: learnable networks of all lineages, each lineage weighing 1."""
    parts = [one.networks.part(one.learnable).pairs for one in left_out]
    return Pairs.joined([part for part in parts if len(part)])


def checked(left_out: Sequence[LeftOut]) -> dict:
    """What intervals and warnings are worth on lineages left out: `lineages`, and of all together `left_out`.

    Of each lineage: `Predicted.accuracy`, `Predicted.held` of intervals of LEVEL; `off`: how many networks' errors are
    over OFF_BY, `warned`: how many are called far off, `warned_off`: how many both. Together: means over lineages of
    `coverage` and `factor`, and over networks `precision` (of those warned, how many are off) and `recall` (of those
    off, how many are warned), all but `factor` in percent; None where there is none to count.
    """
    found = {}
    for one in left_out:
        errors = Errors(one.held_out.pairs, pairs([other for other in left_out if other is not one]))
        if not len(errors.left_out):
            continue
        try:
            widths = errors.half_widths(one.networks.distance, LEVEL)
        except BenchError:  # too few held out, or predicted at 0 or below
            continue
        off = one.networks.pairs.error > np.log1p(OFF_BY)
        warned = errors.chance(one.networks.distance) > interval.LIKELY
        counts = {"off": int(off.sum()), "warned": int(warned.sum()), "warned_off": int((off & warned).sum())}
        found[one.lineage] = {**one.networks.accuracy, **one.networks.held(widths), **counts}
    return {"lineages": found, "left_out": _together(list(found.values()))} if found else {}


def _together(found: list[dict]) -> dict:
    off, warned, both = (sum(one[key] for one in found) for key in ("off", "warned", "warned_off"))
    return {
        "n": sum(one["n"] for one in found),
        "coverage": float(np.mean([one["coverage"] for one in found])),
        "factor": float(np.mean([one["factor"] for one in found])),
        "off": off,
        "warned": warned,
        "precision": 100 * both / warned if warned else None,
        "recall": 100 * both / off if off else None,
    }


def asked(
    graphs: np.ndarray, prediction: np.ndarray, labels: Mapping[int, float], rows: np.ndarray, learned: np.ndarray
) -> Predicted:
    """The networks `graphs` (m,), of predictions (n,) of all, labels, rows (n, F) and what was `learned` (k,)."""
    distance = neighbours.Neighbours.from_rows(rows[learned]).distances(rows[graphs])
    return Predicted(prediction[graphs], np.array([labels[graph] for graph in graphs.tolist()]), distance)


def from_files(
    files: Sequence[Path], cell: Trained, labels: Mapping[int, float], rows: np.ndarray, least: np.ndarray,
    learnable: np.ndarray, held_out: tuple[np.ndarray, Predicted],
) -> list[LeftOut]:  # fmt: skip
    """From predictions files of the same predictor, data and device as `cell`, of budgets ``without-FAMILY``. Those
    that did not end well are passed over.

    `labels`, `rows`: as for `asked`; `least`: (n,) under any prediction; `learnable`: networks that `cell` learned
    from; `held_out`: those that it did not, and how it did. Raises BenchError: a file of another cell.
    """
    family = np.array([name or "" for name in cell.tables.frame["family"].to_list()])
    labelled = np.array(sorted(labels))
    graphs, known = held_out
    found = []
    for path in files:
        meta = io.read_meta(path)
        lineage = str(meta.get("budget", "")).removeprefix("without-")
        if lineage not in family or any(meta.get(key) != cell.about[key] for key in SAME):
            raise BenchError(
                f"{path}: not of {cell.about['predictor']} on {cell.about['device']} with a lineage left out; "
                "give predictions of the same cell with budgets without-FAMILY"
            )
        own = family[labelled] == lineage
        if meta["status"] == "ok" and own.any():
            prediction = np.maximum(io.read_parquet(path).sort("graph_id")["prediction"].to_numpy(), least)
            networks = asked(labelled[own], prediction, labels, rows, labelled[~own])
            others = known.part(family[graphs] != lineage)
            found.append(LeftOut(lineage, networks, np.isin(labelled[own], learnable), others))
    return found
