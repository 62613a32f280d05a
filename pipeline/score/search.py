"""Traces of searches to numbers: python -m pipeline.score.search

Regret is what the chosen network lacks to the best one, in percentage points of what networks are judged by. Chosen is,
after so many queries, the network with the best label seen; of equal ones the first. `query_regret` is what the best
label seen lacks to the best there is to query.

Where a front of accuracy against cost is looked for, found is the front of the labels seen, and `hypervolume` is what
it dominates in what networks are judged by, as a share of what the true front dominates.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats as scipy_stats

from pipeline.config import search_grid
from pipeline.config.search_grid import SearchGrid
from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.score import stats
from pipeline.score.fronts import hypervolume, non_dominated

STEP = 10  # queries between two points of a curve
WITHIN = (0.5, 0.1)  # percentage points
MEASURES = ("kendall_tau", "tau_of_best", "best_rank", "precision")
FEWER_IS_BETTER = {"best_rank"}
MORE_IS_BETTER = {"hypervolume"}  # of what searches are judged by
SHOWN = (0, 100)  # seed and queries of the fronts that boards show
OUT = Path("results/search/searches.parquet")


def chosen(queried: np.ndarray) -> np.ndarray:
    """After each query, the place (m,) of the best label so far; of equal ones the first."""
    best = np.maximum.accumulate(queried)
    new = np.r_[True, queried[1:] > best[:-1]]
    return np.maximum.accumulate(np.where(new, np.arange(len(queried)), 0))


def regrets(queried: np.ndarray, reported: np.ndarray, best: float) -> np.ndarray:
    """Regret (m,) after each query."""
    return best - reported[chosen(queried)]


def queries_within(regret: np.ndarray, points: float) -> int | None:
    """The first number of queries whose regret is at most `points`; None where it never is."""
    reached = np.flatnonzero(regret <= points + 1e-9)
    return int(reached[0]) + 1 if reached.size else None


def front_found(trace: pl.DataFrame, queries: int) -> np.ndarray:
    """Accuracy and cost (k, 2), in what networks are judged by, of the front of the labels that a search saw first."""
    queried, cost, reported = (trace[name].to_numpy()[:queries] for name in ("queried", "cost", "reported"))
    return np.stack([reported, cost], 1)[non_dominated(queried, cost)]


def rows_of(frame: pl.DataFrame, meta: dict, budgets: tuple[int, ...], space: str) -> list[tuple]:
    """(space, method, seed, queries, metric, value) of one file of traces."""
    method = meta["facts"]["method"]["name"]
    points = sorted({*range(meta["facts"]["start"], budgets[-1] + 1, STEP), *budgets})
    rows: list[tuple] = []
    for (seed,), trace in frame.sort("query").group_by("seed", maintain_order=True):
        rows += [(space, method, seed, n, "cpu_s", trace["cpu_s"][n - 1]) for n in budgets]
        rows.append((space, method, seed, budgets[-1], "random_picks", float(trace["failed"].sum())))
        if "reference" in meta:
            volumes = [hypervolume(*front_found(trace, n).T, meta["reference"]) / meta["best"] for n in points]
            rows += [(space, method, seed, n, "hypervolume", v) for n, v in zip(points, volumes, strict=True)]
            continue
        best_query = meta["best_query"]
        regret = regrets(trace["queried"].to_numpy(), trace["reported"].to_numpy(), meta["best"])
        rows += [(space, method, seed, n, "regret", float(regret[n - 1])) for n in points]
        rows += [(space, method, seed, n, "query_regret", best_query - trace["queried"][:n].max()) for n in budgets]
        for limit in WITHIN:
            first = queries_within(regret, limit)
            if first is not None:
                rows.append((space, method, seed, budgets[-1], f"queries_within_{limit}", float(first)))
    rows += [(space, method, seed, n, name, value) for seed, n, name, value in meta["measures"]]
    return rows


def score(grid: SearchGrid, searches: Path) -> tuple[pl.DataFrame, dict]:
    """All numbers of a grid, and what they are of. Raises BenchError: a file of traces is missing or another's."""
    rows, spaces, failures = [], {}, []
    for space, method in grid.pairs:
        path = searches / space / f"{method}.parquet"
        frame, meta = io.read_parquet(path), io.read_meta(path)
        if frame["seed"].n_unique() != grid.seeds or frame.height != grid.seeds * grid.budgets[-1]:
            raise BenchError(f"{path}: not {grid.seeds} searches of {grid.budgets[-1]} queries; delete and run again")
        rows += rows_of(frame, meta, grid.budgets, space)
        if space not in spaces:
            spaces[space] = {key: meta[key] for key in ("networks", "best", "floor", "limit")}
            spaces[space] |= {"task": meta["facts"]["task"]}
        if "reference" in meta:
            spaces[space] |= {"reference": meta["reference"], "front": meta["front"]}
            shown = frame.filter(pl.col("seed") == SHOWN[0]).sort("query")
            spaces[space].setdefault("found", {})[method] = front_found(shown, SHOWN[1])[:, ::-1].tolist()
        failures += [[space, method, seed, text] for seed, text in meta["failures"]]
    about = {
        "spaces": spaces, "methods": {name: method.by for name, method in grid.methods.items()}, "failures": failures,
        "order": {"spaces": list(grid.tasks), "methods": list(grid.methods)},
        "seeds": grid.seeds, "start": grid.start, "budgets": list(grid.budgets),
    } | {key: meta[key] for key in ("host_cpu", "torch_version", "code_rev")}  # fmt: skip
    schema = {"space": pl.Categorical, "method": pl.Categorical, "seed": pl.UInt16, "queries": pl.UInt16}
    schema |= {"metric": pl.Categorical, "value": pl.Float32}
    return pl.DataFrame(rows, schema=list(schema), orient="row").cast(schema), about


