"""Transfer to a new device: our numbers on NASFLAT's tasks beside the published ones, what a label of the new device
brings, and what faulty labels do. Numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.config.nasflat import NASFLAT
from pipeline.core.names import focus_first, is_focus, predictor_of
from pipeline.score import stats
from pipeline.score.label_noise import FAULTY, Noise
from pipeline.score.published import Figure
from pipeline.score.tables import Size, Stat, Table

RIVAL = "nasflat"
BACKBONE = "shared_backbone"  # NN-Former with a head for each device
METRIC = "spearman"
VERDICTS = ("above", "above, uncorrected", "level", "below")


@dataclass(frozen=True)
class Task:
    """One of NASFLAT's tasks with so many labels of the new device; numbers are means over the targets.

    `complete`: predictors with every seed, best first, of those with most seeds: one that was run once has no interval.
    `figures`: published, by predictor, whatever labels they had.
    `focus`: NN-Former, or the first of its variants, or NN-Former as BACKBONE has it, with every seed.
    """

    table: Table
    size: Size
    complete: tuple[str, ...]
    focus: str | None
    figures: dict[str, Figure]

    @property
    def best(self) -> str | None:
        """The predictor of the highest mean."""
        return self.complete[0] if self.complete else None

    def over(self, predictor: str | None, level: float = stats.LEVEL) -> stats.Interval | None:
        """A predictor's mean less NASFLAT's published figure, with the interval over our seeds; None without both.

        The published figure has no known spread.
        """
        if predictor is None or RIVAL not in self.figures:
            return None
        value = self.figures[RIVAL].value
        mean = stats.interval([self.table.main(predictor, self.size).values], level)
        return mean and stats.Interval(*(end - value for end in mean))

    def verdict(self, predictor: str | None) -> str | None:
        """Of VERDICTS: on which side of NASFLAT's figure the 95 % interval lies, if on one; None without an interval.

        `above` holds for the best of `complete`, too: at 1 - 0.05 / their number (Bonferroni).
        """
        over = self.over(predictor)
        if over is None:
            return None
        if over.high < 0:
            return "below"
        if over.low <= 0:
            return "level"
        corrected = self.over(predictor, 1 - (1 - stats.LEVEL) / len(self.complete))
        return "above" if corrected.low > 0 else "above, uncorrected"


def tasks(tables: Sequence[Table], figures: Sequence[Figure]) -> list[Task]:
    """NASFLAT's tasks among `tables`, a budget each: those of most labels first, then in NASFLAT's order."""
    found = []
    for table in (table for table in tables if table.protocol in NASFLAT):
        published = {
            figure.predictor: figure
            for figure in figures
            if (figure.dataset, figure.protocol, figure.metric) == (table.dataset, table.protocol, METRIC)
            and not figure.in_doubt
        }
        for size in sound_sizes(table):
            ranked = {p: len(table.main(p, size).values) for p in table.ranked_at(size)}
            complete = tuple(p for p, seeds in ranked.items() if seeds == max(ranked.values()))
            backbones = [p for p in complete if predictor_of(p) == BACKBONE]
            focus = next(iter([*focus_first(p for p in complete if is_focus(p)), *backbones]), None)
            found.append(Task(table, size, complete, focus, published))
    order = list(NASFLAT)
    return sorted(found, key=lambda task: (-task.size.n_train, order.index(task.table.protocol)))


@dataclass(frozen=True)
class Step:
    """What more labels of the new device bring: Spearman's correlation a label, by predictor, between two budgets."""

    start: Size
    end: Size
    gain: dict[str, float | None]


def adaptation(tables: Sequence[Table]) -> list[Table]:
    """The tables that show how a predictor adapts: transfer, none of NASFLAT's tasks, at three budgets or more."""
    return [table for table in tables if table.protocol == "few_shot" and len(sound_sizes(table)) > 2]


def sound_sizes(table: Table) -> list[Size]:
    """The sizes without faulty labels, fewest labels first."""
    return [size for size in table.sizes if not size.budget.faulty]


def steps(table: Table) -> list[Step]:
    """From each budget to the next; None where one of the two has no number."""
    sizes = sound_sizes(table)
    found = []
    for start, end in zip(sizes, sizes[1:], strict=False):
        gain = {}
        for predictor in table.predictors:
            before, after = (table.stat(predictor, size, METRIC, table.split).mean for size in (start, end))
            known = before is not None and after is not None
            gain[predictor] = (after - before) / (end.n_train - start.n_train) if known else None
        found.append(Step(start, end, gain))
    return found


@dataclass(frozen=True)
class Fault:
    """Labels of a device that the rule removes, and MAPE by predictor at one size: without them, and with them."""

    table: Table
    device: str
    n: int
    share: float  # percent of the device's labels
    size: Size
    mape: dict[str, tuple[Stat, Stat]]


def faults(tables: Sequence[Table], noise: Sequence[Noise]) -> list[Fault]:
    """Of every device with faulty labels whose tables have a budget with and without them."""
    found = []
    for table in tables:
        sizes = {str(size.budget): size for size in table.sizes}
        of_table = (table.dataset, table.scored_on, FAULTY)
        counts = {n.device: n for n in noise if (n.dataset, n.scored_on, n.kind) == of_table}
        for size in table.sizes:
            both = sizes.get(str(replace(size.budget, faulty=True)))
            if size.budget.faulty or both is None:
                continue
            for device in (device for device in table.devices if device in counts):
                mape = {
                    p: tuple(table.stat(p, s, "mape", table.split, device) for s in (size, both))
                    for p in table.predictors
                    if table.seeds_of(p, [size, both], [device])
                }
                count = counts[device]
                if mape:
                    found.append(Fault(table, device, count.n, count.values["share"], size, mape))
    return found
