"""Score rows to the numbers of a board: every metric over seeds, for each table of a grid. No text, no drawing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.config import grid as grids
from pipeline.config.datasets import Dataset
from pipeline.core.errors import BenchError
from pipeline.core.targets import is_cost
from pipeline.score import metrics, score_table, stats


@dataclass(frozen=True)
class Stat:
    """One metric of one predictor at one training size, over seeds.

    `values` holds the numbers there are and `seeds` the seed of each; `expected` counts the seeds of the grid; `failed`
    lists the others as (seed, status), with status "undefined" where a run ended well and the metric has no value, and
    "missing" where there is no row.
    """

    values: tuple[float, ...]
    expected: int
    failed: tuple[tuple[int, str], ...] = ()
    seeds: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every seed of the grid has a number."""
        return 0 < self.expected == len(self.values)

    @property
    def mean(self) -> float | None:
        """Mean over the seeds that have a number; None without any."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; None with fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def se(self) -> float | None:
        """Standard error of the mean; None with fewer than two seeds."""
        return None if self.sd is None else self.sd / len(self.values) ** 0.5

    @property
    def half(self) -> float | None:
        """Half of the mean's 95 % interval (Student's t over seeds); None with fewer than two seeds."""
        return None if self.se is None else stats.t_quantile(len(self.values) - 1) * self.se


@dataclass(frozen=True)
class Size:
    """A training size: the grid's word; labels trained on, for validation (range over predictors), of other devices."""

    fraction: str
    n_train: int
    n_val: tuple[int, int]
    n_source: int = 0

    @property
    def word(self) -> str:
        """The word without the mark of other devices' labels: `0.05`, `n900`, `stage`, `without-vgg16`."""
        return self.fraction.partition("-from-")[0]

    @property
    def is_count(self) -> bool:
        """True for a fraction or a number of labels, which a curve over label budgets can show."""
        return self.word != "stage" and not self.word.startswith("without-")


class Table:
    """All scores of one (dataset, protocol, target, scored_on): predictors x sizes x devices x seeds."""

    def __init__(self, cells: list[grids.Cell], scored_on: str, rows: pl.DataFrame, about: Dataset):
        first = cells[0]
        self.about, self.synthetic = about, about.synthetic
        self.dataset, self.protocol, self.target = first.dataset, first.protocol, first.target
        self.scored_on = scored_on
        self.rows = rows
        self.devices = list(dict.fromkeys(cell.device for cell in cells))
        self.predictors = list(dict.fromkeys(cell.label for cell in cells))
        self.overrides = {cell.label: cell.overrides for cell in cells}  # JSON, over the predictor's defaults
        self.seeds = sorted({cell.seed for cell in cells})
        self.sizes = _sizes(rows)
        self.is_cost = is_cost(scored_on)
        # Not MAPE: a few labels near zero (raspi4, pixel3) decide its mean over devices; Acc(10 %) is bounded.
        # Few-shot papers report Spearman's correlation.
        self.metric = "spearman" if self.protocol == "few_shot" else "acc10" if self.is_cost else "kendall_tau"
        # Papers score accuracy on the whole space, training cells included (GATES does not), cost on what was held out.
        self.split = "test" if self.is_cost or self.protocol == "gates" else "all"
        self._stats: dict[tuple, Stat] = {}
        self._expected: dict[tuple, set[int]] = {}
        for cell in cells:
            self._expected.setdefault((cell.label, cell.train, cell.device), set()).add(cell.seed)
        columns = ("predictor", "fraction", "device", "seed", "split", "metric", "value", "status")
        self._found: dict[tuple, dict[int, tuple[float | None, str]]] = {}
        for *key, value, status in rows.select(columns).iter_rows():
            predictor, fraction, device, seed, split, metric = key
            at = self._found.setdefault((predictor, fraction, device, split, metric), {})
            at[seed] = (value, status)

    @property
    def name(self) -> str:
        """File and anchor name: dataset, protocol, the label scored on."""
        return f"{self.dataset}-{self.protocol}-{self.scored_on}"

    @property
    def version(self) -> str:
        """Version of the data set the scores were made from."""
        return self.rows["dataset_version"][0]

    def stat(self, predictor: str, size: Size, metric: str, split: str, device: str | None = None) -> Stat:
        """A metric over seeds; without `device`, the mean over all devices, for the seeds that have them all."""
        key = (predictor, size.fraction, metric, split, device)
        if key not in self._stats:
            places = [(size.fraction, d) for d in ([device] if device else self.devices)]
            self._stats[key] = self._over(predictor, metric, split, places)
        return self._stats[key]

    def over_sizes(self, predictor: str, metric: str, split: str, device: str | None = None) -> Stat:
        """The mean over all sizes (and devices) of a metric, over the seeds that have them all."""
        key = (predictor, None, metric, split, device)
        if key not in self._stats:
            devices = [device] if device else self.devices
            places = [(size.fraction, d) for size in self.sizes for d in devices]
            self._stats[key] = self._over(predictor, metric, split, places)
        return self._stats[key]

    def _over(self, predictor: str, metric: str, split: str, places: list[tuple[str, str]]) -> Stat:
        """The mean over (size, device) places, seed by seed."""
        expected = set().union(*(self._expected.get((predictor, *place), set()) for place in places))
        values, seeds, failed = [], [], []
        for seed in sorted(expected):
            found = [self._one(predictor, fraction, device, split, metric, seed) for fraction, device in places]
            bad = next((status for value, status in found if value is None), None)
            if bad is None:
                values.append(statistics.fmean(value for value, _ in found))
                seeds.append(seed)
            else:
                failed.append((seed, bad))
        return Stat(tuple(values), len(expected), tuple(failed), tuple(seeds))

    def _one(self, predictor, fraction, device, split, metric, seed) -> tuple[float | None, str]:
        at = self._found.get((predictor, fraction, device, split, metric), {})
        value, status = at.get(seed, (None, "missing"))
        return (value, status) if value is not None or status != "ok" else (None, "undefined")

    def main(self, predictor: str, size: Size, device: str | None = None) -> Stat:
        """The main metric on the main split."""
        return self.stat(predictor, size, self.metric, self.split, device)

    def better(self, metric: str, value: float) -> float:
        """`value` turned so that more is better."""
        return -value if metric in metrics.LOWER_IS_BETTER else value

    def overall(self, predictor: str) -> float | None:
        """Mean of the main metric over all sizes; None when a size lacks a seed."""
        stat = self.over_sizes(predictor, self.metric, self.split)
        return stat.mean if stat.complete else None

    def ranked(self) -> list[str]:
        """Predictors, best mean over sizes first; those that lack a number come last, by how many sizes they have."""

        def order(predictor: str) -> tuple:
            overall = self.overall(predictor)
            if overall is not None:
                return (0, -self.better(self.metric, overall), predictor)
            found = [self.main(predictor, size) for size in self.sizes]
            means = [self.better(self.metric, stat.mean) for stat in found if stat.mean is not None]
            return (1, -len(means), -statistics.fmean(means) if means else 0.0, predictor)

        return sorted(self.predictors, key=order)

    def ranked_at(self, size: Size, metric: str | None = None, device: str | None = None) -> list[str]:
        """Predictors with all seeds at `size`, best first."""
        metric = metric or self.metric
        found = {p: self.stat(p, size, metric, self.split, device) for p in self.predictors}
        complete = [p for p in self.predictors if found[p].complete]
        return sorted(complete, key=lambda p: (-self.better(metric, found[p].mean), p))

    def summary_sizes(self) -> list[Size]:
        """The sizes of a short summary: 1 % and 5 % of the data set, or else the smallest and the largest."""
        chosen = [size for size in self.sizes if size.fraction in ("0.01", "0.05")]
        if len(chosen) == 2 or len(self.sizes) < 2:
            return chosen if len(chosen) == 2 else list(self.sizes)
        return [self.sizes[0], self.sizes[-1]]