@dataclass(frozen=True)
class Searches:
    """The numbers of a grid's searches, as boards quote them."""

    frame: pl.DataFrame
    about: dict

    @classmethod
    def read(cls, path: Path) -> Searches:
        """From the file that `python -m pipeline.score.search` writes. Raises BenchError."""
        frame, about = io.read_parquet(path), io.read_meta(path)
        try:  # a file's keys are sorted
            ordered = {what: {name: about[what][name] for name in about["order"][what]} for what in about["order"]}
        except (KeyError, TypeError) as error:
            raise BenchError(f"{path}: not the numbers of searches; run python -m pipeline.score.search") from error
        return cls(frame, about | ordered)

    @property
    def predictors(self) -> list[str]:
        """Methods that fit a predictor."""
        return [name for name, by in self.about["methods"].items() if by == "predictor"]

    @property
    def fronts(self) -> list[str]:
        """Spaces where a front is looked for."""
        return [space for space, facts in self.about["spaces"].items() if "reference" in facts]

    @property
    def choices(self) -> list[str]:
        """Spaces where one network is chosen."""
        return [space for space in self.about["spaces"] if space not in self.fronts]

    @cached_property
    def _searched(self) -> dict[str, set[str]]:
        pairs = self.frame.select("space", "method").unique().cast(pl.String)
        return {space: set(rows["method"]) for (space,), rows in pairs.group_by("space")}

    def methods_of(self, space: str) -> list[str]:
        """Methods that searched a space."""
        return [name for name in self.about["methods"] if name in self._searched[space]]

    def predictors_of(self, space: str) -> list[str]:
        """Those of them that fit a predictor."""
        return [name for name in self.methods_of(space) if name in self.predictors]

    @cached_property
    def _values(self) -> dict[tuple, dict[int, float]]:
        found: dict[tuple, dict[int, float]] = {}
        for space, method, seed, queries, metric, value in self.frame.iter_rows():
            found.setdefault((space, method, queries, metric), {})[seed] = value
        return found

    def by_seed(self, space: str, method: str, queries: int, metric: str = "regret") -> dict[int, float]:
        """Seed to value; seeds without one are left out."""
        return self._values.get((space, method, queries, metric), {})

    def interval(self, space: str, method: str, queries: int, metric: str = "regret") -> stats.Interval | None:
        """Mean over seeds and its 95 % interval."""
        return stats.interval([list(self.by_seed(space, method, queries, metric).values())])

    def points(self, metric: str = "regret") -> list[int]:
        """The numbers of queries that have this metric."""
        return self.frame.filter(pl.col("metric") == metric)["queries"].unique().sort().to_list()

    def lead(self, space: str, method: str, than: str, queries: int, metric: str = "regret") -> stats.Paired | None:
        """How far `method` is ahead of `than`, paired by seed: less regret, or more hypervolume."""
        ours, theirs = (self.by_seed(space, name, queries, metric) for name in (method, than))
        seeds = sorted(ours.keys() & theirs.keys())
        more, less = (ours, theirs) if metric in MORE_IS_BETTER else (theirs, ours)
        return stats.paired([[more[seed] for seed in seeds]], [[less[seed] for seed in seeds]])

    def best_predictor(self, space: str, queries: int, metric: str = "regret") -> str:
        """The predictor with the lowest mean regret, or the highest mean hypervolume."""
        best = max if metric in MORE_IS_BETTER else min
        return best(
            self.predictors_of(space),
            key=lambda name: np.mean(list(self.by_seed(space, name, queries, metric).values())),
        )

    def beside(
        self, space: str, queries: int, baselines: list[str], metric: str = "regret"
    ) -> dict[tuple[str, str], tuple[stats.Paired, float]]:
        """Of each predictor and baseline, (`lead`, p corrected by Holm for all of these comparisons)."""
        keys = [(name, baseline) for name in self.predictors_of(space) for baseline in baselines]
        pairs = [self.lead(space, name, baseline, queries, metric) for name, baseline in keys]
        corrected = stats.holm([pair.p for pair in pairs])
        return {key: (pair, float(p)) for key, pair, p in zip(keys, pairs, corrected, strict=True)}

    def agreement(self, measure: str) -> stats.Interval | None:
        """How well a measure after some labels orders predictors by their regret at the next budget, from -1 to 1.

        Spearman's correlation over the predictors, for each space, budget and seed; the mean over budgets is one value
        a seed, the spaces are strata. Where all regrets or all measures are equal there is no order: left out.
        """
        sign = 1 if measure in FEWER_IS_BETTER else -1
        strata = []
        for space in self.choices:
            by_seed: dict[int, list[float]] = {}
            for now, then in zip(self.about["budgets"], self.about["budgets"][1:], strict=False):
                for seed in range(self.about["seeds"]):
                    pairs = [
                        (self.by_seed(space, name, now, measure).get(seed), self.by_seed(space, name, then).get(seed))
                        for name in self.predictors_of(space)
                    ]
                    x, y = np.array([pair for pair in pairs if None not in pair]).reshape(-1, 2).T
                    if len(np.unique(x)) > 1 and len(np.unique(y)) > 1:
                        by_seed.setdefault(seed, []).append(sign * scipy_stats.spearmanr(x, y).statistic)
            strata.append([float(np.mean(values)) for values in by_seed.values()])
        return stats.interval(strata)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.score.search", description=__doc__.partition(":")[0])
    parser.add_argument("--grid", default=search_grid.CONFIG, type=Path, help="what was searched and how")
    parser.add_argument("--searches", default=Path("results/searches"), type=Path, help="folder of the traces")
    parser.add_argument("--out", default=OUT, type=Path, help="file for the numbers")
    args = parser.parse_args()
    io.write_parquet(args.out, *score(search_grid.load(args.grid), args.searches))


if __name__ == "__main__":
    run_cli(main)
