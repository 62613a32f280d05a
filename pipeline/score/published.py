"""Published figures of config/published.csv, and which of ours each is to be compared with."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.budget import Kind
from pipeline.core.errors import BenchError
from pipeline.core.names import is_as_published, predictor_of
from pipeline.core.paths import ROOT
from pipeline.score.tables import Size, Stat, Table

CONFIG = ROOT / "config" / "published.csv"
FIELDS = [
    "dataset", "protocol", "n_train", "predictor", "metric", "statistic", "value", "confidence", "source", "n_val",
]  # fmt: skip
CONFIDENCE = {  # in a word, and what it means
    "V": ("verified", "read in the table of the paper named"),
    "S": ("second-hand", "from reviews and notes on the paper"),
    "M": ("from memory", "not verified"),
    "M+": ("from memory, adds up", "not verified, but the table's own means agree when added up again"),
    "D": ("in doubt", "sources contradict each other; never shown"),
}
STATISTICS = ("mean", "best")  # over runs; no run count or spread is published
VERDICTS = ("agrees", "above", "below", "unsure")
LEAVE_OUT = "leave_out:"
SAMPLE_OF = {
    "nasbench101_cec": "nasbench101"
}  # a sample: its numbers stand beside figures of the whole, without a verdict
FAMILIES = {"efficientnet": "efficientb0", "resnet": "resnet18", "vgg": "vgg16"}  # published name: ours


@dataclass(frozen=True)
class Figure:
    """One published number. `metric` is named and scaled as in the score rows; `confidence` is a key of CONFIDENCE.

    `statistic`: of STATISTICS. `n_val` counts the labels beside `n_train` that picked the checkpoint, of the test set
    if `val_is_test`; None where the source does not say.
    """

    dataset: str
    protocol: str
    n_train: int
    predictor: str
    metric: str
    value: float
    confidence: str
    source: str
    n_val: int | None = None
    val_is_test: bool = False
    statistic: str = "mean"

    @property
    def key(self) -> tuple:
        """What the figure is of."""
        return self.dataset, self.protocol, self.n_train, self.predictor, self.metric, self.statistic

    @property
    def in_doubt(self) -> bool:
        """True where sources contradict each other: such a figure is never shown."""
        return self.confidence == "D"


@dataclass(frozen=True)
class Comparison:
    """A published figure and our number for it: the predictor's label, its size (None: mean over families), our seeds.

    `on_sample`: ours is of a sample of the figure's data set. `cpu_s`: CPU-seconds of our fit, mean over seeds.
    """

    label: str
    size: Size | None
    figure: Figure
    ours: Stat
    on_sample: bool = False
    cpu_s: float | None = None

    @property
    def difference(self) -> float | None:
        """Ours less published; None without a number of ours."""
        return None if self.ours.mean is None else self.ours.mean - self.figure.value

    @property
    def verdict(self) -> str:
        """`agrees` where our 95 % interval holds the figure, else where our number lies: `above` or `below` it.

        `unsure` without an interval, or on a sample. The spread of the figure itself is not published.
        """
        if self.difference is None or self.ours.half is None or self.on_sample:
            return "unsure"
        if abs(self.difference) <= self.ours.half:
            return "agrees"
        return "above" if self.difference > 0 else "below"


def load(path: Path | str = CONFIG) -> list[Figure]:
    """All published figures, each once. Raises BenchError naming the line that is wrong."""
    figures: dict[tuple, Figure] = {}
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != FIELDS:
                raise BenchError(f"{path}: the first line is not {','.join(FIELDS)}; restore it")
            for row in reader:
                figure = _figure(path, reader.line_num, row)
                if figure.key in figures:
                    raise BenchError(f"{path}: line {reader.line_num}: this figure stands above already; remove one")
                figures[figure.key] = figure
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{path}: cannot read: {reason}; restore the file") from error
    return list(figures.values())


def _figure(path: Path | str, line: int, row: dict) -> Figure:
    def wrong(what: object) -> BenchError:
        return BenchError(f"{path}: line {line}: {what}; mend that line")

    hidden = re.fullmatch(r"(\d*)( test)?", row.pop("n_val") or "")
    try:
        figure = Figure(**{**row, "n_train": int(row["n_train"]), "value": float(row["value"])})
    except (TypeError, ValueError) as error:
        raise wrong(error) from error
    if figure.confidence not in CONFIDENCE:
        raise wrong(f"confidence {figure.confidence!r}; known: {', '.join(CONFIDENCE)}")
    if figure.statistic not in STATISTICS:
        raise wrong(f"statistic {figure.statistic!r}; known: {', '.join(STATISTICS)}")
    if not hidden or not math.isfinite(figure.value):
        raise wrong("value must be a finite number and n_val a count, `2000 test` or empty")
    n_val = int(hidden[1]) if hidden[1] else None
    return replace(figure, n_val=n_val, val_is_test=bool(hidden[2]))


def name_of(label: str, known: set[str]) -> str | None:
    """The published predictor that `label` stands for: `pinat-bce` is pinat_bce if published, else pinat; or None."""
    for name in (label.replace("-", "_"), predictor_of(label)):
        if name in known:
            return name
    return None


def compare(table: Table, figures: list[Figure]) -> list[Comparison]:
    """Every published figure of the table's data set, protocol and sizes beside ours, in the table's order.

    Published figures under tnasp are of the test accuracy of all networks, those of latency of held-out networks. A
    family left out goes by its name and a source's own train mark by its protocol; else the number of training labels
    must agree. Figures in doubt, and the best of several runs, are compared with nothing.
    """
    known = {f.predictor for f in figures}
    same = [f for f in figures if f.statistic == "mean" and not f.in_doubt and _is_for(f, table)]
    on_sample = table.dataset in SAMPLE_OF
    comparisons = []
    for label in (p for p in table.ranked() if is_as_published(p) or not on_sample):
        of_label = [f for f in same if f.predictor == name_of(label, known)]
        for size in table.sizes:
            ours = [(f, table.stat(label, size, f.metric, table.split)) for f in of_label if _is_of(f, size)]
            cpu_s = table.stat(label, size, "fit_cpu_s", "run").mean
            comparisons += [Comparison(label, size, f, stat, on_sample, cpu_s) for f, stat in ours if stat.expected]
        for figure in of_label:
            if figure.protocol == f"{LEAVE_OUT}mean" and has_all_families(table):
                stat = table.over_sizes(label, figure.metric, table.split)
                comparisons.append(Comparison(label, None, figure, stat))
    return comparisons


def has_all_families(table: Table) -> bool:
    """True when the sizes of the table leave out each family of its data set once."""
    left_out = [size.budget.family for size in table.sizes]
    return bool(left_out) and None not in left_out and sorted(left_out) == sorted(table.about.families)


def _is_for(figure: Figure, table: Table) -> bool:
    """Whether a figure is of the data set, or of what it is a sample of, and of the protocol of a table."""
    if figure.dataset != SAMPLE_OF.get(table.dataset, table.dataset):
        return False
    if figure.protocol == "tnasp":
        on_validation = table.target == "val_acc" or table.dataset in SAMPLE_OF  # which has test accuracy alone
        return on_validation and table.scored_on == "test_acc" and table.split == "all"
    return ("leave_one_family_out" if figure.protocol.startswith(LEAVE_OUT) else figure.protocol) == table.protocol


def _is_of(figure: Figure, size: Size) -> bool:
    if figure.protocol.startswith(LEAVE_OUT):
        family = figure.protocol.removeprefix(LEAVE_OUT)
        return size.budget.family == FAMILIES.get(family, family)
    return size.budget.kind is Kind.MARKED or figure.n_train == size.n_train
