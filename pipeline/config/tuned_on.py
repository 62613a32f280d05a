"""Whose settings were chosen with a data set's test labels in sight (config/tuned.yaml)."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.names import predictor_of
from pipeline.core.paths import ROOT

CONFIG = ROOT / "config" / "tuned.yaml"


def load(path: Path | str = CONFIG) -> dict[str, list[str]]:
    """Names of data sets by predictor. Raises BenchError: not readable, or not such a mapping."""
    datasets = read_yaml(path) or {}
    if not isinstance(datasets, dict) or not all(isinstance(names, list) for names in datasets.values()):
        raise BenchError(f"{path}: must give a list of data sets for each predictor; mend it")
    return datasets


def tuned_predictors(datasets: dict[str, list[str]], dataset: str, labels: list[str]) -> list[str]:
    """Predictors of the grid's ``labels`` whose settings were chosen with labels of ``dataset`` in sight.

    ``datasets``: what `load` gives.
    """
    return [p for p in dict.fromkeys(map(predictor_of, labels)) if dataset in datasets.get(p, ())]
