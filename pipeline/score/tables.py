"""Score rows to the numbers of a board: every metric over seeds, for each table of a grid. No text, no drawing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.config import grid as grids
from pipeline.config.budget import Budget
from pipeline.config.cell_spec import CellSpec
from pipeline.config.datasets import Dataset
from pipeline.config.nasflat import FEW_SHOT
from pipeline.core.errors import BenchError, quoted
from pipeline.core.targets import is_cost
from pipeline.score import metrics, score_table, stats


@dataclass(frozen=True)
class Stat:
    """One metric of one predictor at one training size, over seeds.

    `values` holds the numbers there are and `seeds` the seed of each; `expected` counts the seeds that the grid asks
    for; `failed` lists the others as (seed, status), with status "undefined" where a run ended well and the metric has
    no value, and "missing" where there is no row.
    """

    values: tuple[float, ...]
    expected: int
    failed: tuple[tuple[int, str], ...] = ()
    seeds: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """True when every seed of the grid has a number."""
        return 0 < self.expected == len(self.values)

    def values_of(self, seeds: Sequence[int]) -> list[float]:
        """The values of some of its seeds, in their order."""
        by_seed = dict(zip(self.seeds, self.values, strict=True))
        return [by_seed[seed] for seed in seeds]

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
    """A budget as it came out: most labels trained on, for validation (range over predictors), of other devices.

    `fewest`: labels trained on where a device or a seed has fewer; all of them are no number for all alike.
    """

    budget: Budget
    n_train: int
    n_val: tuple[int, int]
    n_source: int = 0
    fewest: int | None = None


class Table:
    """All scores of one (dataset, protocol, target, scored_on): predictors x sizes x devices x seeds."""

    def __init__(
        self, cells: list[CellSpec], scored_on: str, rows: pl.DataFrame, about: Dataset,
        looked_at: dict[str, int] | None = None,
    ):  # fmt: skip
        first = cells[0]
        self.about, self.synthetic = about, about.synthetic
        self.dataset, self.protocol, self.target = first.dataset, first.protocol, first.target
        self.scored_on = scored_on
        self.rows = rows
        self.devices = list(dict.fromkeys(cell.device for cell in cells))
        self.predictors = list(dict.fromkeys(cell.label for cell in cells))
        self.overrides = {cell.label: cell.overrides for cell in cells}  # JSON, over the predictor's defaults
        self.seeds = sorted({cell.seed for cell in cells})
        self.looked_at = looked_at or {}  # by label: seeds that had been seen when the others were added
        self.splits = set(rows["split"].unique())
        self.sizes = _sizes(rows)
        self.is_cost = is_cost(scored_on)
        # Not MAPE: a few labels near zero (raspi4, pixel3) decide its mean over devices; Acc(10 %) is bounded.
        # Few-shot papers report Spearman's correlation.
        self.metric = "spearman" if self.protocol in FEW_SHOT else "acc10" if self.is_cost else "kendall_tau"
        # Papers score accuracy on the whole space, training cells included (GATES does not), cost on what was held out.
        self.split = "test" if self.is_cost or self.protocol in ("gates", "in_domain") else "all"
        self._stats: dict[tuple, Stat] = {}
        self._seeds: dict[tuple, set[int]] = {}  # that the grid asks for, by (predictor, budget, device)
        for cell in cells:
            self._seeds.setdefault((cell.label, str(cell.budget), cell.device), set()).add(cell.seed)
        columns = ("predictor", "budget", "device", "split", "metric", "seed", "value", "status")
        self._values: dict[tuple, dict[int, tuple[float | None, str]]] = {}  # (value, status) by seed
        for *key, seed, value, status in rows.select(columns).iter_rows():
            self._values.setdefault(tuple(key), {})[seed] = (value, status)

    @property
    def name(self) -> str:
        """File and anchor name: dataset, protocol, the label scored on."""
        return f"{self.dataset}-{self.protocol}-{self.scored_on}"

    @property
    def version(self) -> str:
        """Version of the data set the scores were made from."""
        return self.rows["dataset_version"][0]

    def seeds_of(self, predictor: str, sizes: Sequence[Size], devices: Sequence[str] | None = None) -> set[int]:
        """The seeds that the grid asks of a predictor at all of some sizes, on all of some devices (default: all)."""
        places = [(predictor, str(size.budget), device) for size in sizes for device in devices or self.devices]
        return set.intersection(*(self._seeds.get(place, set()) for place in places))

    @cached_property
    def shared_sizes(self) -> list[Size]:
        """The sizes that predictors are compared over: all, where the grid asks every predictor for all of them.

        Else those of one of the predictors: such that the sizes, times the predictors that have them, are most.
        """
        sizes_of = {p: tuple(size for size in self.sizes if self.seeds_of(p, [size])) for p in self.predictors}

        def cells(sizes: tuple[Size, ...]) -> tuple[int, int]:
            return len(sizes) * sum(set(sizes) <= set(others) for others in sizes_of.values()), len(sizes)

        return list(max(dict.fromkeys(sizes_of.values()), key=cells)) or self.sizes

    def stat(self, predictor: str, size: Size, metric: str, split: str, device: str | None = None) -> Stat:
        """A metric over seeds; without `device`, the mean over all devices, for the seeds that have them all."""
        return self.over_sizes(predictor, metric, split, device, [size])

    def over_sizes(
        self, predictor: str, metric: str, split: str, device: str | None = None, sizes: Sequence[Size] | None = None
    ) -> Stat:
        """The mean of a metric over some sizes (default: all) and devices, over the seeds that have them all."""
        sizes = self.sizes if sizes is None else sizes
        key = (predictor, tuple(str(size.budget) for size in sizes), metric, split, device)
        if key not in self._stats:
            devices = [device] if device else self.devices
            places = [(str(size.budget), d) for size in sizes for d in devices]
            self._stats[key] = self._mean(predictor, metric, split, places, self.seeds_of(predictor, sizes, devices))
        return self._stats[key]

    def _mean(self, predictor: str, metric: str, split: str, places: list[tuple[str, str]], seeds: set[int]) -> Stat:
        """The mean over (size, device) places, seed by seed."""
        values, complete, failed = [], [], []
        for seed in sorted(seeds):
            cells = [self._value(predictor, budget, device, split, metric, seed) for budget, device in places]
            bad = next((status for value, status in cells if value is None), None)
            if bad is None:
                values.append(statistics.fmean(value for value, _ in cells))
                complete.append(seed)
            else:
                failed.append((seed, bad))
        return Stat(tuple(values), len(seeds), tuple(failed), tuple(complete))

    def _value(self, predictor, budget, device, split, metric, seed) -> tuple[float | None, str]:
        by_seed = self._values.get((predictor, budget, device, split, metric), {})
        value, status = by_seed.get(seed, (None, "missing"))
        return (value, status) if value is not None or status != "ok" else (None, "undefined")

    def main(self, predictor: str, size: Size, device: str | None = None) -> Stat:
        """The main metric on the main split."""
        return self.stat(predictor, size, self.metric, self.split, device)

    def better(self, metric: str, value: float) -> float:
        """`value` turned so that more is better."""
        return -value if metric in metrics.LOWER_IS_BETTER else value

    def overall(self, predictor: str) -> float | None:
        """Mean of the main metric over the shared sizes; None when one of them lacks a seed."""
        stat = self.over_sizes(predictor, self.metric, self.split, sizes=self.shared_sizes)
        return stat.mean if stat.complete else None

    def ranked(self) -> list[str]:
        """Predictors, best mean over the shared sizes first; those without come last, by how many sizes they have."""

        def order(predictor: str) -> tuple:
            overall = self.overall(predictor)
            if overall is not None:
                return (0, -self.better(self.metric, overall), predictor)
            stats_by_size = [self.main(predictor, size) for size in self.sizes]
            means = [self.better(self.metric, stat.mean) for stat in stats_by_size if stat.mean is not None]
            return (1, -len(means), -statistics.fmean(means) if means else 0.0, predictor)

        return sorted(self.predictors, key=order)

    def ranked_at(self, size: Size, metric: str | None = None, device: str | None = None) -> list[str]:
        """Predictors with all seeds at `size`, best first."""
        metric = metric or self.metric
        by_predictor = {p: self.stat(p, size, metric, self.split, device) for p in self.predictors}
        complete = [p for p in self.predictors if by_predictor[p].complete]
        return sorted(complete, key=lambda p: (-self.better(metric, by_predictor[p].mean), p))

    def summary_sizes(self) -> list[Size]:
        """The sizes of a short summary: 1 % and 5 % of the data set, or else the smallest and the largest."""
        chosen = [size for size in self.sizes if str(size.budget) in ("0.01", "0.05")]
        if len(chosen) == 2:
            return chosen
        sound = [size for size in self.sizes if not size.budget.faulty] or self.sizes
        return [sound[0], sound[-1]] if len(sound) > 1 else sound


def _sizes(rows: pl.DataFrame) -> list[Size]:
    """The training sizes in `rows`, smallest first, one with faulty labels before the same without."""
    aggregates = {"n": pl.max("n_train"), "low": pl.min("n_val"), "high": pl.max("n_val"), "source": pl.max("n_source")}
    grouped = rows.group_by("budget").agg(**aggregates, fewest=pl.min("n_train")).sort("n", "budget")
    sizes = [
        Size(Budget.parse(word), n, (low, high), source, fewest if fewest < n and not high else None)
        for word, n, low, high, source, fewest in grouped.iter_rows()
    ]
    return sorted(sizes, key=lambda size: (size.n_train, not size.budget.faulty))


def tables_of(grid: grids.Grid, rows: pl.DataFrame, known: dict[str, Dataset], where: Path | str) -> list[Table]:
    """The tables of a grid, in its order; those without any score are left out. `known` are the data sets by name.

    Raises BenchError when `rows` hold a cell that the grid lacks, one label with two configurations, or one data set
    in two versions.
    """
    groups: dict[tuple, list[CellSpec]] = {}
    for cell in grid.cells:
        groups.setdefault((cell.dataset, cell.protocol, cell.target), []).append(cell)
    cells_known = {c.key for c in grid.cells}
    _refuse_strangers(rows, cells_known, where)
    _refuse_several(rows, ["dataset", "protocol", "target", "predictor"], "config_hash", where, "configurations")
    _refuse_several(rows, ["dataset"], "dataset_version", where, "versions of the data")
    tables = []
    for (dataset, protocol, target), cells in groups.items():
        for label in score_table.scored_on(protocol, target):
            part = rows.filter(dataset=dataset, protocol=protocol, target=target, scored_on=label)
            if part.height:
                keys = {cell.label: (dataset, protocol, target, cell.label) for cell in cells}
                looked_at = {name: grid.looked_at[key] for name, key in keys.items() if key in grid.looked_at}
                tables.append(Table(cells, label, part, known[dataset], looked_at))
    if not tables:
        raise BenchError(f"{where}: no scores of this grid; run the scoring step first")
    return tables


def _refuse_strangers(rows: pl.DataFrame, known: Iterable[tuple], where: Path | str) -> None:
    columns = ["dataset", "protocol", "target", "device", "predictor", "budget", "seed"]
    for cell in rows.select(columns).unique(maintain_order=True).iter_rows():
        if cell not in known:
            stranger = quoted(" ".join(map(str, cell)))
            raise BenchError(f"{where}: {stranger} is not a cell of the grid; score the grid again")


def _refuse_several(rows: pl.DataFrame, labels: list[str], column: str, where: Path | str, what: str) -> None:
    """Raise BenchError when rows that share `labels` differ in `column`."""
    several = (
        rows.group_by(labels, maintain_order=True).agg(pl.col(column).unique()).filter(pl.col(column).list.len() > 1)
    )
    if several.height:
        both = quoted(" and ".join(sorted(several[0, column])))
        label = quoted(" ".join(several.select(labels).row(0)))
        raise BenchError(f"{where}: {label} was run with two {what} ({both}); run the older cells again")
