"""Published figures of config/published.csv, matched with ours by data set, protocol, labels, predictor and metric."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import BenchError
from pipeline.grid import ROOT, predictor_of

CONFIG = ROOT / "config" / "published.csv"
FIELDS = ["dataset", "protocol", "n_train", "predictor", "metric", "statistic", "value", "confidence", "source"]
CONFIDENCE = {
    "V": "verified in the paper's table",
    "S": "second-hand, from reviews and notes",
    "M": "from memory, not verified",
    "M+": "from memory; the table's own means agree when added up again",
    "D": "derived or doubtful, not checked against the paper",
}


@dataclass(frozen=True)
class Figure:
    """One published number. `metric` is named and scaled as in the score rows; `confidence` is a key of CONFIDENCE."""

    dataset: str
    protocol: str
    n_train: int
    predictor: str
    metric: str
    statistic: str
    value: float
    confidence: str
    source: str


def load(path: Path | str = CONFIG) -> list[Figure]:
    """All published figures. Raises BenchError naming the line that is wrong."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != FIELDS:
                raise BenchError(f"{path}: the first line is not {','.join(FIELDS)}; restore it")
            return [_figure(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise BenchError(f"{path}: cannot read: {error.strerror}; restore the file") from error


def _figure(path: Path | str, line: int, row: dict) -> Figure:
    try:
        figure = Figure(**{**row, "n_train": int(row["n_train"]), "value": float(row["value"])})
    except (TypeError, ValueError) as error:
        raise BenchError(f"{path}: line {line}: {error}; mend that line") from error
    if figure.confidence not in CONFIDENCE:
        raise BenchError(f"{path}: line {line}: confidence {figure.confidence!r}; known: {', '.join(CONFIDENCE)}")
    return figure


def name_of(label: str, known: set[str]) -> str | None:
    """The published predictor that `label` stands for: `pinat-bce` is pinat_bce if published, else pinat; or None."""
    for name in (label.replace("-", "_"), predictor_of(label)):
        if name in known:
            return name
    return None
