"""Published figures of config/published.csv, and which of ours each is to be compared with."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.budget import Kind
from pipeline.core.errors import BenchError
from pipeline.core.names import predictor_of
from pipeline.core.paths import ROOT
from pipeline.score import stats
from pipeline.score.metrics import LOWER_IS_BETTER
from pipeline.score.tables import Size, Stat, Table

CONFIG = ROOT / "config" / "published.csv"
FIELDS = [
    "dataset", "protocol", "n_train", "predictor", "metric", "statistic", "value", "confidence", "source", "n_val",
]  # fmt: skip
CONFIDENCE = {
    "V": "verified in the paper's table",
    "S": "second-hand, from reviews and notes",
    "M": "from memory, not verified",
    "M+": "from memory; the table's own means agree when added up again",
    "D": "derived or doubtful, not checked against the paper",
}
VERDICTS = ("agrees", "better", "worse", "unsure")
LEAVE_OUT = "leave_out:"
FAMILIES = {"efficientnet": "efficientb0", "resnet": "resnet18", "vgg": "vgg16"}  # published name: ours


@dataclass(frozen=True)
class Figure:
    """One published number. `metric` is named and scaled as in the score rows; `confidence` is a key of CONFIDENCE.

    `n_val` counts the labels beside `n_train` that picked the checkpoint, of the test set if `val_is_test`; None where
    the source does not say. `spread` is the published standard deviation over runs, None where none is known.
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
    spread: float | None = None

    @property
    def key(self) -> tuple:
        """What the figure is of."""
        return self.dataset, self.protocol, self.n_train, self.predictor, self.metric


@dataclass(frozen=True)
class Comparison:
    """A published figure and our number for it: the predictor's label, its size (None: mean over families), our seeds.

    `se` is the standard error of the difference: of our mean over seeds, and the published standard deviation where it
    is known (the number of published runs is not, so the figure counts as one run).
    """

    label: str
    size: Size | None
    figure: Figure
    ours: Stat

    @property
    def difference(self) -> float | None:
        """Ours less published; None without a number of ours."""
        return None if self.ours.mean is None else self.ours.mean - self.figure.value

    @property
    def se(self) -> float | None:
        """Standard error of the difference; None with fewer than two seeds."""
        return None if self.ours.se is None else math.hypot(self.ours.se, self.figure.spread or 0.0)

    @property
    def z(self) -> float | None:
        """The difference in standard errors; None where there is no difference or no spread."""
        return None if self.difference is None or not self.se else self.difference / self.se

    @property
    def verdict(self) -> str:
        """`agrees` where the 95 % interval of the difference holds zero, else `better` or `worse`; `unsure` without."""
        if self.difference is None or self.se is None:
            return "unsure"
        if abs(self.difference) <= stats.t_quantile(len(self.ours.values) - 1) * self.se:
            return "agrees"
        return "better" if (self.difference > 0) != (self.figure.metric in LOWER_IS_BETTER) else "worse"


def load(path: Path | str = CONFIG) -> list[Figure]:
    """All published figures, each once. Raises BenchError naming the line that is wrong."""
    figures: dict[tuple, Figure] = {}
    spreads: dict[tuple, float] = {}
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != FIELDS:
                raise BenchError(f"{path}: the first line is not {','.join(FIELDS)}; restore it")
            for row in reader:
                figure, statistic = _figure(path, reader.line_num, row)
                known = spreads if statistic == "sd" else figures
                if figure.key in known:
                    raise BenchError(f"{path}: line {reader.line_num}: this figure stands above already; remove one")
                known[figure.key] = figure.value if statistic == "sd" else figure
    except OSError as error:
        raise BenchError(f"{path}: cannot read: {error.strerror}; restore the file") from error
    lost = sorted(set(spreads) - set(figures))
    if lost:
        raise BenchError(f"{path}: a standard deviation without its mean: {' '.join(map(str, lost[0]))}; add the mean")
    return [Figure(**{**figure.__dict__, "spread": spreads.get(key)}) for key, figure in figures.items()]


def _figure(path: Path | str, line: int, row: dict) -> tuple[Figure, str]:
    def wrong(what: object) -> BenchError:
        return BenchError(f"{path}: line {line}: {what}; mend that line")

    statistic, hidden = row.pop("statistic"), re.fullmatch(r"(\d*)( test)?", row.pop("n_val") or "")
    try:
        figure = Figure(**{**row, "n_train": int(row["n_train"]), "value": float(row["value"])})
    except (TypeError, ValueError) as error:
        raise wrong(error) from error
    if figure.confidence not in CONFIDENCE:
        raise wrong(f"confidence {figure.confidence!r}; known: {', '.join(CONFIDENCE)}")
    if statistic not in ("mean", "sd"):
        raise wrong(f"statistic {statistic!r}; known: mean, sd")
    if not hidden or not math.isfinite(figure.value):
        raise wrong("value must be a finite number and n_val a count, `2000 test` or empty")
    n_val = int(hidden[1]) if hidden[1] else None
    return Figure(**{**figure.__dict__, "n_val": n_val, "val_is_test": bool(hidden[2])}), statistic


def name_of(label: str, known: set[str]) -> str | None:
    """The published predictor that `label` stands for: `pinat-bce` is pinat_bce if published, else pinat; or None."""
    for name in (label.replace("-", "_"), predictor_of(label)):
        if name in known:
            return name
    return None


def compare(table: Table, figures: list[Figure]) -> list[Comparison]:
    """Every published figure of the table's data set, protocol and sizes beside ours, in the table's order.

    Published figures under tnasp are of test accuracy, those of latency of held-out networks. A family left out goes by
    its name and a source's own train mark by its protocol; else the number of training labels must agree.
    """
    if table.protocol == "tnasp" and table.scored_on != "test_acc":
        return []
    same = [f for f in figures if f.dataset == table.dataset and _protocol(f) == table.protocol]
    known = {f.predictor for f in same}
    comparisons = []
    for label in table.ranked():
        of_label = [f for f in same if f.predictor == name_of(label, known)]
        for size in table.sizes:
            ours = [(f, table.stat(label, size, f.metric, table.split)) for f in of_label if _is_of(f, size)]
            comparisons += [Comparison(label, size, figure, stat) for figure, stat in ours if stat.expected]
        for figure in of_label:
            if figure.protocol == f"{LEAVE_OUT}mean" and has_all_families(table):
                stat = table.over_sizes(label, figure.metric, table.split)
                comparisons.append(Comparison(label, None, figure, stat))
    return comparisons


def has_all_families(table: Table) -> bool:
    """True when the sizes of the table leave out each family of its data set once."""
    left_out = [size.budget.family for size in table.sizes]
    return bool(left_out) and None not in left_out and sorted(left_out) == sorted(table.about.families)


def _protocol(figure: Figure) -> str:
    return "leave_one_family_out" if figure.protocol.startswith(LEAVE_OUT) else figure.protocol


def _is_of(figure: Figure, size: Size) -> bool:
    if figure.protocol.startswith(LEAVE_OUT):
        family = figure.protocol.removeprefix(LEAVE_OUT)
        return size.budget.family == FAMILIES.get(family, family)
    return size.budget.kind is Kind.MARKED or figure.n_train == size.n_train