def _sizes(rows: pl.DataFrame) -> list[Size]:
    """The training sizes in `rows`, smallest first."""
    aggregates = {"n": pl.max("n_train"), "low": pl.min("n_val"), "high": pl.max("n_val"), "source": pl.max("n_source")}
    grouped = rows.group_by("fraction").agg(**aggregates).sort("n", "fraction")
    return [Size(fraction, n, (low, high), source) for fraction, n, low, high, source in grouped.iter_rows()]


def tables_of(grid: grids.Grid, rows: pl.DataFrame, known: dict[str, Dataset], where: Path | str) -> list[Table]:
    """The tables of a grid, in its order; those without any score are left out. `known` are the data sets by name.

    Raises BenchError when `rows` hold a cell that the grid lacks, one label with two configurations, or one data set
    in two versions.
    """
    groups: dict[tuple, list[grids.Cell]] = {}
    for cell in grid.cells:
        groups.setdefault((cell.dataset, cell.protocol, cell.target), []).append(cell)
    cells_known = {(c.dataset, c.protocol, c.target, c.device, c.label, c.train, c.seed) for c in grid.cells}
    _refuse_strangers(rows, cells_known, where)
    _refuse_several(rows, ["dataset", "protocol", "target", "predictor"], "config_hash", where, "configurations")
    _refuse_several(rows, ["dataset"], "dataset_version", where, "versions of the data")
    found = []
    for (dataset, protocol, target), cells in groups.items():
        for label in score_table.scored_on(protocol, target):
            part = rows.filter(dataset=dataset, protocol=protocol, target=target, scored_on=label)
            if part.height:
                found.append(Table(cells, label, part, known[dataset]))
    if not found:
        raise BenchError(f"{where}: no scores of this grid; run the scoring step first")
    return found


def _refuse_strangers(rows: pl.DataFrame, known: Iterable[tuple], where: Path | str) -> None:
    columns = ["dataset", "protocol", "target", "device", "predictor", "fraction", "seed"]
    for cell in rows.select(columns).unique(maintain_order=True).iter_rows():
        if cell not in known:
            raise BenchError(f"{where}: {' '.join(map(str, cell))} is not a cell of the grid; score the grid again")


def _refuse_several(rows: pl.DataFrame, labels: list[str], column: str, where: Path | str, what: str) -> None:
    """Raise BenchError when rows that share `labels` differ in `column`."""
    several = (
        rows.group_by(labels, maintain_order=True).agg(pl.col(column).unique()).filter(pl.col(column).list.len() > 1)
    )
    if several.height:
        both = " and ".join(sorted(several[0, column]))
        label = " ".join(several.select(labels).row(0))
        raise BenchError(f"{where}: {label} was run with two {what} ({both}); run the older cells again")
