"""The numbers that a board opens with: the best predictors, unseen families, how published figures compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.config.budget import Kind
from pipeline.core.names import focus_first, is_as_published, lacks_siblings_alone
from pipeline.score import stats, transfer
from pipeline.score.label_noise import Noise
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.pairs import Pair
from pipeline.score.published import VERDICTS, Comparison, Figure
from pipeline.score.ranking import Compared, by_dataset, compared_seeds, compared_with
from pipeline.score.recipes import TwoWay, two_ways
from pipeline.score.tables import Size, Stat, Table

FRACTIONS = ("0.01", "0.05")


@dataclass(frozen=True)
class Best:
    """The best predictor on some (table, size) tasks, its interval over seeds (None: one seed) and what it costs.

    `means`: of all, best first. `rivals`: the others, in that order, each with the best less it, paired by task and
    seed; those with fewer than two seeds in common are `untested`. `cheapest` takes the fewest CPU-seconds of the best
    and those whose paired 95 % interval holds zero; all were fitted on so many kinds of `processors`.
    """

    tasks: tuple[tuple[Table, Size], ...]
    metric: str
    predictor: str
    means: dict[str, float]
    interval: stats.Interval | None
    rivals: tuple[Compared, ...]
    cheapest: str
    cpu_s: dict[str, float]
    processors: int

    @property
    def mean(self) -> float:
        """Of the best."""
        return self.means[self.predictor]

    @property
    def untested(self) -> list[str]:
        """The others without enough seeds to be paired with the best."""
        tested = {rival.predictor for rival in self.rivals}
        return [p for p in self.means if p != self.predictor and p not in tested]

    @property
    def half(self) -> float | None:
        """Half of the interval."""
        return None if self.interval is None else self.interval.high - self.interval.mean

    @property
    def tied(self) -> list[str]:
        """The others that do not differ from the best (Holm, 5 %)."""
        return [rival.predictor for rival in self.rivals if rival.p_holm >= 1 - stats.LEVEL]

    @property
    def behind(self) -> Compared | None:
        """The best less the cheapest; None where that is the best itself."""
        return next((rival for rival in self.rivals if rival.predictor == self.cheapest), None)


@dataclass(frozen=True)
class UnseenFamily:
    """The best latency predictor by MAPE over families, each left out of training in turn.

    `families` were left out, of `known` in the data set; `repeated_mape` is that of labels measured a second time.
    """

    best: Best
    dataset: str
    families: int
    known: int
    repeated_mape: float | None


@dataclass(frozen=True)
class Verdicts:
    """How our numbers of one label compare with published ones: how many each verdict, how many figures verified."""

    figures: int
    verified: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Headline:
    """`best`: by label budget, those that the grid has; `verdicts`: by label of NN-Former as published.

    `two_ways`: architectures by recipes, where the grid has such. `transfer`: NASFLAT's tasks, likewise. `siblings`:
    NN-Former with masks of siblings beside the same without, in the main metric of accuracies and MAPE of costs.
    """

    synthetic: bool
    best: dict[str, Best]
    unseen_family: UnseenFamily | None
    verdicts: dict[str, Verdicts]
    two_ways: list[TwoWay]
    transfer: list[transfer.Task] = field(default_factory=list)
    siblings: list[Pair] = field(default_factory=list)


def headline(
    tables: list[Table],
    compared_tables: list[Table],
    comparisons: dict[str, list[Comparison]],
    noise: Sequence[Noise],
    figures: Sequence[Figure] = (),
    pairs: Sequence[Pair] = (),
) -> Headline:
    """All of it. `compared_tables` are those that count once (`ranking.independent`); `comparisons`: by table name;
    `figures`: published ones; `pairs`: those that the grid wants compared."""
    accuracy = [table for table in compared_tables if not table.is_cost]
    best = {word: best_on(tasks_at(accuracy, word), "kendall_tau") for word in _budgets(accuracy)}
    return Headline(
        synthetic=any(table.synthetic for table in tables),
        best={word: of_budget for word, of_budget in best.items() if of_budget},
        unseen_family=unseen_family(tables, noise),
        verdicts=verdicts(tables, comparisons),
        two_ways=[two_way for table in accuracy for two_way in two_ways(table)],
        transfer=transfer.tasks(tables, figures),
        siblings=[pair for pair in pairs if _of_siblings(pair) and pair.table in compared_tables],
    )


def _of_siblings(pair: Pair) -> bool:
    main = "mape" if pair.table.is_cost else pair.table.metric
    return lacks_siblings_alone(pair.b, pair.a) and pair.metric == main


def _budgets(tables: list[Table]) -> list[str]:
    """The budgets whose best is named: 1 % and 5 % of the labels, and every number of labels, fewest first."""
    sizes = [size for table in tables for size in table.sizes if size.budget.kind in (Kind.COUNT, Kind.WHOLE)]
    counts = {size.n_train: str(size.budget) for size in sizes}
    return [*FRACTIONS, *(counts[n] for n in sorted(counts))]


def best_on(tasks: list[tuple[Table, Size]], metric: str) -> Best | None:
    """The best predictor by the mean over tasks, of those with every seed of every task; None without any."""
    tables = list(dict.fromkeys(table for table, _ in tasks))
    strata = [[task for task in tasks if task[0] in stratum] for stratum in by_dataset(tables)]
    values: dict[str, list[Stat]] = {}
    cpu_s = {}
    for predictor in tasks[0][0].predictors if tasks else []:
        by_stratum = [mean_over_tasks(stratum, predictor, metric) for stratum in strata]
        seconds = [table.stat(predictor, size, "fit_cpu_s", "run").mean for table, size in tasks]
        if all(stat.complete for stat in by_stratum):
            values[predictor] = by_stratum
            cpu_s[predictor] = float(np.mean(seconds)) if None not in seconds else float("inf")
    if not values:
        return None
    sign = tasks[0][0].better(metric, 1.0)
    means = {p: float(np.mean([stat.mean for stat in strata])) for p, strata in values.items()}
    best, *others = sorted(means, key=lambda p: (-sign * means[p], p))
    first = [stratum[0][0] for stratum in strata]
    rivals = tuple(compared_with(best, others, lambda a, b: _pair(first, values, a, b, sign)))
    close = [best, *(rival.predictor for rival in rivals if rival.paired.difference.low <= 0)]
    cheapest = min(close, key=lambda p: (cpu_s[p], p))
    interval = stats.interval([stat.values for stat in values[best]])
    ordered = {p: means[p] for p in (best, *others)}
    hosts = {host for table, size in tasks for host in table.rows.filter(budget=str(size.budget))["host_cpu"].unique()}
    return Best(tuple(tasks), metric, best, ordered, interval, rivals, cheapest, cpu_s, len(hosts - {None}))


def _pair(
    tables: list[Table], values: dict[str, list[Stat]], a: str, b: str, sign: float
) -> tuple[stats.Paired | None, int]:
    """`a` less `b`, more being better, and the number of seeds. `tables`: the first of each stratum."""
    strata = zip(tables, values[a], values[b], strict=True)
    seeds = [compared_seeds(table, a, b, *both) for table, *both in strata]
    of_a, of_b = (
        [sign * np.array(stat.values_of(of_table)) for stat, of_table in zip(values[p], seeds, strict=True)]
        for p in (a, b)
    )
    return stats.paired(of_a, of_b), min(map(len, seeds))


def tasks_at(tables: list[Table], budget: str) -> list[tuple[Table, Size]]:
    """The tasks of some tables at one label budget."""
    return [(table, size) for table in tables for size in table.sizes if str(size.budget) == budget]


def mean_over_tasks(tasks: list[tuple[Table, Size]], predictor: str, metric: str | None = None) -> Stat:
    """A metric (default: the main one) averaged over tasks seed by seed, for the seeds that the grid asks for in all.

    A task that lacks a seed's number makes that seed fail.
    """
    by_task = [table.stat(predictor, size, metric or table.metric, table.split) for table, size in tasks]
    if len(by_task) == 1:
        return by_task[0]
    seeds = sorted(set.intersection(*(table.seeds_of(predictor, [size]) for table, size in tasks)))
    complete = [seed for seed in seeds if all(seed in stat.seeds for stat in by_task)]
    why = {seed: status for stat in by_task for seed, status in stat.failed}
    failed = tuple((seed, why.get(seed, "missing")) for seed in seeds if seed not in complete)
    values = np.array([stat.values_of(complete) for stat in by_task]).mean(0)
    return Stat(tuple(map(float, values)), len(seeds), failed, tuple(complete))


def unseen_family(tables: list[Table], noise: Sequence[Noise] = ()) -> UnseenFamily | None:
    """The best latency predictor on families left out of training; None without such data."""
    for table in tables:
        if table.is_cost and table.protocol == "leave_one_family_out":
            best = best_on([(table, size) for size in table.sizes], "mape")
            repeated = noise_floor(noise, table.dataset, table.scored_on, table.devices).get("mape")
            return best and UnseenFamily(best, table.dataset, len(table.sizes), len(table.about.families), repeated)
    return None


def verdicts(tables: list[Table], comparisons: dict[str, list[Comparison]]) -> dict[str, Verdicts]:
    """Published figures of NN-Former beside ours, by label of NN-Former as published; none of a sample."""
    by_label: dict[str, list[Comparison]] = {}
    for table in tables:
        for comparison in comparisons[table.name]:
            if is_as_published(comparison.label) and not comparison.on_sample:
                by_label.setdefault(comparison.label, []).append(comparison)
    return {label: _counted(by_label[label]) for label in focus_first(by_label)}


def _counted(comparisons: list[Comparison]) -> Verdicts:
    words = [comparison.verdict for comparison in comparisons]
    verified = sum(comparison.figure.confidence == "V" for comparison in comparisons)
    return Verdicts(len(words), verified, {word: words.count(word) for word in VERDICTS if word in words})
