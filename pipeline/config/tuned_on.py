"""Whose settings were chosen with a data set's test labels in sight (config/tuned.yaml)."""

from __future__ import annotations

from fnmatch import fnmatchcase
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
    """Those keys of ``datasets`` (what `load` gives) that hold for ``dataset`` and one of the grid's ``labels``.

    A key is a predictor, with all its variants, or a pattern of labels such as ``*-common``.
    """
    keys = [key for key, names in datasets.items() if dataset in names]
    return [key for key in keys if any(key == predictor_of(label) or fnmatchcase(label, key) for label in labels)]
